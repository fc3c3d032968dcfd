"""The local executor: it connects scheduler and backend, and reports each task once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome, Redirect, RedirectHistory, RequestTarget
from utils.pipeline.executor import LocalExecutor
from utils.pipeline.messages import Event, TaskFinished, TaskRedirected, WorkerDied
from utils.reasons import Reason, Status
from utils.scheduler.schedule import Schedule


@dataclass
class FakeBackend:
    """Records what it is told, and returns the events that it is given."""

    started: list[ImageTask] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __enter__(self) -> FakeBackend:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Start tasks."""
        self.started += tasks

    def cancel(self, numbers: Sequence[int]) -> None:
        """Forget tasks."""
        self.cancelled += numbers

    def poll(self, timeout: float) -> list[Event]:
        """Return the events."""
        events, self.events = self.events, []
        return events

    stop = lambda self: self.poll(0)  # noqa: E731


def make_executor(retries: int = 0) -> tuple[LocalExecutor, FakeBackend]:
    """Make an executor of a backend that does nothing by itself."""
    backend = FakeBackend()
    return LocalExecutor(backend, Schedule(batch_size=8, retries=retries), lambda: 8), backend


def make_task(number: int) -> ImageTask:
    """Make a task of a host of its own."""
    return ImageTask(number, "red", UrlRow(number, f"n00000001_{number}", f"http://h{number}.example/a.jpg"))


def saved(number: int) -> TaskFinished:
    """Make the event of an image that was staged."""
    row = make_task(number).row
    return TaskFinished(
        number, Outcome(row, Status.DOWNLOADED, attempts=1, http_status=200, staged=f"s{number}")
    )


def failed(number: int, reason: Reason = Reason.TIMEOUT) -> TaskFinished:
    """Make the event of an attempt that failed."""
    return TaskFinished(number, Outcome(make_task(number).row, Status.FAILED, reason, "No.", attempts=1))


def test_tasks_are_started_and_reported() -> None:
    """Every task gets one result; a redirect is followed first."""
    executor, backend = make_executor()
    assert not executor.submit([make_task(1), make_task(2), make_task(3)])
    assert executor.idle is False
    executor.poll()
    assert [task.address for task in backend.started] == [f"http://h{n}.example/a.jpg" for n in (1, 2, 3)]
    target = RequestTarget("http://other.example/b.jpg", "other.example:80")
    redirect = TaskRedirected(3, Redirect(target, RedirectHistory(1, 0.1, 302)))
    backend.events = [saved(1), failed(2, Reason.NOT_AN_IMAGE), redirect]
    results = executor.poll().results
    assert {one.task.number: one.outcome.reason for one in results} == {1: None, 2: Reason.NOT_AN_IMAGE}
    executor.poll()
    assert backend.started[-1].address == "http://other.example/b.jpg"
    backend.events = [saved(3)]
    assert [one.task.number for one in executor.poll().results] == [3]
    assert executor.idle


def test_image_of_a_cancelled_task_is_unused() -> None:
    """If it was staged before the worker knew, its staged files are reported to be deleted."""
    executor, backend = make_executor()
    executor.submit([make_task(1), make_task(2)])
    executor.poll()
    results = executor.cancel([1])
    assert [(one.task.number, one.outcome.reason) for one in results] == [(1, Reason.FILLED)]
    assert backend.cancelled == [1]
    backend.events = [saved(1), saved(2)]
    events = executor.poll()
    assert [one.task.number for one in events.results] == [2]
    assert [outcome.staged for outcome in events.unused] == ["s1"]


def test_tasks_of_a_dead_worker_run_again() -> None:
    """They are started again, and get their result then; the culprit of two deaths is given up."""
    executor, backend = make_executor()
    executor.submit([make_task(1), make_task(2)])
    executor.poll()
    backend.events = [WorkerDied((1, 2), culprit=1)]
    assert not executor.poll().results
    executor.poll()
    assert sorted(task.number for task in backend.started) == [1, 1, 2, 2]
    backend.events = [saved(2), WorkerDied((1,), culprit=1)]
    reasons = {one.task.number: one.outcome.reason for one in executor.poll().results}
    assert reasons == {1: Reason.CRASHED, 2: None}
    assert executor.idle


def test_close_reports_all_tasks() -> None:
    """What was finished counts; all other tasks are interrupted, whether they were started or not."""
    executor, backend = make_executor()
    executor.submit([make_task(number) for number in range(20)])
    executor.poll()
    assert len(backend.started) == 8
    done = backend.started[0].number
    backend.events = [saved(done), WorkerDied((backend.started[1].number,), culprit=None)]
    outcomes = {one.task.number: one.outcome for one in executor.close().results}
    assert sorted(outcomes) == list(range(20))
    assert outcomes.pop(done).status is Status.DOWNLOADED
    assert {one.reason for one in outcomes.values()} == {Reason.INTERRUPTED}
