"""Which URL next: the whole policy of a run, with no I/O and no clock of its own.

Tasks are offered, and wait at their host. `next` gives those that may start, `done` takes what came of
them and says what is settled; whatever may still come well is tried again in time. There are no barriers:
a place that becomes free is given to the next task at once.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque

from .hosts import LONGEST_REST, Host, asks_for_less, waits_too_long
from .journey import Entry, Queue, Settled
from .models import ImageTask, Lasting, Outcome, Reason, Route, Status
from .outage import Outage

FIRST_RETRY = 1.0
"""Seconds until a failed URL is tried again, give or take half; doubled by each further try."""
MOST_CRASHES, MOST_LOSSES = 2, 5
"""How often an image may kill its worker, or be lost with one that something else killed."""


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
    """

    def __init__(self, *, batch_size: int, retries: int, dice: random.Random | None = None) -> None:
        self.batch_size = batch_size
        self._retries = retries
        self._dice = dice or random.Random()
        self._queues: dict[str, Queue] = {}
        self._open: deque[Queue] = deque()
        self._resting: list[tuple[float, int, Queue]] = []
        self._later: list[tuple[float, int, Entry]] = []
        self._entries: dict[int, Entry] = {}
        self._in_flight: set[int] = set()
        self._ticket = itertools.count()
        self._outage = Outage()

    @property
    def in_flight(self) -> int:
        """Tasks started and not ended."""
        return len(self._in_flight)

    def in_outage(self, now: float) -> bool:
        """Whether the network has been gone for a while, so that nothing but a probe is started."""
        return self._outage.is_lasting(now)

    @property
    def waiting(self) -> int:
        """Tasks offered and not in flight."""
        return len(self._entries) - len(self._in_flight)

    def offer(self, task: ImageTask, host: str, fallback: Route | None = None) -> Settled | None:
        """Take a task in; one for a host that has been given up is settled at once.

        Parameters
        ----------
        host
            Of `task.address`.
        fallback
            The way to take if no connection comes about; its failures say nothing of the other's host.
        """
        queue = self._queue(host)
        entry = Entry(task, queue.host, fallback)
        if fallback and queue.host.doubtful and (queue.entries or queue.host.in_flight):
            self._take_fallback(entry)  # one at a time is enough to see whether it is there again
        if entry.host.given_up is Reason.DEAD_HOST:
            self._take_fallback(entry)
        if entry.host.given_up:
            return Settled(task, entry.given_up())
        self._entries[task.number] = entry
        self._enqueue(entry)
        return None

    def next(self, now: float) -> list[ImageTask]:
        """Give the tasks that may start now; they count as started."""
        self._wake(now)
        started: list[ImageTask] = []
        free = self._outage.most_starts(self.batch_size - len(self._in_flight), now)
        while self._open and len(started) < free:
            queue = self._open.popleft()
            queue.listed = False
            entry = self._pop(queue, now)
            if entry is not None:
                started.append(self._start(entry, now))
            self._list(queue, now)
        return started

    def done(self, number: int, outcome: Outcome, now: float) -> list[Settled]:
        """Take what came of a task, and say what is settled by it: itself, others, or nothing yet."""
        entry = self._land(number)
        if entry is None:
            return []
        if self._outage.keeps_back(entry, outcome, now):
            self._list(self._queues[entry.host.name], now)
            return []
        return self.due(now) + self._judge(entry, outcome, now)

    def due(self, now: float) -> list[Settled]:
        """Say what is settled by the time that has passed."""
        for entry in self._outage.to_repeat(now):
            self._repeat(entry, now)
        settled = []
        for kept in self._outage.to_judge(now):
            if kept.entry.task.number in self._entries:
                settled += self._judge(kept.entry, kept.outcome, now)
        return settled

    def _repeat(self, entry: Entry, now: float) -> None:
        if entry.task.number in self._entries:
            self._enqueue(entry, first=True)
            self._list(self._queues[entry.host.name], now)

    def _judge(self, entry: Entry, outcome: Outcome, now: float) -> list[Settled]:
        outcome = entry.take(outcome)
        entry.host.learn(outcome, started=entry.started, now=now)
        asked = self._queues[entry.host.name]
        settled = []
        if entry.fallback and outcome.unreached:
            self._take_fallback(entry)
            self._enqueue(entry)
        elif entry.host.given_up or not self._again(entry, outcome):
            settled.append(self._settle(entry, outcome))
        else:
            self._retry(entry, outcome, now)
        if asked.host.doubtful:
            self._reroute(asked)
        if asked.host.given_up:
            settled += self._give_up(asked.host)
        self._list(asked, now)
        return settled

    def lost(self, numbers: list[int], *, killer: int | None, now: float) -> list[Settled]:
        """Take back the tasks of a worker that died; `killer` is the image that it was judging."""
        settled = []
        for number in numbers:
            entry = self._land(number)
            if entry is None:
                continue
            entry.losses += 1
            entry.crashes += number == killer
            if entry.crashes >= MOST_CRASHES or entry.losses >= MOST_LOSSES:
                settled.append(self._settle(entry, entry.crashed()))
            elif entry.host.given_up:
                settled.append(self._settle(entry, entry.given_up()))
            else:
                self._enqueue(entry, first=True)
            self._list(self._queues[entry.host.name], now)
        return settled

    def drop(self, numbers: list[int], now: float) -> list[Settled]:
        """Forget tasks that are not needed any more; those that were started are settled as skipped."""
        settled = []
        for number in numbers:
            entry = self._entries.get(number)
            if entry is None:
                continue
            entry.dropped = True
            started = entry.attempts > 0 or entry.losses > 0 or number in self._in_flight
            self._land(number)
            outcome = entry.ended(Status.SKIPPED, Reason.FILLED, "As many as wanted were there before it.")
            self._settle(entry, outcome)
            self._list(self._queues[entry.host.name], now)
            if started:
                settled.append(Settled(entry.task, outcome))
        return settled

    def abandon(self) -> list[Settled]:
        """Settle everything that is left as interrupted; nothing remains."""
        left = list(self._entries.values())
        for entry in left:
            entry.dropped = True
            self._land(entry.task.number)
        return [
            self._settle(
                entry,
                entry.ended(Status.NOT_ATTEMPTED, Reason.INTERRUPTED, "The run ended before it was there."),
            )
            for entry in left
        ]

    def wake_at(self) -> float | None:
        """Say when something that waits may start, if that is known; None if only `done` can change it."""
        times = [heap[0][0] for heap in (self._resting, self._later) if heap]
        outage = self._outage.wake_at()
        if self._outage.on:
            return outage
        return min([*times, outage] if outage is not None else times, default=None)

    def _queue(self, host: str) -> Queue:
        return self._queues.get(host) or self._queues.setdefault(host, Queue(Host(host)))

    def _take_fallback(self, entry: Entry) -> None:
        if entry.fallback:
            entry.turn_to(self._queue(entry.fallback.host).host)

    def _reroute(self, queue: Queue) -> None:
        """Turn those that wait at a doubtful host to their other ways."""
        staying = [entry for entry in queue.entries if entry.fallback is None]
        leaving = [entry for entry in queue.entries if entry.fallback and not entry.dropped]
        queue.entries = deque(staying)
        for entry in leaving:
            self._take_fallback(entry)
            self._enqueue(entry)

    def _start(self, entry: Entry, now: float) -> ImageTask:
        entry.started = now
        entry.host.in_flight += 1
        self._in_flight.add(entry.task.number)
        return entry.task

    def _land(self, number: int) -> Entry | None:
        entry = self._entries.get(number)
        if entry is None or number not in self._in_flight:
            return None
        self._in_flight.discard(number)
        entry.host.in_flight -= 1
        return entry

    def _settle(self, entry: Entry, outcome: Outcome) -> Settled:
        del self._entries[entry.task.number]
        return Settled(entry.task, outcome)

    def _again(self, entry: Entry, outcome: Outcome) -> bool:
        passing = outcome.lasting is Lasting.IN_PASSING and outcome.reason is not Reason.DISK_ERROR
        return passing and not waits_too_long(outcome) and entry.attempts_here <= self._retries

    def _retry(self, entry: Entry, outcome: Outcome, now: float) -> None:
        wait = min(FIRST_RETRY * 2 ** (entry.attempts_here - 1), LONGEST_REST) * self._dice.uniform(0.5, 1.5)
        if asks_for_less(outcome) and entry.host.rest_until > now:
            wait = entry.host.rest_until - now
        heapq.heappush(self._later, (now + wait, next(self._ticket), entry))

    def _give_up(self, host: Host) -> list[Settled]:
        left = [e for e in self._entries.values() if e.host is host and e.task.number not in self._in_flight]
        self._queues[host.name].entries.clear()
        settled = []
        for entry in left:
            if entry.fallback and host.doubtful:  # it waits to be tried again, and will be on its other way
                self._take_fallback(entry)
            else:
                entry.dropped = True
                settled.append(self._settle(entry, entry.given_up()))
        return settled

    def _enqueue(self, entry: Entry, *, first: bool = False) -> None:
        queue = self._queues[entry.host.name]
        if first:
            queue.entries.appendleft(entry)
        else:
            queue.entries.append(entry)
        if not queue.listed:
            queue.listed = True
            self._open.append(queue)

    def _list(self, queue: Queue, now: float) -> None:
        """Put a queue where `next` finds it: at the open ones, or at those that rest."""
        if queue.listed or not queue.entries or queue.host.in_flight >= queue.host.limit:
            return
        queue.listed = True
        if queue.host.rest_until > now:
            heapq.heappush(self._resting, (queue.host.rest_until, next(self._ticket), queue))
        else:
            self._open.append(queue)

    def _pop(self, queue: Queue, now: float) -> Entry | None:
        while queue.entries and queue.entries[0].dropped:
            queue.entries.popleft()
        return queue.entries.popleft() if queue.entries and queue.host.may_start(now) else None

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            entry = heapq.heappop(self._later)[2]
            if not entry.dropped:
                self._enqueue(entry)  # behind those that nobody has tried yet: it may well be slow again
        while self._resting and self._resting[0][0] <= now:
            queue = heapq.heappop(self._resting)[2]
            queue.listed = False
            self._list(queue, now)
