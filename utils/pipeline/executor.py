"""Executors run tasks; they know nothing about categories.

`LocalExecutor` runs them on this machine: the scheduler decides which task is next, a backend (worker
processes or this process) runs it. `cluster.dask_executor` runs them on other machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..fetch import url_rewrites
from ..models.hosts import LearnedLimit
from ..models.tasks import ImageTask, Outcome
from ..scheduler.host_state import ON_DISK
from ..scheduler.schedule import Schedule
from ..scheduler.scheduled_task import TaskResult
from .limit_notices import LimitNotices
from .messages import Event, TaskRedirected, WorkerDied
from .worker_pool import WorkerBackend

MAX_WAITING = 4_096
"""Tasks that wait in the scheduler: many, so that a slow host does not hide the others behind it."""
MAX_HELD_BACK = 32_768
"""Tasks that may wait in addition, for hosts that limit requests."""
HELD_BACK_INTERVAL = 0.25
"""Seconds for which the list of these tasks is used."""
MAX_SUBMITTED = 512
"""Tasks submitted at once."""
POLL_TIMEOUT = 0.2
"""Seconds until the run checks signals and updates the screen again."""
NETWORK_DOWN = "The network seems to be down: no host can be reached any more. Waiting up to a minute ..."
NETWORK_UP = "The network is up again."
SATURATED = "Network saturated: limiting to {} concurrent downloads."


@dataclass
class TaskEvents:
    """Events of tasks since the last poll.

    Attributes
    ----------
    results
        Tasks that have ended.
    proxy_error
        Why a proxy cannot be used; empty if all can.
    unused
        Outcomes of tasks that had ended or were cancelled before; their staged files are not needed.
    """

    results: list[TaskResult] = field(default_factory=list)
    proxy_error: str = ""
    unused: list[Outcome] = field(default_factory=list)


class Executor(Protocol):
    """Runs tasks."""

    @property
    def in_flight(self) -> int:
        """The number of downloads in progress."""

    @property
    def idle(self) -> bool:
        """Whether it has no task."""

    @property
    def capacity(self) -> int:
        """The number of further tasks that it accepts now."""

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""

    def held_back(self) -> Collection[int]:
        """Return the numbers of tasks that wait for hosts that limit requests, or for all other tasks."""

    def learned_limits(self) -> Mapping[str, LearnedLimit]:
        """Return what hosts allow that have refused requests, by their names."""

    def submit(self, tasks: Sequence[ImageTask]) -> list[TaskResult]:
        """Accept tasks; returns the results of those that end at once."""

    def poll(self) -> TaskEvents:
        """Work for a moment."""

    def cancel(self, numbers: Sequence[int]) -> list[TaskResult]:
        """Cancel tasks; returns those that had been started, as not needed."""

    def close(self) -> TaskEvents:
        """Stop at once; returns what had been finished, and all other tasks as interrupted."""

    def notices(self) -> Iterator[str]:
        """Yield messages for the user, one for each change of the state."""


class LocalExecutor:
    """Runs tasks on this machine.

    Parameters
    ----------
    batch_size
        Called for the number of tasks that may be in flight now.
    """

    def __init__(self, backend: WorkerBackend, schedule: Schedule, batch_size: Callable[[], int]) -> None:
        self._backend = backend
        self._schedule = schedule
        self._batch_size = batch_size
        self._outage_reported = False
        self._lowest_limit_reported: int | None = None
        self._limit_notices = LimitNotices()
        self._held_back: Collection[int] = ()
        self._held_back_until = 0.0

    @property
    def in_flight(self) -> int:
        """The number of downloads in progress."""
        return self._schedule.requests_in_flight

    @property
    def idle(self) -> bool:
        """Whether it has no task."""
        return not (self._schedule.in_flight or self._schedule.waiting)

    @property
    def capacity(self) -> int:
        """The number of further tasks that it accepts now."""
        held_back = min(MAX_HELD_BACK, self._schedule.held_back)
        return min(MAX_SUBMITTED, MAX_WAITING + held_back - self._schedule.waiting)

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""
        startable = self._schedule.waiting - self._schedule.held_back
        return startable + self._schedule.in_flight >= self._schedule.batch_size

    def held_back(self) -> Collection[int]:
        """Return the numbers of tasks that wait for hosts that limit requests, or for all other tasks."""
        now = time.monotonic()
        if now >= self._held_back_until:
            self._held_back = self._schedule.held_back_numbers()
            self._held_back_until = now + HELD_BACK_INTERVAL
        return self._held_back

    def learned_limits(self) -> Mapping[str, LearnedLimit]:
        """Return what hosts allow that have refused requests, by their names."""
        return self._schedule.learned_limits()

    def submit(self, tasks: Sequence[ImageTask]) -> list[TaskResult]:
        """Accept tasks; each is tried at the best known address of its image."""
        return [result for task in tasks if (result := self._submit(task))]

    def _submit(self, task: ImageTask) -> TaskResult | None:
        if task.local_image:
            return self._schedule.submit(replace(task, address=task.row.url), ON_DISK)
        best, *others = url_rewrites.targets(task.row.url)
        task = replace(task, address=best.address, host=best.host)
        return self._schedule.submit(task, best.host, others[0] if others else None)

    def poll(self) -> TaskEvents:
        """Start tasks that may start, and wait a moment for events."""
        events = TaskEvents(self._schedule.poll(time.monotonic()))
        tasks = self._schedule.start_ready(time.monotonic())
        if tasks:
            self._backend.start(tasks)
        wake_at = self._schedule.next_wakeup()
        timeout = POLL_TIMEOUT if wake_at is None else min(POLL_TIMEOUT, max(0.0, wake_at - time.monotonic()))
        self._handle(self._backend.poll(0.0 if events.results else timeout), events)
        self._schedule.batch_size = self._batch_size()
        return events

    def cancel(self, numbers: Sequence[int]) -> list[TaskResult]:
        """Cancel tasks; returns those that had been started, as not needed."""
        self._backend.cancel(numbers)
        return self._schedule.cancel(list(numbers), time.monotonic())

    def close(self) -> TaskEvents:
        """Stop at once; returns what had been finished, and all other tasks as interrupted."""
        events = TaskEvents()
        self._handle(self._backend.stop(), events)
        events.results += self._schedule.interrupt()
        return events

    def notices(self) -> Iterator[str]:
        """Yield when the network goes down, comes up or is saturated, and when a host limits requests."""
        if self._schedule.in_outage(time.monotonic()) != self._outage_reported:
            self._outage_reported = not self._outage_reported
            yield NETWORK_DOWN if self._outage_reported else NETWORK_UP
        limit = self._schedule.concurrency_limit
        if limit < self._schedule.batch_size and limit < (
            self._lowest_limit_reported or self._schedule.batch_size
        ):
            self._lowest_limit_reported = limit
            yield SATURATED.format(limit)
        yield from self._limit_notices.changes(self._schedule.limited_hosts(), time.monotonic())

    def _handle(self, received: Iterable[Event], events: TaskEvents) -> None:
        for event in received:
            now = time.monotonic()
            if isinstance(event, WorkerDied):
                events.results += self._schedule.recover_lost(
                    list(event.numbers), culprit=event.culprit, now=now
                )
            elif isinstance(event, TaskRedirected):
                events.results += self._schedule.redirect(event.number, event.redirect, now)
            else:
                if event.outcome.from_proxy:
                    events.proxy_error = event.outcome.description
                results = self._schedule.finish(event.number, event.outcome, now)
                events.results += results
                if event.outcome.staged and all(one.task.number != event.number for one in results):
                    events.unused.append(event.outcome)  # it was cancelled meanwhile
