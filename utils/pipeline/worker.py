"""The work on images: fetch, validate, fit boxes, stage. One `TaskFinished` or `TaskRedirected` an attempt.

Errors of an image become outcomes, not exceptions. The scheduler decides about retries and redirects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..annotations import geometry, voc_xml
from ..annotations.geometry import Fitted
from ..fetch.client import Fetcher
from ..images import placeholders, robots, validation
from ..models.images import Picture
from ..models.rows import LocalImage
from ..models.tasks import FetchError, ImageTask, Outcome, Redirect, Response
from ..reasons import Reason, Rejection, Status
from ..results.known_outcomes import deciding_flag
from ..results.paths import CategoryFolder
from ..results.staging import StagingWriter, disk_failure
from ..urls import host_of
from .messages import CancelTasks, Command, TaskEvent, TaskFinished, TaskRedirected, WorkerConfig

OPTED_OUT = Rejection(Reason.OPTED_OUT, Reason.OPTED_OUT.meaning)


class _StoppedError(Exception):
    """The run ends while an image is decoded."""


class Worker:
    """The work itself, without the process around it.

    Parameters
    ----------
    mark
        Called with the number of the task whose bytes are about to be validated, and with -1 afterwards: if
        the process dies, this identifies the image.
    stopped
        Whether to give up an image that takes long to decode; then no event follows for it.
    """

    def __init__(
        self,
        config: WorkerConfig,
        mark: Callable[[int], None],
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._mark = mark
        self._stopped = stopped
        self._fetcher = Fetcher(
            config.timeout, user_agent=config.user_agent, idle_connections=config.idle_connections
        )
        self._staging = StagingWriter(config.result_folder)
        self._tasks: dict[int, ImageTask] = {}
        self._local: dict[int, tuple[ImageTask, LocalImage]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether the next `poll` will read an image from disk, and not wait."""
        return bool(self._local)

    def execute(self, command: Command) -> None:
        """Start or cancel tasks."""
        if isinstance(command, CancelTasks):
            for number in command.numbers:
                self._local.pop(number, None)
                self._tasks.pop(number, None)
                self._fetcher.cancel(number)
            return
        for task in command.tasks:
            if task.local_image:
                self._local[task.number] = task, task.local_image
            else:
                self._tasks[task.number] = task
                self._fetcher.start(task.number, task.address, task.redirect_history)

    def poll(self, timeout: float) -> Iterator[TaskEvent]:
        """Read an image from disk, or wait at most about `timeout` seconds for downloads.

        Yields an event for every attempt that ended.
        """
        if self._local:
            task, image = self._local.pop(next(iter(self._local)))
            yield from self._process(task, _read(image, task.address))
            timeout = 0.0
        for fetched in self._fetcher.poll(timeout):
            yield from self._process(self._tasks.pop(fetched.number), fetched.result)

    def wake(self) -> None:
        """End a waiting `poll`; may be called from another thread."""
        self._fetcher.wake()

    def close(self) -> None:
        """Abort all transfers."""
        self._fetcher.close()

    def _process(self, task: ImageTask, result: Response | FetchError | Redirect) -> Iterator[TaskEvent]:
        if isinstance(result, Redirect):
            yield _redirected(task, result)
            return
        if isinstance(result, FetchError):
            yield TaskFinished(task.number, _fetch_failed(task, result))
            return
        self._mark(task.number)
        try:
            outcome = self._validate(task, result)
        except _StoppedError:
            return
        self._mark(-1)
        yield TaskFinished(task.number, outcome)

    def _wait(self) -> None:
        """Continue the transfers while an image is decoded."""
        if self._stopped():
            raise _StoppedError
        self._fetcher.advance(0)

    def _validate(self, task: ImageTask, response: Response) -> Outcome:
        config = self._config
        if config.honour_opt_out and robots.is_opted_out(response.robots):
            return self._rejected(task, response, OPTED_OUT)
        placeholder = placeholders.reject_response(response)
        if placeholder:
            return self._rejected(task, response, placeholder)
        picture = validation.validate(
            response.data,
            min_side=config.min_side,
            length_known=response.length_known,
            wait=self._wait,
        )
        if isinstance(picture, Rejection):
            return self._rejected(task, response, picture)
        fitted = geometry.fit(task.annotation, picture) if task.annotation else None
        if config.with_annotation and (fitted is None or fitted.annotation is None):
            problem = fitted.problem if fitted else "It has no annotation."
            mismatch = Rejection(Reason.ANNOTATION_MISMATCH, problem)
            return replace(self._rejected(task, response, mismatch), picture=picture)
        return self._stage(task, response, picture, fitted)

    def _stage(self, task: ImageTask, response: Response, picture: Picture, fitted: Fitted | None) -> Outcome:
        annotation = fitted.annotation if fitted else None
        name = f"{task.row.image_code}.{picture.format.value}"
        outcome = Outcome(
            row=task.row,
            status=Status.DOWNLOADED,
            http_status=response.http_status,
            attempts=1,
            seconds=response.seconds,
            file=f"{CategoryFolder.IMAGES}/{name}",
            picture=picture,
            boxes=len(annotation.boxes) if annotation else None,
            fitted=fitted.counts if fitted else None,
            final_host=task.host or host_of(response.final_url),
        )
        xml = (
            voc_xml.to_xml(annotation, folder=task.folder, filename=name, picture=picture)
            if annotation
            else None
        )
        try:
            staged, modified_ns = self._staging.write(response.data, xml)
        except OSError as error:
            return disk_failure(outcome, error)
        return replace(outcome, staged=staged, modified_ns=modified_ns)

    def _rejected(self, task: ImageTask, response: Response, rejection: Rejection) -> Outcome:
        failed = _failed(task, response, rejection)
        flag = deciding_flag(rejection.reason, self._config)
        return replace(failed, decided_by=flag) if flag else failed


def _read(image: LocalImage, address: str) -> Response | FetchError:
    """Read an image that is on disk."""
    status = 200 if host_of(address) else 0  # of the server that sent the tar
    try:
        data = image.read()
    except (OSError, EOFError, ValueError) as error:
        why = getattr(error, "strerror", None) or error  # without the path
        return FetchError(Reason.TRUNCATED, f"It cannot be read: {why}.")
    return Response(data, http_status=status, final_url=address)


def _redirected(task: ImageTask, redirect: Redirect) -> TaskEvent:
    """Pass a redirect on, unless it leads to a known placeholder."""
    placeholder = placeholders.reject_url(redirect.target.address)
    if placeholder is None:
        return TaskRedirected(task.number, redirect)
    seconds = redirect.history.seconds - task.redirect_history.seconds
    error = FetchError(
        placeholder.reason, placeholder.sentence, redirect.history.http_status, seconds=seconds
    )
    return TaskFinished(task.number, _fetch_failed(task, error))


def _fetch_failed(task: ImageTask, error: FetchError) -> Outcome:
    return replace(
        _failed(task, error, Rejection(error.reason, error.description)),
        retry_after=error.retry_after,
        from_proxy=error.from_proxy,
        connect_failed=error.connect_failed,
        too_slow=error.too_slow,
    )


def _failed(task: ImageTask, result: Response | FetchError, rejection: Rejection) -> Outcome:
    return Outcome(
        row=task.row,
        status=Status.FAILED,
        reason=rejection.reason,
        description=rejection.sentence,
        http_status=result.http_status,
        attempts=1,
        seconds=result.seconds,
    )
