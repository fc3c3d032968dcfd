"""Tasks on their way: offered, done by whoever does them, and settled; whose they are, nobody here knows.

On one machine the schedule says which task is next, and a crew does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..fetch import url_rewrites
from ..models.tasks import ImageTask, Outcome, RequestTarget
from ..results.progress import Progress
from ..scheduler.schedule import Schedule
from ..scheduler.scheduled_task import TaskResult
from .messages import Answer, Ready, TaskRedirected, WorkerDied
from .worker_pool import WorkerBackend

WINDOW = 4_096
"""Tasks known to the schedule at once: many, so that a slow host does not hide the others behind it."""
TASKS_A_TURN = 512
ON_DISK = RequestTarget("", "a tar on disk")
"""The way to an image that need not be fetched; no host has a name with blanks."""
LONGEST_WAIT = 0.2
"""Seconds until the loop looks up, for signals and the screen."""
GONE = "The network seems to be gone: no host can be reached any more. Waiting for it, up to a minute ..."
BACK = "Going on."
NARROW = "Images arrive too late: the line is too narrow for so many. Up to {} in flight from now on."


Recover = Callable[[int], Outcome | None]
"""Asked about a task whose worker died: what came of it, if its image was saved before."""


@dataclass
class TaskEvents:
    """What came of tasks in one turn.

    Attributes
    ----------
    settled
        Tasks that are done with.
    ready
        Tasks whose good image waits to be wanted.
    proxy_fault
        What a proxy said that let a task not through, if one did.
    """

    settled: list[TaskResult] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    proxy_fault: Outcome | None = None


class Executor(Protocol):
    """What gets tasks done, one way or another."""

    @property
    def under_way(self) -> Progress:
        """What is being done, and what is done but not told yet."""

    @property
    def idle(self) -> bool:
        """Whether it has no task."""

    @property
    def room(self) -> int:
        """How many more tasks it takes now."""

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""

    def offer(self, task: ImageTask) -> list[TaskResult]:
        """Take a task; says so if it is settled at once."""

    def turn(self, recover: Recover) -> TaskEvents:
        """Go on with everything for a moment."""

    def save(self, number: int) -> None:
        """Tell that a ready image is wanted."""

    def drop(self, numbers: list[int]) -> list[TaskResult]:
        """Forget tasks; gives those that had been begun."""

    def stop(self, recover: Recover) -> TaskEvents:
        """End the work at once; what had been finished is still told."""

    def abandon(self) -> list[TaskResult]:
        """Settle everything that is left as interrupted."""

    def remarks(self) -> Iterator[str]:
        """Yield what the user should know of how it goes, once."""


class LocalExecutor:
    """The traffic of one machine.

    Parameters
    ----------
    batch_size
        Asked all the time how many tasks may be in flight.
    """

    def __init__(self, crew: WorkerBackend, schedule: Schedule, batch_size: Callable[[], int]) -> None:
        self._crew = crew
        self._schedule = schedule
        self._batch_size = batch_size
        self._outage_told = False
        self._least_told: int | None = None

    @property
    def under_way(self) -> Progress:
        """What is being done."""
        return Progress(in_flight=self._schedule.in_flight)

    @property
    def idle(self) -> bool:
        """Whether it has no task."""
        return not (self._schedule.in_flight or self._schedule.waiting)

    @property
    def room(self) -> int:
        """How many more tasks it takes now."""
        return min(TASKS_A_TURN, WINDOW - self._schedule.waiting)

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""
        return self._schedule.waiting + self._schedule.in_flight >= self._schedule.batch_size

    def offer(self, task: ImageTask) -> list[TaskResult]:
        """Take a task, which is to be tried on the best way to its image."""
        best, *others = [ON_DISK] if task.piece else url_rewrites.targets(task.row.url)
        task = replace(task, address=best.address or task.row.url, host="" if task.piece else best.host)
        settled = self._schedule.submit(task, best.host, others[0] if others else None)
        return [settled] if settled else []

    def turn(self, recover: Recover) -> TaskEvents:
        """Start what may start, and hear what came of what is under way."""
        news = TaskEvents(self._schedule.poll(time.monotonic()))
        tasks = self._schedule.start_ready(time.monotonic())
        if tasks:
            self._crew.start(tasks)
        self._hear(self._crew.exchange(0.0 if news.settled else self._patience()), news, recover)
        self._schedule.batch_size = self._batch_size()
        return news

    def save(self, number: int) -> None:
        """Tell that a ready image is wanted."""
        self._crew.save(number)

    def drop(self, numbers: list[int]) -> list[TaskResult]:
        """Forget tasks; gives those that had been begun."""
        self._crew.drop(numbers)
        return self._schedule.cancel(numbers, time.monotonic())

    def stop(self, recover: Recover) -> TaskEvents:
        """End the crew."""
        news = TaskEvents()
        self._hear(self._crew.stop(), news, recover)
        return news

    def abandon(self) -> list[TaskResult]:
        """Settle everything that is left as interrupted."""
        return self._schedule.interrupt()

    def remarks(self) -> Iterator[str]:
        """Yield when the network is gone or back, and when it is too narrow."""
        if self._schedule.in_outage(time.monotonic()) != self._outage_told:
            self._outage_told = not self._outage_told
            yield GONE if self._outage_told else BACK
        most = self._schedule.concurrency_limit
        if most < self._schedule.batch_size and most < (self._least_told or self._schedule.batch_size):
            self._least_told = most
            yield NARROW.format(most)

    def _patience(self) -> float:
        wake_at = self._schedule.next_wakeup()
        return LONGEST_WAIT if wake_at is None else min(LONGEST_WAIT, max(0.0, wake_at - time.monotonic()))

    def _hear(self, answers: Iterable[Answer | WorkerDied], news: TaskEvents, recover: Recover) -> None:
        for answer in answers:
            self._react(answer, news, recover, time.monotonic())

    def _react(self, answer: Answer | WorkerDied, news: TaskEvents, recover: Recover, now: float) -> None:
        if isinstance(answer, WorkerDied):
            news.settled += self._recover(answer, recover, now)
        elif isinstance(answer, Ready):
            self._schedule.arrived(answer.number, now)
            news.ready.append(answer.number)
        elif isinstance(answer, TaskRedirected):
            news.settled += self._schedule.redirect(answer.number, answer.redirect, now)
        else:
            if answer.outcome.proxy_at_fault:
                news.proxy_fault = answer.outcome
            news.settled += self._schedule.finish(answer.number, answer.outcome, now)

    def _recover(self, lost: WorkerDied, recover: Recover, now: float) -> list[TaskResult]:
        """Take back what a dead worker had; an image that it had saved, but not told of, is there."""
        settled, again = [], []
        for number in lost.numbers:
            saved = recover(number)
            if saved:
                settled += self._schedule.finish(number, saved, now)
            else:
                again.append(number)
        return settled + self._schedule.recover_lost(again, killer=lost.killer, now=now)
