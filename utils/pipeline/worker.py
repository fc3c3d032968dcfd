"""The work on one image after another: fetch, judge, fit, save; an `Outcome` for every try of a task.

A worker never raises for an image and never decides what comes next; it does what it is told and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..annotations import geometry
from ..annotations.geometry import Fitted
from ..errors import NO_SENSE_IN_GOING_ON
from ..fetch.client import Fetched, Fetcher
from ..files import write_atomic
from ..images import placeholders, robots, validation
from ..models.enums import Status
from ..models.images import Picture
from ..models.rows import TarMemberRef
from ..models.tasks import FetchError, ImageTask, Outcome, Redirect, Response
from ..reasons import Reason, Rejection
from ..results import annotation_writer
from ..results.paths import CategoryFolder
from ..sources import tar_members
from ..urls import host_of
from .known_outcomes import deciding_flag
from .messages import (
    Answer,
    CancelTasks,
    Command,
    Ready,
    Save,
    StartTasks,
    TaskFinished,
    TaskRedirected,
    WorkerConfig,
)

TOO_LATE = "It was there when nothing might be saved any more."


@dataclass(frozen=True, slots=True)
class _Good:
    """An image that may be saved."""

    task: ImageTask
    body: Response
    picture: Picture
    fitted: Fitted | None


class Worker:
    """The work itself, without the process around it.

    Parameters
    ----------
    mark
        Told the number of the task whose bytes are about to be judged, and -1 after: if the process dies
        of an image, this says of which.
    """

    def __init__(self, order: WorkerConfig, mark: Callable[[int], None]) -> None:
        self._order = order
        self._mark = mark
        self._fetcher = Fetcher(order.timeout, idle_connections=order.transfers)
        self._tasks: dict[int, ImageTask] = {}
        self._held: dict[int, _Good] = {}
        self._folders: dict[str, CategoryFolder] = {}
        self._commands: dict[type[Command], Callable[..., Iterator[Answer]]] = {
            StartTasks: self._start,
            Save: self._save_held,
            CancelTasks: self._drop,
        }

    def obey(self, command: Command) -> Iterator[Answer]:
        """Do as told; yields what can be answered at once."""
        yield from self._commands[type(command)](command)

    def turn(self, timeout: float) -> Iterator[Answer]:
        """Go on with everything for at most about `timeout` seconds, and yield what ended."""
        for fetched in self._fetcher.poll(timeout):
            yield self._finish(fetched)

    def wake(self) -> None:
        """End a waiting `turn`; may be called from another thread."""
        self._fetcher.wake()

    def close(self) -> None:
        """Give up what is under way."""
        self._fetcher.close()

    def _start(self, command: StartTasks) -> Iterator[Answer]:
        for task in command.tasks:
            if task.piece:
                yield self._take(task, _read(task.piece, task.address))
            else:
                self._tasks[task.number] = task
                self._fetcher.start(task.number, task.address, task.trail)

    def _save_held(self, command: Save) -> Iterator[Answer]:
        for number in command.numbers:
            good = self._held.pop(number, None)
            if good is not None:
                yield TaskFinished(number, self._save(good))

    def _drop(self, command: CancelTasks) -> Iterator[Answer]:
        for number in command.numbers:
            self._tasks.pop(number, None)
            self._held.pop(number, None)
            self._fetcher.cancel(number)
        yield from ()

    def _finish(self, fetched: Fetched) -> Answer:
        return self._take(self._tasks.pop(fetched.number), fetched.result)

    def _take(self, task: ImageTask, result: Response | FetchError | Redirect) -> Answer:
        if isinstance(result, FetchError):
            return TaskFinished(task.number, _nothing_came(task, result))
        if isinstance(result, Redirect):
            return _redirected(task, result)
        self._mark(task.number)
        good = self._judge(task, result)
        self._mark(-1)
        if isinstance(good, Outcome):
            return TaskFinished(task.number, good)
        if task.ask_before_saving:
            self._held[task.number] = good
            return Ready(task.number)
        return TaskFinished(task.number, self._save(good))

    def _judge(self, task: ImageTask, body: Response) -> _Good | Outcome:
        if self._order.honour_opt_out and robots.is_opted_out(body.robots):
            rejection = Rejection(Reason.OPTED_OUT, "Its server asks not to use it so (X-Robots-Tag).")
            return self._refused(task, body, rejection)
        known = placeholders.reject_response(body)
        if known:
            return self._refused(task, body, known)
        picture = validation.validate(
            body.data, min_side=self._order.min_side, length_known=body.length_known
        )
        if isinstance(picture, Rejection):
            return self._refused(task, body, picture)
        fitted = geometry.fit(task.annotation, picture) if task.annotation else None
        if self._order.with_annotation and (fitted is None or fitted.annotation is None):
            words = fitted.problem if fitted else "It has no annotation."
            return self._refused(task, body, Rejection(Reason.ANNOTATION_MISMATCH, words), picture)
        return _Good(task, body, picture, fitted)

    def _save(self, good: _Good) -> Outcome:
        if self._order.permit and not self._order.permit.exists():
            return Outcome(good.task.row, Status.NOT_ATTEMPTED, Reason.INTERRUPTED, TOO_LATE)
        folder = self._folder(good.task.folder)
        image = folder.image(good.task.row.image_code, good.picture.format)
        try:
            written = write_atomic(image, good.body.data, shared=True)
            count = _pair(folder, image, good)
        except OSError as error:
            words = f"It could not be written: {error.strerror}."
            failed = _failed(good.task, good.body, Rejection(Reason.DISK_ERROR, words))
            return replace(failed, disk_full=error.errno in NO_SENSE_IN_GOING_ON)
        return Outcome(
            row=good.task.row,
            status=Status.DOWNLOADED,
            http_status=good.body.http_status,
            attempts=1,
            seconds=good.body.seconds,
            file=f"{folder.images.name}/{image.name}",
            picture=good.picture,
            boxes=count,
            fitted=good.fitted.counts if good.fitted else None,
            modified_ns=written.st_mtime_ns,
            answered_by=good.task.host or host_of(good.body.final_url),
        )

    def _folder(self, name: str) -> CategoryFolder:
        return self._folders.get(name) or self._folders.setdefault(
            name, CategoryFolder(self._order.result_folder / name)
        )

    def _refused(
        self, task: ImageTask, body: Response, rejection: Rejection, picture: Picture | None = None
    ) -> Outcome:
        failed = _failed(task, body, rejection)
        return replace(failed, picture=picture, judged_with=deciding_flag(rejection.reason, self._order))


def _pair(folder: CategoryFolder, image: Path, good: _Good) -> int | None:
    """Give an image that was just written its XML; where that cannot be written, neither of them is there."""
    annotation = good.fitted.annotation if good.fitted else None
    if annotation is None:
        return None
    try:
        return annotation_writer.pair(folder, image, good.picture, annotation)
    except OSError:
        image.unlink(missing_ok=True)
        raise


def _read(piece: TarMemberRef, address: str) -> Response | FetchError:
    """Take an image out of a tar that lies on disk."""
    status = 200 if host_of(address) else 0  # the tar's
    try:
        return Response(tar_members.read(piece.path, piece.member), http_status=status, final_url=address)
    except tar_members.UNREADABLE as error:
        return FetchError(Reason.TRUNCATED, f"It cannot be read from its tar: {error}.")


def _redirected(task: ImageTask, redirect: Redirect) -> Answer:
    """Pass a redirect on; one to a known placeholder need not be followed."""
    known = placeholders.reject_url(redirect.route.address)
    if known is None:
        return TaskRedirected(task.number, redirect)
    seconds = redirect.trail.seconds - task.trail.seconds
    page = FetchError(known.reason, known.sentence, redirect.trail.http_status, seconds=seconds)
    return TaskFinished(task.number, _nothing_came(task, page))


def _nothing_came(task: ImageTask, nothing: FetchError) -> Outcome:
    return replace(
        _failed(task, nothing, Rejection(nothing.reason, nothing.description)),
        retry_after=nothing.retry_after,
        proxy_at_fault=nothing.proxy_at_fault,
        unreached=nothing.unreached,
        dripped=nothing.dripped,
    )


def _failed(task: ImageTask, answer: Response | FetchError, rejection: Rejection) -> Outcome:
    return Outcome(
        row=task.row,
        status=Status.FAILED,
        reason=rejection.reason,
        description=rejection.sentence,
        http_status=answer.http_status,
        attempts=1,
        seconds=answer.seconds,
    )
