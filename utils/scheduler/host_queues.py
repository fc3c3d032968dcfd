"""The queues of waiting tasks: one for each host, and one for tasks that are delayed until a time.

Hosts take turns: every host that has tasks and a free slot stands in the ready line, gives one task when it
reaches the front, and goes to the end. Paused hosts wait beside the line. ImageNet's URLs name up to a
million hosts, so queues of hosts without tasks are dropped; states that differ from a new one are kept.
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
"""Seconds after which an unfinished request counts as hanging."""
MAX_QUEUES = 10_000
"""Number of queues (a kilobyte each) from which on unused ones are dropped."""


@dataclass(slots=True, eq=False)
class HostQueue:
    """The tasks that wait for a host; `is_listed` while it is in the ready line or paused."""

    host: HostState
    tasks: deque[ScheduledTask] = field(default_factory=deque)
    is_listed: bool = False


def undivided(_host: str) -> int:
    """Divide no limits: one run uses the host."""
    return 1


class HostQueues:
    """The queues of all hosts.

    Parameters
    ----------
    parts
        Maps a host's name to the number by which its limits are divided.
    """

    def __init__(self, parts: Callable[[str], int]) -> None:
        self._parts = parts
        self._by_host: dict[str, HostQueue] = {}
        self._idle_hosts: dict[str, HostState] = {}  # remembered without a queue
        self._max_queues = MAX_QUEUES
        self._ready: deque[HostQueue] = deque()
        self._paused: list[tuple[float, int, HostQueue]] = []
        self._delayed: list[tuple[float, int, ScheduledTask]] = []
        self._running: deque[tuple[float, ScheduledTask]] = deque()  # by the time when they start to hang
        self._sequence = itertools.count()

    def host(self, name: str) -> HostState:
        """Return the state of a host; creates it for an unknown one."""
        return self._queue(name).host

    def waiting(self, host: HostState) -> list[ScheduledTask]:
        """Return the tasks that wait for a host."""
        return [task for task in self._queue(host.name).tasks if not task.cancelled]

    def push(self, task: ScheduledTask, *, first: bool = False) -> None:
        """Add a task to the queue of its host, at the end or at the front."""
        queue = self._queue(task.host.name)
        if first:
            queue.tasks.appendleft(task)
        else:
            queue.tasks.append(task)
        if not queue.is_listed:
            queue.is_listed = True
            self._ready.append(queue)

    def push_delayed(self, task: ScheduledTask, at: float) -> None:
        """Keep a task until a time; `wake` returns it then."""
        heapq.heappush(self._delayed, (at, next(self._sequence), task))

    def pop(self, now: float) -> ScheduledTask | None:
        """Return the next task that can start; call `mark_started` and `relist` for it then."""
        while self._ready:
            queue = self._ready.popleft()
            queue.is_listed = False
            tasks = queue.tasks
            while tasks and tasks[0].cancelled:
                tasks.popleft()
            if tasks and queue.host.can_start(now):
                return tasks.popleft()
            self.relist(queue.host, now)
        return None

    def relist(self, host: HostState, now: float) -> None:
        """Put a host that has tasks and a free slot into the ready line, or among the paused hosts."""
        queue = self._queue(host.name)
        if queue.is_listed or not queue.tasks or not host.has_free_slot:
            return
        queue.is_listed = True
        if host.paused_until > now:
            heapq.heappush(self._paused, (host.paused_until, next(self._sequence), queue))
        else:
            self._ready.append(queue)

    def clear(self, host: HostState) -> None:
        """Remove all tasks that wait for a host."""
        self._queue(host.name).tasks.clear()

    def mark_started(self, task: ScheduledTask, now: float) -> None:
        """Count a request to the task's host."""
        task.host.in_flight += 1
        task.hangs_at = now + HANGS_AFTER
        self._running.append((task.hangs_at, task))

    def mark_finished(self, task: ScheduledTask) -> None:
        """Stop counting the request."""
        if task.hangs_at is None:
            return
        task.host.in_flight -= 1
        task.host.hanging -= task.is_hanging
        task.is_hanging, task.hangs_at = False, None

    def wake(self, now: float) -> list[ScheduledTask]:
        """Relist hosts after their pause, find hanging requests, and return delayed tasks that are due."""
        while self._paused and self._paused[0][0] <= now:
            queue = heapq.heappop(self._paused)[2]
            queue.is_listed = False
            self.relist(queue.host, now)
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

    def next_wakeup(self) -> float | None:
        """Return the time at which `wake` has something to do; None if that is not known."""
        while self._running and self._running[0][1].hangs_at != self._running[0][0]:
            self._running.popleft()  # it has finished
        return min(
            (line[0][0] for line in (self._paused, self._delayed, self._running) if line), default=None
        )

    def forget_hosts(self, tasks: Iterable[ScheduledTask], now: float) -> None:
        """If there are many queues, drop those of hosts that none of these tasks uses."""
        if len(self._by_host) < self._max_queues:
            return
        used = {host for task in tasks for host in task.hosts}
        for name, queue in list(self._by_host.items()):
            if queue.host in used or queue.is_listed:
                continue
            del self._by_host[name]
            if not queue.host.can_be_forgotten(now):
                self._idle_hosts[name] = queue.host
        self._max_queues = max(MAX_QUEUES, 2 * len(self._by_host))

    def _queue(self, name: str) -> HostQueue:
        queue = self._by_host.get(name)
        if queue is None:
            state = self._idle_hosts.pop(name, None) or HostState(name, self._parts(name))
            queue = self._by_host[name] = HostQueue(state)
        return queue
