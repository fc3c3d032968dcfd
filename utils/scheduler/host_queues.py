"""Where tasks wait for their turn: at their hosts, hosts in turn, and some until a time.

Nothing is decided here but order: every host with something to do and room for it stands in one line, gives
one task when it comes to the front, and goes to the end. Hosts that rest wait beside it. Of all hosts of
ImageNet, of which there may be a million, only those are remembered that make a difference.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .host_state import HostState
from .scheduled_task import ScheduledTask

HANGS_AFTER = 3.0
"""Seconds after which a request that has not ended keeps no others back."""
MOST_QUEUES = 10_000
"""Queues, a kilobyte each, beyond which those go that nobody needs."""


@dataclass(slots=True, eq=False)
class Queue:
    """The tasks that wait at a host; `listed` while it stands in line or rests."""

    host: HostState
    entries: deque[ScheduledTask] = field(default_factory=deque)
    listed: bool = False


def whole(_host: str) -> int:
    """Divide no host's limits."""
    return 1


class HostQueues:
    """The queues of all hosts.

    Parameters
    ----------
    parts
        Says of a host by how many its limits are divided.
    """

    def __init__(self, parts: Callable[[str], int]) -> None:
        self._parts = parts
        self._by_host: dict[str, Queue] = {}
        self._without_tasks: dict[str, HostState] = {}
        self._most = MOST_QUEUES
        self._line: deque[Queue] = deque()
        self._resting: list[tuple[float, int, Queue]] = []
        self._later: list[tuple[float, int, ScheduledTask]] = []
        self._in_flight: deque[tuple[float, ScheduledTask]] = (
            deque()
        )  # with when they begin to hang, in this order
        self._ticket = itertools.count()

    def host(self, name: str) -> HostState:
        """Give a host's record; an unknown one's is made."""
        return self._queue(name).host

    def waiting_at(self, host: HostState) -> list[ScheduledTask]:
        """Give the tasks that wait for a host's turn."""
        return [entry for entry in self._queue(host.name).entries if not entry.dropped]

    def put(self, entry: ScheduledTask, *, first: bool = False) -> None:
        """Let a task wait at its host, behind all others or before them."""
        queue = self._queue(entry.host.name)
        if first:
            queue.entries.appendleft(entry)
        else:
            queue.entries.append(entry)
        if not queue.listed:
            queue.listed = True
            self._line.append(queue)

    def put_later(self, entry: ScheduledTask, at: float) -> None:
        """Let a task wait until a time; then it goes behind those that nobody has tried yet."""
        heapq.heappush(self._later, (at, next(self._ticket), entry))

    def set_out(self, entry: ScheduledTask, now: float) -> None:
        """Count a request that is sent to the task's host."""
        entry.host.in_flight += 1
        entry.hangs_from = now + HANGS_AFTER
        self._in_flight.append((entry.hangs_from, entry))

    def come_back(self, entry: ScheduledTask) -> None:
        """Count it no more, if it has been until now."""
        if entry.hangs_from is None:
            return
        entry.host.in_flight -= 1
        entry.host.hanging -= entry.hangs
        entry.hangs, entry.hangs_from = False, None

    def take(self, now: float) -> ScheduledTask | None:
        """Give the next task that may start; whoever starts it calls `line_up` for its host."""
        while self._line:
            queue = self._line.popleft()
            queue.listed = False
            entry = _pop(queue, now)
            if entry is not None:
                return entry
            self.line_up(queue.host, now)
        return None

    def line_up(self, host: HostState, now: float) -> None:
        """Put a host where it belongs after something has changed: in line, or to those that rest."""
        queue = self._queue(host.name)
        if queue.listed or not queue.entries or not host.has_room:
            return
        queue.listed = True
        if host.rest_until > now:
            heapq.heappush(self._resting, (host.rest_until, next(self._ticket), queue))
        else:
            self._line.append(queue)

    def empty(self, host: HostState) -> None:
        """Let nobody wait at a host any more."""
        self._queue(host.name).entries.clear()

    def wake(self, now: float) -> list[ScheduledTask]:
        """Let hosts stand in line again that have rested; give the tasks whose time has come."""
        while self._resting and self._resting[0][0] <= now:
            queue = heapq.heappop(self._resting)[2]
            queue.listed = False
            self.line_up(queue.host, now)
        while self._in_flight and self._in_flight[0][0] <= now:
            self._note_hanging(*self._in_flight.popleft(), now)
        due = []
        while self._later and self._later[0][0] <= now:
            due.append(heapq.heappop(self._later)[2])
        return [entry for entry in due if not entry.dropped]

    def wake_at(self) -> float | None:
        """Say when `wake` has something to do; None if that is not known."""
        while self._in_flight and self._in_flight[0][1].hangs_from != self._in_flight[0][0]:
            self._in_flight.popleft()  # it has ended
        return min(
            (line[0][0] for line in (self._resting, self._later, self._in_flight) if line), default=None
        )

    def _note_hanging(self, since: float, entry: ScheduledTask, now: float) -> None:
        if entry.hangs_from == since:
            entry.hangs = True
            entry.host.hanging += 1
            self.line_up(entry.host, now)

    def forget_hosts(self, entries: Iterable[ScheduledTask], now: float) -> None:
        """Let go of the queues of hosts that are none of these tasks', and of what need not be known of them.

        Only when there are many.
        """
        if len(self._by_host) < self._most:
            return
        busy = {host for entry in entries for host in entry.hosts}
        for name, queue in list(self._by_host.items()):
            if queue.host in busy or queue.listed:
                continue
            del self._by_host[name]
            if not queue.host.may_be_forgotten(now):
                self._without_tasks[name] = queue.host
        self._most = max(MOST_QUEUES, 2 * len(self._by_host))

    def _queue(self, name: str) -> Queue:
        known = self._by_host.get(name)
        return known or self._by_host.setdefault(name, Queue(self._host(name)))

    def _host(self, name: str) -> HostState:
        return self._without_tasks.pop(name, None) or HostState(name, self._parts(name))


def _pop(queue: Queue, now: float) -> ScheduledTask | None:
    while queue.entries and queue.entries[0].dropped:
        queue.entries.popleft()
    return queue.entries.popleft() if queue.entries and queue.host.may_start(now) else None
