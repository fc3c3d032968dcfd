"""Which tasks go out together: what belongs to one host goes to one place, so that no two need to agree.

Only a host with more tasks than a shard holds is spread over several, and its limits are divided among them;
it has half of each at most, so that all shards take about as long.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..fetch import url_rewrites
from ..models.enums import Status
from ..models.tasks import ImageTask, Outcome
from ..reasons import Reason
from ..scheduler.scheduled_task import GIVEN_UP, TaskResult

LARGEST, SMALLEST = 2_000, 200
"""Tasks of a shard, or up to twice as many: its start does not count, and its loss does not hurt."""
PARTS = 4
"""Over how many shards at once a host is spread that has more tasks than fit into one."""
MOST_LOSSES = 8
"""How often a task goes out and comes back undone."""
LOST = f"{MOST_LOSSES} workers had it, and none lived to tell what became of it."


@dataclass(frozen=True, eq=False)
class Deal:
    """Tasks that go out together; of `parts`, see `Shard`."""

    tasks: tuple[ImageTask, ...]
    hosts: frozenset[str]
    parts: Mapping[str, int]


@dataclass(slots=True)
class _Host:
    """Tasks that wait to go out, over how many shards they are spread, and how many of these are out."""

    name: str
    waiting: dict[int, ImageTask] = field(default_factory=dict)
    parts: int = 1
    out: int = 0
    given_up: Reason | None = None


class ShardPlanner:
    """Keeps tasks until they go out, and again if they come back undone; it neither waits nor sends."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._line: dict[str, _Host] = {}  # those that have tasks and may go out, in turn
        self._losses: dict[int, int] = {}
        self._waiting_at: dict[int, _Host] = {}

    @property
    def waiting(self) -> int:
        """How many tasks wait to go out."""
        return len(self._waiting_at)

    def offer(self, task: ImageTask) -> list[TaskResult]:
        """Take a task in; one for a host that has been given up is settled at once."""
        host = self._host_of(task)
        if host.given_up:
            return [_given_up(task, host.given_up)]
        self._wait(host, task)
        return []

    def deal(self, workers: int) -> Deal | None:
        """Give the next tasks to go out to one of so many workers; None if none may at present."""
        size = min(LARGEST, max(SMALLEST, self.waiting // max(1, workers)))
        tasks: list[ImageTask] = []
        parts: dict[str, int] = {}
        for host in list(self._line.values()):
            if len(tasks) >= size:
                break
            if not host.out:
                host.parts = PARTS if len(host.waiting) > size else 1
            tasks += self._take(host, size // 2 if host.parts > 1 else size)
            parts[host.name] = host.parts
            host.out += 1
            self._line_up(host)
        spread = {name: number for name, number in parts.items() if number > 1}
        return Deal(tuple(tasks), frozenset(parts), spread) if tasks else None

    def more(self, deal: Deal, room: int) -> list[ImageTask]:
        """Give tasks to be added to a deal that is out: of its hosts, which may go nowhere else meanwhile."""
        tasks: list[ImageTask] = []
        for name in deal.hosts:
            host = self._hosts[name]
            if host.out >= host.parts:
                tasks += self._take(host, room - len(tasks))
        return tasks

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget tasks that are not needed any more, where they wait."""
        for number in numbers:
            self._losses.pop(number, None)
            host = self._waiting_at.pop(number, None)
            if host:
                del host.waiting[number]
                self._line_up(host)

    def learn(self, settled: Iterable[TaskResult]) -> list[TaskResult]:
        """Take in what became of tasks that are out; gives those whose hosts turn out not to be there."""
        found = []
        for one in settled:
            self._losses.pop(one.task.number, None)
            found += self._given_up_with(one)
        return found

    def back(self, deal: Deal, undone: Iterable[ImageTask], *, lost: bool = True) -> list[TaskResult]:
        """Take a deal back; what is undone of it waits again.

        It is not tried for ever if it was `lost` with who worked on it.
        """
        for name in deal.hosts:
            host = self._hosts[name]
            host.out -= 1
            self._line_up(host)
        return self._again(undone, lost)

    def abandon(self) -> list[ImageTask]:
        """Give up everything that waits."""
        left = [task for host in self._hosts.values() for task in host.waiting.values()]
        self._hosts, self._line, self._waiting_at = {}, {}, {}
        return left

    def _take(self, host: _Host, most: int) -> list[ImageTask]:
        """Take the first tasks that wait at a host."""
        tasks = list(itertools.islice(host.waiting.values(), max(0, most)))
        for task in tasks:
            del host.waiting[task.number], self._waiting_at[task.number]
        return tasks

    def _again(self, undone: Iterable[ImageTask], lost: bool) -> list[TaskResult]:
        settled = []
        for task in undone:
            losses = self._losses[task.number] = self._losses.get(task.number, 0) + lost
            if losses < MOST_LOSSES:
                settled += self.offer(task)
            else:
                settled.append(TaskResult(task, Outcome(task.row, Status.FAILED, Reason.CRASHED, LOST)))
        return settled

    def _given_up_with(self, settled: TaskResult) -> list[TaskResult]:
        """Send nothing more to a host of which a shard found that it is not there."""
        outcome = settled.outcome
        untried = outcome.attempts == outcome.http_status == 0 and outcome.reason in GIVEN_UP
        if not untried or len(url_rewrites.targets(settled.task.row.url)) > 1:
            return []  # another way to it may be open
        host = self._host_of(settled.task)
        host.given_up = outcome.reason
        left = self._take(host, len(host.waiting))
        self._line_up(host)
        return [_given_up(task, outcome.reason) for task in left if outcome.reason]

    def _wait(self, host: _Host, task: ImageTask) -> None:
        host.waiting[task.number] = task
        self._waiting_at[task.number] = host
        if host.name not in self._line:
            self._line_up(host)

    def _line_up(self, host: _Host) -> None:
        """Put a host at the end of the line, if it has tasks that may go out; forget one that has none."""
        self._line.pop(host.name, None)
        if host.waiting and host.out < host.parts:
            self._line[host.name] = host
        elif not (host.waiting or host.out or host.given_up):
            self._hosts.pop(host.name, None)  # there may be a million of them

    def _host_of(self, task: ImageTask) -> _Host:
        name = url_rewrites.targets(task.row.url)[0].host
        return self._hosts.get(name) or self._hosts.setdefault(name, _Host(name))


def _given_up(task: ImageTask, reason: Reason) -> TaskResult:
    return TaskResult(task, Outcome(task.row, Status.FAILED, reason, GIVEN_UP[reason]))
