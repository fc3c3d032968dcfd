"""The traffic of many machines: tasks go out in shards, and what became of them comes back in segments."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from .. import errors
from ..errors import DatasetError, WorkersLostError, naming_faults
from ..models.tries import ImageTask, Outcome
from ..models.words import Reason, Status
from ..results import segments
from ..results.progress import Progress
from ..run.messages import WorkOrder
from ..run.traffic import News, Recover
from ..storage import ShardFolder
from ..web.hosts import HIGHEST_LIMIT
from ..web.journey import Settled
from .dask_workers import DaskWorkers
from .dealing import LARGEST, Deal, Dealing
from .shard import Shard, give, listen

OUT_PER_SLOT = 4
"""Shards sent for each thread of the workers: one is done, some have only to wait, the next is there."""
KNOWN_PER_SLOT = 4 * LARGEST
"""Tasks known for each thread."""
TASKS_A_TURN = 4_096
LONGEST_WAIT = 0.2
"""Seconds until the loop looks up."""
SILENCE = 60.0
"""Seconds without a heartbeat after which a shard is given to another worker."""
LISTENING_INTERVAL = 1.0
LAST_WORDS = 1.3
"""Seconds that workers have to stop, and to leave what they have; of who has not, what was told counts."""
MOST_FRUITLESS = 5
"""Shards in a row that came back with nothing, beside one for each thread, after which it makes no sense."""
NO_WORKERS = "No Dask worker is there: waiting until one is started, e.g. by `dask worker ADDRESS` ..."
INTERRUPTED = "The run ended before it was there."


@dataclass
class _Out:
    """A shard that is out; `beat` is the last heard of it, `since` when that was new."""

    deal: Deal
    beat: int = 0
    since: float = 0.0
    progress: Progress | None = None


class Fleet:
    """The traffic of the workers of a Dask scheduler; see `Traffic`.

    Parameters
    ----------
    folder
        Where leases and segments of this run lie; it is there.
    batch_size
        Tasks in flight in one shard.
    counts_saved
        Whether progress is what is saved, and not what is tried.
    """

    def __init__(
        self,
        workers: DaskWorkers,
        folder: ShardFolder,
        order: WorkOrder,
        *,
        batch_size: int,
        retries: int,
        counts_saved: bool,
    ) -> None:
        self._workers = workers
        self._folder = folder
        self._order, self._batch_size, self._retries = order, batch_size, retries
        self._counts_saved = counts_saved
        self._dealing = Dealing()
        self._out: dict[str, _Out] = {}
        self._taken: list[Path] = []
        self._names = (f"{number:06}" for number in itertools.count())
        self._offered = self._stopped = False
        self._fruitless = 0
        self._fault: DatasetError | None = None
        self._checked = self._told_to_wait = False
        self._listened = 0.0

    @property
    def under_way(self) -> Progress:
        """What is being done, and what is done but not told yet."""
        heard = [out.progress for out in self._out.values() if out.progress]
        total = reduce(add, heard, Progress())
        total.done = total.saved + (0 if self._counts_saved else total.failed)
        return total

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

    def offer(self, task: ImageTask) -> list[Settled]:
        """Take a task."""
        self._offered = True
        return self._dealing.offer(task)

    def turn(self, recover: Recover) -> News:
        """Send shards, and take in what has come back."""
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
        news = News()
        for name, fault in self._workers.finished(0.0 if more_comes else LONGEST_WAIT):
            news.settled += self._fetch(name, recover)
            self._fault = self._fault or _error(fault)
        news.settled += self._revoke_silent(time.monotonic(), recover)
        return news

    def save(self, number: int) -> None:
        """Do nothing: no worker asks before it saves an image."""

    def drop(self, numbers: list[int]) -> list[Settled]:
        """Do nothing: where nobody asks no more are tried than are missing, and none is ever too many."""
        assert not numbers  # noqa: S101
        return []

    def stop(self, recover: Recover) -> News:
        """Take all leases back, and take in what workers had until then."""
        self._stopped = True
        self._listen()
        begun = [name for name, out in self._out.items() if out.progress]
        self._workers.call_off([name for name in self._out if name not in begun])
        for name in self._out:
            self._folder.lease(name).unlink(missing_ok=True)
        deadline = time.monotonic() + LAST_WORDS
        while begun and time.monotonic() < deadline:
            begun = [name for name in begun if not self._folder.segment(name).exists()]
            time.sleep(0.05)
        news = News()
        for name in list(self._out):
            news.settled += self._fetch(name, recover)
        self._workers.call_off(list(self._out))
        return news

    def abandon(self) -> list[Settled]:
        """Settle everything that is left as interrupted."""
        left = [task for out in self._out.values() for task in out.deal.tasks] + self._dealing.abandon()
        self._out = {}
        self._forget_taken()
        self._folder.remove()
        outcome = (Status.NOT_ATTEMPTED, Reason.INTERRUPTED, INTERRUPTED)
        return [Settled(task, Outcome(task.row, *outcome)) for task in left]

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
            with naming_faults(self._folder.path):
                give(self._folder.lease(shard.name))
            self._out[shard.name] = _Out(deal)
            self._workers.send(shard)

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

    def _fetch(self, name: str, recover: Recover) -> list[Settled]:
        """Take in the segment of a shard, as much as there is of it."""
        out = self._out.pop(name, None)
        if out is None:
            return []  # it was taken away, and given to another
        written = [self._folder.segment_so_far(name), self._folder.segment(name)]
        told = {(at, one.row): one for segment in written for at, one in segments.read(segment)}
        ends = ((task.number, told.get((task.folder, task.row))) for task in out.deal.tasks)
        known = {number: outcome for number, outcome in ends if outcome}
        settled = self._dealing.back(out.deal, known, lost=out.progress is not None and not self._stopped)
        self._count_fruitless(bool(told))
        self._folder.lease(name).unlink(missing_ok=True)
        self._taken += written
        return [_as_it_is(one, recover) for one in settled]

    def _forget_taken(self) -> None:
        """Remove the segments that are in the journals by now."""
        for segment in self._taken:
            segment.unlink(missing_ok=True)
        self._taken = []

    def _count_fruitless(self, has_borne_fruit: bool) -> None:
        self._fruitless = 0 if has_borne_fruit else self._fruitless + 1
        if self._fruitless > MOST_FRUITLESS + self._workers.slots:
            self._fault = self._fault or WorkersLostError(
                f"{self._fruitless} shards in a row came back without anything done. What is done is kept. "
                "See what kills the workers (their memory limit, the queue's time limit), and run again."
            )

    def _listen(self) -> None:
        """Hear how far shards are."""
        for name, out in self._out.items():
            heard = listen(self._folder.lease(name))
            if heard and heard.beat != out.beat:
                out.beat, out.since, out.progress = heard.beat, time.monotonic(), heard.progress

    def _revoke_silent(self, now: float, recover: Recover) -> list[Settled]:
        """Give what silent workers have to others; should one wake up, it finds its lease gone."""
        if now - self._listened < LISTENING_INTERVAL:
            return []
        self._listened = now
        self._listen()
        silent = {name for name, out in self._out.items() if out.progress and now - out.since > SILENCE}
        silent |= self._workers.shun_holders(silent) if silent else set()
        for name in silent:
            self._folder.lease(name).unlink(missing_ok=True)
        self._workers.call_off(silent)
        return [one for name in sorted(silent) for one in self._fetch(name, recover)]


def _as_it_is(settled: Settled, recover: Recover) -> Settled:
    """Look for the image of a task that was given up: who had it may have saved it, and not lived to tell."""
    if settled.outcome.reason is not Reason.CRASHED:
        return settled
    return Settled(settled.task, recover(settled.task.number) or settled.outcome)


def _error(fault: dict[str, str] | None) -> DatasetError | None:
    """Make the error again that ended a shard on another machine; None if none did."""
    if not fault:
        return None
    kind: type[DatasetError] = getattr(errors, fault["kind"], WorkersLostError)
    who = f"The Dask worker {fault['worker']}" if fault["worker"] else "A Dask worker"
    return kind(f"{who} cannot work: {fault['sentence']}")
