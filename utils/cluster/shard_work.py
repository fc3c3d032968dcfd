"""One shard, done as on one machine: the same schedule, the same workers, the same checks.

It can be done twice: what an earlier try has told is not done again, and images that it has saved are taken
as they are. What is left when the lease ends is in no segment, and goes out again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DiskError, FolderError, InputError, ProxyError
from ..models.tries import ImageTask, Outcome
from ..models.words import Status
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

NO_JOURNAL = ".none"
"""No file is called so: the journals are the client's, who alone writes them."""


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
    folder = ShardFolder(shard.folder)
    if not folder.path.is_dir():
        raise InputError(
            f"It does not see {folder.path}: all machines must have --save_dir at the same path."
        )
    segment, so_far = folder.segment(shard.name), folder.segment_so_far(shard.name)
    if segment.exists() or not lease.holds(Progress()):
        return
    attempt = _Attempt(shard, lease, so_far)
    try:
        attempt.tell([])  # who waits for the segment shall find one, even if nothing comes of it
        with Pool(1, replace(shard.order, permit=folder.lease(shard.name))) as crew:
            attempt.run(crew, when_waiting)
    finally:
        with contextlib.suppress(FileNotFoundError):  # the run is over
            so_far.replace(segment)


@dataclass
class _Attempt:
    """One try of a shard; `left` are the tasks of which nothing has been told."""

    shard: Shard
    lease: Lease
    so_far: Path
    left: dict[int, ImageTask] = field(default_factory=dict)
    _progress: Progress = field(default_factory=Progress)
    _shelves: dict[str, Shelf] = field(default_factory=dict)
    _on_disk: dict[str, set[str]] = field(default_factory=dict)

    def run(self, crew: Crew, when_waiting: Callable[[], None]) -> None:
        """Do as much as the lease allows."""
        shard = self.shard
        schedule = Schedule(batch_size=shard.batch_size, retries=shard.retries, parts=shard.parts_of)
        traffic = LocalTraffic(crew, schedule, lambda: shard.batch_size)
        self.left = {task.number: task for task in self._untold()}
        for task in list(self.left.values()):
            saved = self._saved_before(task)
            self._settle([Settled(task, saved)] if saved else traffic.offer(task))
        few = min(len(shard.tasks) // 2, shard.batch_size)
        announced = False
        while not traffic.idle and self._may_go_on(traffic):
            self._take_in(traffic.turn(self._find))
            if len(self.left) <= few and not announced:
                announced = True
                when_waiting()
        self._take_in(traffic.stop(self._find))

    def tell(self, outcomes: list[tuple[str, Outcome]]) -> None:
        """Write outcomes down."""
        with contextlib.suppress(FileNotFoundError):  # the lease is gone, too
            segments.append(self.so_far, outcomes)

    def _untold(self) -> list[ImageTask]:
        """Give the tasks of which an earlier try has not told."""
        told = {(folder, outcome.row) for folder, outcome in segments.read(self.so_far)}
        return [task for task in self.shard.tasks if (task.folder, task.row) not in told]

    def _may_go_on(self, traffic: LocalTraffic) -> bool:
        return self.lease.holds(self._progress + traffic.under_way)

    def _take_in(self, news: News) -> None:
        self._settle(news.settled)
        if news.proxy_fault and not self._progress.saved:
            raise ProxyError(f"Its proxy does not let it through. {news.proxy_fault.description}")

    def _settle(self, settled: list[Settled]) -> None:
        told = [one for one in settled if one.outcome.status is not Status.NOT_ATTEMPTED]
        if told:
            self.tell([(one.task.folder, one.outcome) for one in told])
        for one in told:
            self.left.pop(one.task.number, None)
            self._progress.count(one.outcome)
            if one.outcome.disk_full:
                raise DiskError(f"{one.outcome.row.image_code} could not be saved. {one.outcome.description}")

    def _saved_before(self, task: ImageTask) -> Outcome | None:
        """Say whether an image was saved by an earlier try, which did not live to tell."""
        if task.folder not in self._on_disk:
            self._on_disk[task.folder] = set()
            with contextlib.suppress(OSError):  # nothing can be saved there, and each image will say why
                paths = inventory.image_files(self._shelf(task.folder).folder)
                self._on_disk[task.folder] = {path.stem for path in paths}
        return self._find(task.number) if task.row.image_code in self._on_disk[task.folder] else None

    def _find(self, number: int) -> Outcome | None:
        task = self.left[number]
        shelf = self._shelf(task.folder)
        with contextlib.suppress(OSError, FolderError):  # of one category; the others go on
            found = inventory.find(shelf, task.row)
            return pairing.paired(shelf.folder, found, task.annotation, {}) if found else None
        return None

    def _shelf(self, name: str) -> Shelf:
        if name not in self._shelves:
            folder = CategoryFolder(self.shard.order.result_folder / name)
            nothing = Journal(folder.path / NO_JOURNAL, read_only=True)
            self._shelves[name] = Shelf(folder, nothing)
        return self._shelves[name]
