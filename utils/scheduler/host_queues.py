"""The queues of waiting tasks: one for each host, and one for tasks that are delayed until a time.

Hosts are served in turn: every host that has tasks and a free slot is in the ready queue; when it reaches the
front, one of its tasks is started, and it moves to the end. Paused hosts are kept apart. ImageNet's URLs name
up to a million hosts, so those without tasks are forgotten, except if their state differs from a new one.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from ..models.hosts import LearnedLimit
from .host_state import HostState
from .scheduled_task import ScheduledTask

HANGS_AFTER = 3.0
"""Seconds after which an unfinished request counts as hanging."""
MAX_UNUSED = 10_000
"""Number of further hosts (a kilobyte each) after which the unused ones are forgotten."""


class HostQueues:
    """The queues of all hosts.

    Parameters
    ----------
    parts
        Maps a host's name to the number by which its limits are divided; None for 1.
    learned
        What earlier runs have learned, by the names of hosts.

    Attributes
    ----------
    hosts
        The states of all known hosts by name.
    limited
        The hosts that limit requests, by name.
    max_hosts
        Call `forget_hosts` when there are so many.
    """

    def __init__(
        self, parts: Callable[[str], int] | None, learned: Mapping[str, LearnedLimit] | None = None
    ) -> None:
        self._parts = parts
        self._learned = learned or {}
        self.hosts: dict[str, HostState] = {}
        self.limited: dict[str, HostState] = {}
        self.max_hosts = MAX_UNUSED
        self._ready: deque[HostState] = deque()
        self._paused: list[tuple[float, int, HostState]] = []
        self._delayed: list[tuple[float, int, ScheduledTask]] = []
        self._running: deque[tuple[float, ScheduledTask]] = deque()  # by the time when they start to hang
        self._sequence = itertools.count()

    def host(self, name: str) -> HostState:
        """Return the state of a host; creates it for an unknown one."""
        state = self.hosts.get(name)
        if state is None:
            parts = self._parts(name) if self._parts else 1
            state = self.hosts[name] = HostState(name, parts, self._learned.get(name))
            if state.is_limited:
                self.limited[name] = state
        return state

    def in_flight_at(self, name: str) -> int:
        """Return the number of running tasks of a host."""
        host = self.hosts.get(name)
        return host.in_flight if host else 0

    def push(self, task: ScheduledTask, *, first: bool = False) -> None:
        """Add a task to the queue of its host, at the end or at the front."""
        host = task.host
        if host.tasks is None:
            host.tasks = deque()
        if first:
            host.tasks.appendleft(task)
        else:
            host.tasks.append(task)
        if not host.is_listed and host.wake_at is None:
            host.is_listed = True
            self._ready.append(host)

    def push_delayed(self, task: ScheduledTask, at: float) -> None:
        """Keep a task until a time; `wake` returns it then."""
        heapq.heappush(self._delayed, (at, next(self._sequence), task))

    def pop(self, now: float) -> ScheduledTask | None:
        """Return the next task that can start; call `mark_started` and `relist` for it then."""
        while self._ready:
            host = self._ready.popleft()
            host.is_listed = False
            tasks = host.tasks
            while tasks and tasks[0].cancelled:
                tasks.popleft()
            if tasks and host.can_start(now):
                return tasks.popleft()
            self.relist(host, now)
        return None

    def relist(self, host: HostState, now: float) -> None:
        """Put a host that has tasks and may start one into the ready queue, or among the paused hosts."""
        if host.is_listed or not host.tasks:
            return
        next_start = host.next_start() if host.rate_limit else host.paused_until
        if next_start > now:
            if host.wake_at is None or next_start < host.wake_at:
                host.wake_at = next_start
                heapq.heappush(self._paused, (next_start, next(self._sequence), host))
        elif host.can_start(now):
            host.is_listed = True
            self._ready.append(host)

    def mark_started(self, task: ScheduledTask, now: float) -> None:
        """Count the request as hanging from some time on, unless it has finished by then."""
        task.hangs_at = now + HANGS_AFTER
        self._running.append((task.hangs_at, task))

    def wake(self, now: float) -> list[ScheduledTask]:
        """Relist hosts after their pause, find hanging requests, and return delayed tasks that are due."""
        while self._paused and self._paused[0][0] <= now:
            at, _, host = heapq.heappop(self._paused)
            if host.wake_at == at:  # else its pause was shortened
                host.wake_at = None
                self.relist(host, now)
        while self._running and self._running[0][0] <= now:
            hangs_at, task = self._running.popleft()
            if task.hangs_at == hangs_at:  # else that request has finished
                task.is_hanging = True
                task.host.hanging += 1
                self.relist(task.host, now)
        due = []
        while self._delayed and self._delayed[0][0] <= now:
            due.append(heapq.heappop(self._delayed)[2])
        return [task for task in due if not task.cancelled]

    @property
    def waiting_for_limits(self) -> int:
        """The number of tasks that wait for hosts that limit requests."""
        return sum(len(host.tasks or ()) for host in self.limited.values())

    def next_wakeup(self) -> float | None:
        """Return the time at which `wake` has something to do; None if that is not known."""
        while self._running and self._running[0][1].hangs_at != self._running[0][0]:
            self._running.popleft()  # it has finished
        while self._paused and self._paused[0][2].wake_at != self._paused[0][0]:
            heapq.heappop(self._paused)
        return min(
            (times[0][0] for times in (self._paused, self._delayed, self._running) if times), default=None
        )

    def forget_hosts(self, tasks: Iterable[ScheduledTask], now: float) -> None:
        """Forget the hosts that none of these tasks uses, or at least the queues of those to remember."""
        used = set()
        for task in tasks:
            used.add(task.host)
            if task.origin:
                used.add(task.origin[1])
        for host in list(self.hosts.values()):
            if host in used or host.is_listed or host.wake_at is not None:
                continue
            host.tasks = None
            if host.can_be_forgotten(now):
                del self.hosts[host.name]
        self.max_hosts = len(self.hosts) + MAX_UNUSED
