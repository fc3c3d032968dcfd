"""Groups tasks into shards: all tasks of a host are in one shard, which applies the limits of the host.

Only a host with more tasks than fit into a shard is spread over several shards, and its limits are divided
among them; it fills half of each at most, so that all shards take about as long.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..fetch import url_rewrites
from ..models.tasks import ImageTask, Outcome
from ..reasons import Reason, Status
from ..scheduler.scheduled_task import GIVEN_UP, TaskResult

MAX_TASKS, MIN_TASKS = 2_000, 200
"""Tasks of a shard: enough that its start does not matter, few enough that its loss does not."""
PARTS = 4
"""The number of shards over which a host with more tasks than fit into one is spread."""
MAX_LOSSES = 8
"""The number of times that a task may be lost with its worker."""
LOST = f"{MAX_LOSSES} workers died while they had it."


@dataclass(frozen=True, eq=False)
class Plan:
    """Tasks for one shard; for `parts`, see `Shard`."""

    tasks: tuple[ImageTask, ...]
    hosts: frozenset[str]
    parts: Mapping[str, int]


@dataclass(slots=True)
class _Host:
    """The waiting tasks of a host.

    Attributes
    ----------
    parts
        The number of shards over which its tasks are spread.
    running
        The number of running shards with its tasks.
    """

    name: str
    waiting: dict[int, ImageTask] = field(default_factory=dict)
    parts: int = 1
    running: int = 0
    given_up: Reason | None = None


class ShardPlanner:
    """Keeps the tasks that are in no shard, and groups them into shards. It does no I/O."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._ready: dict[str, _Host] = {}  # hosts whose tasks may go into a shard, in turn
        self._losses: dict[int, int] = {}
        self._waiting_at: dict[int, _Host] = {}

    @property
    def waiting(self) -> int:
        """The number of tasks that are in no shard."""
        return len(self._waiting_at)

    def submit(self, task: ImageTask) -> list[TaskResult]:
        """Accept a task; if its host has been given up, its result is returned."""
        host = self._host_of(task)
        if host.given_up:
            return [_given_up(task, host.given_up)]
        host.waiting[task.number] = task
        self._waiting_at[task.number] = host
        if host.name not in self._ready:
            self._queue(host)
        return []

    def next_plan(self, workers: int) -> Plan | None:
        """Return the next tasks for one of `workers` workers; None if there are none at present."""
        size = min(MAX_TASKS, max(MIN_TASKS, self.waiting // max(1, workers)))
        tasks: list[ImageTask] = []
        parts: dict[str, int] = {}
        for host in list(self._ready.values()):
            if len(tasks) >= size:
                break
            if not host.running:
                host.parts = PARTS if len(host.waiting) > size else 1
            tasks += self._take(host, size // 2 if host.parts > 1 else size)
            parts[host.name] = host.parts
            host.running += 1
            self._queue(host)
        spread = {name: number for name, number in parts.items() if number > 1}
        return Plan(tuple(tasks), frozenset(parts), spread) if tasks else None

    def top_up(self, plan: Plan, room: int) -> list[ImageTask]:
        """Return more tasks for a running shard, of its own hosts, whose tasks no other shard gets."""
        tasks: list[ImageTask] = []
        for name in plan.hosts:
            host = self._hosts[name]
            if host.running >= host.parts:
                tasks += self._take(host, room - len(tasks))
        return tasks

    def cancel(self, numbers: Iterable[int]) -> None:
        """Remove tasks that are in no shard."""
        for number in numbers:
            self._losses.pop(number, None)
            host = self._waiting_at.pop(number, None)
            if host:
                del host.waiting[number]
                self._queue(host)

    def record(self, result: TaskResult) -> list[TaskResult]:
        """Record the result of a task; if its host was given up, returns results for its waiting tasks."""
        self._losses.pop(result.task.number, None)
        outcome = result.outcome
        untried = outcome.attempts == outcome.http_status == 0 and outcome.reason in GIVEN_UP
        if not untried or len(url_rewrites.targets(result.task.row.url)) > 1:
            return []  # its image has another address
        host = self._host_of(result.task)
        host.given_up = outcome.reason
        left = self._take(host, len(host.waiting))
        self._queue(host)
        return [_given_up(task, outcome.reason) for task in left if outcome.reason]

    def release(
        self, plan: Plan, undone: Iterable[ImageTask] = (), *, lost: bool = False
    ) -> list[TaskResult]:
        """Record that a shard has ended; its undone tasks wait again.

        A task that was `lost` too often with its worker is given up; the results of these are returned.
        """
        for name in plan.hosts:
            host = self._hosts[name]
            host.running -= 1
            self._queue(host)
        results = []
        for task in undone:
            losses = self._losses[task.number] = self._losses.get(task.number, 0) + lost
            if losses < MAX_LOSSES:
                results += self.submit(task)
            else:
                results.append(TaskResult(task, Outcome(task.row, Status.FAILED, Reason.CRASHED, LOST)))
        return results

    def abandon(self) -> list[ImageTask]:
        """Remove all waiting tasks; returns them."""
        left = [task for host in self._hosts.values() for task in host.waiting.values()]
        self._hosts, self._ready, self._waiting_at = {}, {}, {}
        return left

    def _take(self, host: _Host, most: int) -> list[ImageTask]:
        tasks = list(itertools.islice(host.waiting.values(), max(0, most)))
        for task in tasks:
            del host.waiting[task.number], self._waiting_at[task.number]
        return tasks

    def _queue(self, host: _Host) -> None:
        """Move a host to the end of those whose tasks may go into a shard; drop one without tasks."""
        self._ready.pop(host.name, None)
        if host.waiting and host.running < host.parts:
            self._ready[host.name] = host
        elif not (host.waiting or host.running or host.given_up):
            self._hosts.pop(host.name, None)  # there may be a million of them

    def _host_of(self, task: ImageTask) -> _Host:
        name = url_rewrites.targets(task.row.url)[0].host
        return self._hosts.get(name) or self._hosts.setdefault(name, _Host(name))


def _given_up(task: ImageTask, reason: Reason) -> TaskResult:
    return TaskResult(task, Outcome(task.row, Status.FAILED, reason, GIVEN_UP[reason]))
