"""One shard, done as on one machine: the same schedule, the same workers, the same checks.

It can be done twice: images that an earlier try has saved are taken as they are. What is left when the
lease ends is in no segment, and goes out again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DatasetError, DiskError, ProxyError
from ..models import ImageTask, Outcome
from ..results import inventory, pairing, segments
from ..results.inventory import Shelf
from ..results.journal import Journal
from ..results.progress import Progress
from ..run.pool import Crew, Pool
from ..run.traffic import LocalTraffic, News
from ..storage import CategoryFolder, ShardFolder
from ..web.journey import Settled
from ..web.schedule import Schedule
from .shard import Lease, Shard


def work(shard: Shard, lease: Lease, when_waiting: Callable[[], None]) -> None:
    """Do a shard, and leave its segment.

    Parameters
    ----------
    when_waiting
        Called once when few tasks are left, which have more to wait for than to do.

    Raises
    ------
    DatasetError
        If something makes it senseless to go on; what was done until then is in the segment.
    """
    segment = ShardFolder(shard.folder).segment(shard.name)
    if segment.exists() or not lease.holds(Progress()):
        return
    attempt = _Attempt(shard, lease, segment)
    try:
        with Pool(1, shard.order) as crew:
            attempt.run(crew, when_waiting)
    finally:
        with contextlib.suppress(FileNotFoundError):  # the run is over, and its folder gone
            segments.write(segment, attempt.outcomes)


@dataclass
class _Attempt:
    """One try of a shard."""

    shard: Shard
    lease: Lease
    segment: Path
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    _progress: Progress = field(default_factory=Progress)
    _tasks: dict[int, ImageTask] = field(default_factory=dict)
    _shelves: dict[str, Shelf] = field(default_factory=dict)
    _on_disk: dict[str, set[str]] = field(default_factory=dict)

    def run(self, crew: Crew, when_waiting: Callable[[], None]) -> None:
        """Do as much as the lease allows."""
        shard = self.shard
        schedule = Schedule(batch_size=shard.batch_size, retries=shard.retries, parts=shard.parts_of)
        traffic = LocalTraffic(crew, schedule, lambda: shard.batch_size)
        for task in shard.tasks:
            self._tasks[task.number] = task
            saved = self._saved_before(task)
            self._settle([Settled(task, saved)] if saved else traffic.offer(task))
        few = min(len(shard.tasks) // 2, shard.batch_size)
        announced = False
        while not traffic.idle and self._may_go_on(traffic):
            self._take_in(traffic.turn(self._find))
            if len(shard.tasks) - len(self.outcomes) <= few and not announced:
                announced = True
                when_waiting()
        self._take_in(traffic.stop(self._find))

    def _may_go_on(self, traffic: LocalTraffic) -> bool:
        return self.lease.holds(self._progress + traffic.under_way)

    def _take_in(self, news: News) -> None:
        self._settle(news.settled)
        if news.proxy_fault and not self._progress.saved:
            raise ProxyError(f"A worker's proxy does not let it through. {news.proxy_fault.description}")

    def _settle(self, settled: list[Settled]) -> None:
        for one in settled:
            self.outcomes.append((one.task.folder, one.outcome))
            self._progress.count(one.outcome)
            if one.outcome.disk_full:
                raise DiskError(f"{one.outcome.row.image_code} could not be saved. {one.outcome.description}")

    def _saved_before(self, task: ImageTask) -> Outcome | None:
        """Say whether an image was saved by an earlier try, which did not live to tell."""
        if task.folder not in self._on_disk:
            paths = inventory.image_files(self._shelf(task.folder).folder)
            self._on_disk[task.folder] = {path.stem for path in paths}
        return self._find(task.number) if task.row.image_code in self._on_disk[task.folder] else None

    def _find(self, number: int) -> Outcome | None:
        task = self._tasks[number]
        shelf = self._shelf(task.folder)
        found = inventory.find(shelf, task.row)
        return pairing.paired(shelf.folder, found, task.annotation, {}) if found else None

    def _shelf(self, name: str) -> Shelf:
        folder = CategoryFolder(self.shard.order.result_folder / name)
        nothing = Journal(self.segment, read_only=True)  # is not there yet
        return self._shelves.get(name) or self._shelves.setdefault(
            name, Shelf(folder, nothing, self.shard.order.min_side)
        )


def fault_of(error: DatasetError) -> dict[str, str]:
    """Spell an error out for another machine."""
    return {"kind": type(error).__name__, "sentence": str(error)}
