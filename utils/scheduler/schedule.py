"""Which URL next: the whole policy of a run, with no I/O and no clock of its own.

Tasks are offered, and wait at their host. `next` gives those that may start, `done` takes what came of
them and says what is settled; whatever may still come well is tried again in time. There are no barriers:
a place that becomes free is given to the next task at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..models.enums import Status
from ..models.tasks import ImageTask, Outcome, Redirect, RequestTarget
from ..reasons import CUT_SHORT, NOT_NEEDED, Reason
from . import crash_isolation, retries
from .congestion import Congestion
from .crash_isolation import CrashIsolation
from .host_queues import HostQueues, whole
from .host_state import HostState
from .outage import Outage
from .scheduled_task import ScheduledTask, TaskResult

MOST_CRASHES = 2
"""How often an image may kill its worker."""


class Schedule:
    """Keeps the tasks of a run until they are settled.

    Parameters
    ----------
    batch_size
        Tasks in flight at once, at most; may be changed at any time.
    retries
        Further tries after a passing failure.
    dice
        Where the jitter of the waits comes from.
    parts
        Says of a host by how many its limits are divided, where others ask it at the same time.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        retries: int,
        dice: random.Random | None = None,
        parts: Callable[[str], int] = whole,
    ) -> None:
        self.batch_size = batch_size
        self._retries = retries
        self._dice = dice or random.Random()
        self._queues = HostQueues(parts)
        self._quarantine = CrashIsolation()
        self._outage = Outage()
        self._congestion = Congestion()
        self._looked_at = 0.0
        self._entries: dict[int, ScheduledTask] = {}
        self._in_flight: set[int] = set()

    @property
    def in_flight(self) -> int:
        """Tasks started and not ended."""
        return len(self._in_flight)

    @property
    def most_in_flight(self) -> int:
        """How many tasks may be in flight now: the batch size, or fewer if the line is too narrow for it."""
        return self._congestion.most(self.batch_size)

    def in_outage(self, now: float) -> bool:
        """Whether the network has been gone for a while, so that nothing but a probe is started."""
        return self._outage.is_lasting(now)

    @property
    def waiting(self) -> int:
        """Tasks offered and not in flight."""
        return len(self._entries) - len(self._in_flight)

    def offer(self, task: ImageTask, host: str, fallback: RequestTarget | None = None) -> TaskResult | None:
        """Take a task in; one for a host that has been given up is settled at once.

        Parameters
        ----------
        host
            Of `task.address`.
        fallback
            The way to take if no connection comes about; its failures say nothing of the other's host.
        """
        asked = self._queues.host(host)
        entry = ScheduledTask(task, asked, fallback)
        if fallback and asked.doubtful and (self._queues.waiting_at(asked) or asked.in_flight):
            self._take_fallback(entry)  # one at a time is enough to see whether it is there again
        if entry.host.given_up is Reason.DEAD_HOST:
            self._take_fallback(entry)
        if entry.host.given_up:
            return TaskResult(task, entry.given_up())
        self._entries[task.number] = entry
        self._enqueue(entry)
        return None

    def next(self, now: float) -> list[ImageTask]:
        """Give the tasks that may start now; they count as started."""
        self._looked_at = now
        self._queues.forget_hosts(self._entries.values(), now)
        for entry in self._queues.wake(now):
            self._enqueue(entry, first=entry.may_be_slow)
        started: list[ImageTask] = []
        free = self._outage.most_starts(self.most_in_flight - len(self._in_flight), now)
        while len(started) < free:
            one = self._quarantine.take(now) or self._queues.take(now)
            if one is None:
                break
            started.append(self._start(one, now))
            self._queues.line_up(one.host, now)
        return started

    def done(self, number: int, outcome: Outcome, now: float) -> list[TaskResult]:
        """Take what came of a task, and say what is settled by it: itself, others, or nothing yet."""
        entry = self._flying(number)
        if entry is None:
            return []
        if self._outage.keeps_back(entry, outcome, now):
            self._land(entry)
            self._queues.line_up(entry.host, now)
            return []
        settled = self.due(now)  # before it lands: by this, others are settled
        self._land(entry)
        return settled + self._judge(entry, outcome, now)

    def arrived(self, number: int, now: float) -> None:
        """Take note that a task's image waits to be wanted; its host may be asked for the next one."""
        entry = self._flying(number)
        if entry:
            self._queues.come_back(entry)
            self._queues.line_up(entry.host, now)

    def redirected(self, number: int, redirect: Redirect, now: float) -> list[TaskResult]:
        """Let a task that was answered with a redirect wait for the turn of the host it leads to."""
        entry = self._flying(number)
        if entry is None:
            return []
        asked, status = entry.host, redirect.trail.http_status
        answer = Outcome(entry.task.row, Status.NOT_ATTEMPTED, http_status=status)
        self._outage.keeps_back(entry, answer, now)  # never; but it learns that somebody was reached
        settled = self.due(now)
        self._land(entry)
        asked.learn(answer, started=entry.started, now=now)
        entry.follow(redirect, self._queues.host(redirect.route.host))
        if entry.host.given_up:
            settled.append(self._settle(entry, entry.given_up()))
        else:
            self._enqueue(entry, first=True)
        self._queues.line_up(asked, now)
        return settled

    def due(self, now: float) -> list[TaskResult]:
        """Say what is settled by the time that has passed."""
        for entry in self._outage.to_repeat(now):
            self._repeat(entry, now)
        settled = []
        for kept in self._outage.to_judge(now):
            if kept.entry.task.number in self._entries:
                settled += self._judge(kept.entry, kept.outcome, now)
        return settled

    def _repeat(self, entry: ScheduledTask, now: float) -> None:
        if entry.task.number in self._entries:
            self._enqueue(entry, first=True)
            self._queues.line_up(entry.host, now)

    def _judge(self, entry: ScheduledTask, outcome: Outcome, now: float) -> list[TaskResult]:
        asked = entry.host
        asked.learn(outcome, started=entry.started, now=now)
        if self._congestion.excuses(entry, outcome):
            entry.begin_again()
            self._enqueue(entry)
            self._queues.line_up(asked, now)
            return []
        self._congestion.learn(entry, outcome, now=now, in_flight=len(self._in_flight) + 1)
        outcome = entry.take(outcome)
        settled = []
        if entry.fallback and outcome.unreached:
            self._take_fallback(entry)
            self._enqueue(entry)
        elif asked.given_up or not retries.may_help(entry, outcome, self._retries):
            settled.append(self._settle(entry, outcome))
        else:
            self._retry(entry, outcome, now)
        if asked.doubtful:
            self._reroute(asked)
        if asked.given_up:
            settled += self._give_up(asked)
        self._queues.line_up(asked, now)
        return settled

    def lost(self, numbers: list[int], *, killer: int | None, now: float) -> list[TaskResult]:
        """Take back the tasks of a worker that died; `killer` is the image that it was judging."""
        landed = [entry for number in numbers if (entry := self._flying(number))]
        blamed = crash_isolation.to_blame(landed) if killer is None else self._entries.get(killer)
        settled = []
        for entry in landed:
            self._land(entry)
            entry.losses += killer is None
            entry.crashes += entry is blamed
            if entry.crashes >= MOST_CRASHES:
                settled.append(self._settle(entry, entry.crashed()))
            elif entry.host.given_up:
                settled.append(self._settle(entry, entry.given_up()))
            else:
                self._enqueue(entry, first=True)
            self._queues.line_up(entry.host, now)
        return settled

    def drop(self, numbers: list[int], now: float) -> list[TaskResult]:
        """Forget tasks that are not needed any more; those that were started are settled as skipped."""
        settled = []
        for entry in [self._entries[number] for number in numbers if number in self._entries]:
            entry.dropped = True
            self._land(entry)
            end = self._settle(entry, entry.ended(*NOT_NEEDED))
            self._queues.line_up(entry.host, now)
            if entry.starts:
                settled.append(end)
        return settled

    def abandon(self) -> list[TaskResult]:
        """Settle everything that is left as interrupted; nothing remains."""
        left = list(self._entries.values())
        for entry in left:
            entry.dropped = True
            self._land(entry)
        return [self._settle(entry, entry.ended(*CUT_SHORT)) for entry in left]

    def wake_at(self) -> float | None:
        """Say when something that waits may start, if that is known; None if only `done` can change it."""
        outage = self._outage.wake_at()
        if self._outage.on:
            return outage
        times = (self._queues.wake_at(), self._quarantine.wake_at(self._looked_at), outage)
        return min((time for time in times if time is not None), default=None)

    def _take_fallback(self, entry: ScheduledTask) -> None:
        if entry.fallback:
            entry.turn_to(self._queues.host(entry.fallback.host))

    def _reroute(self, host: HostState) -> None:
        """Turn those that wait at a doubtful host to their other ways."""
        waiting = self._queues.waiting_at(host)
        self._queues.empty(host)
        for entry in waiting:
            self._take_fallback(entry)
            self._enqueue(entry)

    def _start(self, entry: ScheduledTask, now: float) -> ImageTask:
        entry.started = now
        entry.starts += 1
        self._queues.set_out(entry, now)
        self._in_flight.add(entry.task.number)
        return entry.task

    def _flying(self, number: int) -> ScheduledTask | None:
        return self._entries.get(number) if number in self._in_flight else None

    def _land(self, entry: ScheduledTask) -> None:
        """Take note that a task is not under way any more, if it was."""
        if entry.task.number in self._in_flight:
            self._in_flight.discard(entry.task.number)
            self._quarantine.landed(entry)
            self._queues.come_back(entry)

    def _settle(self, entry: ScheduledTask, outcome: Outcome) -> TaskResult:
        del self._entries[entry.task.number]
        return TaskResult(entry.task, outcome)

    def _retry(self, entry: ScheduledTask, outcome: Outcome, now: float) -> None:
        due = retries.due(entry, outcome, now, self._dice)
        entry.begin_again()
        self._queues.put_later(entry, due)

    def _give_up(self, host: HostState) -> list[TaskResult]:
        left = [e for e in self._entries.values() if e.host is host and e.task.number not in self._in_flight]
        self._queues.empty(host)
        settled = []
        for entry in left:
            if entry.fallback and host.doubtful:  # it waits to be tried again, and will be on its other way
                self._take_fallback(entry)
            else:
                entry.dropped = True
                settled.append(self._settle(entry, entry.given_up()))
        return settled

    def _enqueue(self, entry: ScheduledTask, *, first: bool = False) -> None:
        if crash_isolation.is_suspect(entry):
            self._quarantine.put(entry)
        else:
            self._queues.put(entry, first=first)
