"""The traffic of many machines: tasks go out in shards, and what becomes of them is told in segments."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import DatasetError, WorkersLostError, wrap_os_errors
from ..models.tasks import ImageTask, Outcome
from ..pipeline.executor import Recover, TaskEvents
from ..pipeline.messages import WorkerConfig
from ..reasons import CUT_SHORT, NOT_NEEDED, Reason
from ..results.progress import Progress
from ..results.shards import ShardFolder
from ..scheduler.host_state import HIGHEST_LIMIT
from ..scheduler.scheduled_task import TaskResult
from .running_shard import RunningShard
from .shard import Shard
from .shard_planner import LARGEST, SMALLEST, Deal, ShardPlanner
from .workers import DaskWorkers

OUT_PER_SLOT = 4
"""Shards sent for each thread of the workers: one is begun, some have had little left, the next is there."""
KNOWN_PER_SLOT = 4 * LARGEST
"""Tasks known for each thread."""
MOST_GIVEN = 10 * LARGEST
"""Tasks that a shard gets in all: what it has told and was told is read again if it is tried again."""
TASKS_A_TURN = 4_096
LONGEST_WAIT = 0.2
"""Seconds until the loop looks up."""
SILENCE = 60.0
"""Seconds without a heartbeat after which a shard is given to another worker."""
LISTENING_INTERVAL = 0.25
"""Seconds between two looks at what those tell who work; more if that takes long."""
LAST_WORDS = 1.3
"""Seconds that workers have to stop, and to leave what they have; of who has not, what was told counts."""
MOST_FRUITLESS = 5
"""Shards in a row that came back with nothing, beside one for each thread, after which it makes no sense."""
NO_WORKERS = "No Dask worker is there: waiting until one is started, e.g. by `dask worker ADDRESS` ..."


class DaskExecutor:
    """The traffic of the workers of a Dask scheduler; see `Executor`.

    Parameters
    ----------
    folder
        Where leases, mail and segments of this run lie; it is there.
    batch_size
        Tasks in flight in one shard.
    """

    def __init__(
        self, workers: DaskWorkers, folder: ShardFolder, order: WorkerConfig, *, batch_size: int, retries: int
    ) -> None:
        self._workers = workers
        self._folder = folder
        self._order, self._batch_size, self._retries = order, batch_size, retries
        self._dealing = ShardPlanner()
        self._out: dict[str, RunningShard] = {}
        self._at: dict[int, str] = {}  # which shard a task is in that is out
        self._asked: set[int] = set()  # tasks that have asked, and whose end is not known
        self._taken: list[Path] = []
        self._names = (f"{number:06}" for number in itertools.count())
        self._offered = self._stopped = False
        self._fruitless = 0
        self._fault: DatasetError | None = None
        self._checked = self._told_to_wait = False
        self._listens_at = 0.0

    @property
    def under_way(self) -> Progress:
        """What is being done."""
        return Progress(in_flight=sum(out.in_flight for out in self._out.values()))

    @property
    def idle(self) -> bool:
        """Whether it has no task."""
        return not (self._dealing.waiting or self._out)

    @property
    def room(self) -> int:
        """How many more tasks it takes now."""
        return max(0, min(TASKS_A_TURN, KNOWN_PER_SLOT * max(1, self._workers.slots) - self._dealing.waiting))

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""
        return self._dealing.waiting >= KNOWN_PER_SLOT // 2 * max(1, self._workers.slots)

    def offer(self, task: ImageTask) -> list[TaskResult]:
        """Take a task."""
        self._offered = True
        return self._dealing.offer(task)

    def turn(self, recover: Recover) -> TaskEvents:
        """Send shards, and take in what is heard of those that are out."""
        self._forget_taken()
        if self._fault:
            raise self._fault
        if not self._workers.is_reachable:
            raise WorkersLostError(
                "The Dask scheduler does not answer any more. What is done is kept: start it and its workers "
                "again, and run the same command to go on."
            )
        more_comes, self._offered = self._offered and self.room > 0, False
        if not more_comes:
            self._send()
        self._post()
        news = TaskEvents()
        for name, fault in self._workers.finished(0.0 if more_comes else LONGEST_WAIT):
            news.settled += self._come_back(name, recover)
            self._fault = self._fault or fault
        now = time.monotonic()
        if now >= self._listens_at:
            self._listen(now, news, recover)
            self._listens_at = time.monotonic() + max(LISTENING_INTERVAL, 4 * (time.monotonic() - now))
        return news

    def save(self, number: int) -> None:
        """Tell that a ready image is wanted."""
        self._out[self._at[number]].want(number)

    def drop(self, numbers: list[int]) -> list[TaskResult]:
        """Forget tasks; gives those that somebody works on."""
        self._dealing.drop(numbers)
        by_shard: dict[str, list[int]] = {}
        for number in numbers:
            self._asked.discard(number)
            if name := self._at.pop(number, None):
                by_shard.setdefault(name, []).append(number)
        begun = []
        for name, some in by_shard.items():
            tasks = self._out[name].drop(some)
            begun += tasks if self._out[name].begun else []
        return [TaskResult(task, Outcome(task.row, *NOT_NEEDED)) for task in begun]

    def stop(self, recover: Recover) -> TaskEvents:
        """Take all leases back, and take in what workers had until then."""
        self._stopped = True
        for out in self._out.values():
            out.listen(time.monotonic())
        begun = {name: out for name, out in self._out.items() if out.begun}
        self._workers.call_off([name for name in self._out if name not in begun])
        for out in self._out.values():
            out.revoke()
        deadline = time.monotonic() + LAST_WORDS
        while time.monotonic() < deadline and not all(out.ended for out in begun.values()):
            time.sleep(0.05)
        names, news = list(self._out), TaskEvents()
        for name in names:
            with contextlib.suppress(DatasetError):  # what cannot be read is left for the next run
                news.settled += self._come_back(name, recover)
        self._workers.call_off(names)
        return news

    def abandon(self) -> list[TaskResult]:
        """Settle everything that is left as interrupted."""
        left = [task for out in self._out.values() for task in out.left.values()] + self._dealing.abandon()
        self._out = {}
        self._forget_taken()
        self._folder.remove()
        return [TaskResult(task, Outcome(task.row, *CUT_SHORT)) for task in left]

    def remarks(self) -> Iterator[str]:
        """Yield when there is no worker."""
        alone = not self._workers.slots
        if alone and not self._told_to_wait:
            yield NO_WORKERS
        self._told_to_wait = alone

    def _send(self) -> None:
        slots = self._workers.slots
        if slots and not self._checked:
            self._workers.require_what_is_needed(self._folder.path)
            self._checked = True
        while len(self._out) < OUT_PER_SLOT * slots:
            deal = self._dealing.deal(slots)
            if deal is None:
                return
            shard = self._shard(deal, slots)
            try:
                with wrap_os_errors(self._folder.path):
                    self._out[shard.name] = RunningShard(shard.name, deal, self._folder)
            except DatasetError:
                self._dealing.back(deal, deal.tasks, lost=False)
                raise
            self._at |= dict.fromkeys(self._out[shard.name].left, shard.name)
            self._workers.send(shard)

    def _post(self) -> None:
        """Tell those that are out what they are to know; those with little left get more of their hosts."""
        for name, out in self._out.items():
            if out.begun and 0 < len(out.left) < SMALLEST:
                room = min(LARGEST // 2 - len(out.left), MOST_GIVEN - out.given)
                more = self._dealing.more(out.deal, room)
                if more:
                    out.add(more)
                    self._at |= dict.fromkeys((task.number for task in more), name)
            with wrap_os_errors(self._folder.path):
                out.post()

    def _shard(self, deal: Deal, slots: int) -> Shard:
        return Shard(
            name=next(self._names),
            folder=self._folder.path,
            order=self._order,
            batch_size=self._batch_size,
            retries=self._retries,
            tasks=deal.tasks,
            hosts=deal.hosts,
            parts=deal.parts,
            parts_elsewhere=min(OUT_PER_SLOT * slots, HIGHEST_LIMIT),
        )

    def _listen(self, now: float, news: TaskEvents, recover: Recover) -> None:
        """Hear how far shards are, and take those back of which nothing is heard."""
        for out in self._out.values():
            out.listen(now)
            if not out.begun:
                continue
            with wrap_os_errors(self._folder.path):
                settled, ready = out.news()
            news.settled += self._settle(settled)
            news.ready += ready - self._asked  # a second try asks again
            self._asked |= ready
        over = self._silent(now) | {name for name, out in self._out.items() if not (out.left or out.begun)}
        self._workers.call_off(over)
        for name in sorted(over):  # should one wake up, or just begin, it finds its lease gone
            news.settled += self._come_back(name, recover)
        news.ready = [number for number in news.ready if number in self._at]

    def _silent(self, now: float) -> set[str]:
        """Find shards of which nothing is heard, and those that wait for the same workers.

        What these workers have begun, and is still heard of, comes back by itself.
        """
        silent = {name for name, out in self._out.items() if out.begun and now - out.heard_at > SILENCE}
        theirs = self._workers.shun_holders(silent) & self._out.keys() if silent else set()
        for name in theirs - silent:
            self._out[name].revoke()
        return silent | {name for name in theirs if not self._out[name].begun}

    def _come_back(self, name: str, recover: Recover) -> list[TaskResult]:
        """Take a shard back, with as much of its segment as there is."""
        if name not in self._out:
            return []  # it was taken away, and given to another
        self._out[name].revoke()
        rest = self._out[name].rest()
        out = self._out.pop(name)
        settled = self._settle([*rest, *self._saved_untold(out, recover)])
        for number in out.left:
            del self._at[number]
        lost = out.begun and not (out.ended or self._stopped)
        again = self._dealing.back(out.deal, out.left.values(), lost=lost)
        self._count_fruitless(out.bore_fruit or not out.left)
        self._taken += out.files()
        return settled + [_as_it_is(one, recover) for one in again]

    def _saved_untold(self, out: RunningShard, recover: Recover) -> list[TaskResult]:
        """Find what was granted and saved, though nobody told of it; what was not saved must ask again."""
        asked = self._asked.intersection(out.left)
        self._asked -= asked
        found = {number: outcome for number in asked if (outcome := recover(number))}
        return [TaskResult(out.left.pop(number), outcome) for number, outcome in found.items()]

    def _settle(self, settled: list[TaskResult]) -> list[TaskResult]:
        for one in settled:
            del self._at[one.task.number]
            self._asked.discard(one.task.number)
        return settled + self._dealing.learn(settled)

    def _forget_taken(self) -> None:
        """Remove the segments that are in the journals by now."""
        for path in self._taken:
            path.unlink(missing_ok=True)
        self._taken = []

    def _count_fruitless(self, has_borne_fruit: bool) -> None:
        self._fruitless = 0 if has_borne_fruit else self._fruitless + 1
        if self._fruitless > MOST_FRUITLESS + self._workers.slots:
            self._fault = self._fault or WorkersLostError(
                f"{self._fruitless} shards in a row came back without anything done. What is done is kept. "
                "See what kills the workers (their memory limit, the queue's time limit), and run again."
            )


def _as_it_is(settled: TaskResult, recover: Recover) -> TaskResult:
    """Look for the image of a task that was given up: who had it may have saved it, and not lived to tell."""
    if settled.outcome.reason is not Reason.CRASHED:
        return settled
    return TaskResult(settled.task, recover(settled.task.number) or settled.outcome)
