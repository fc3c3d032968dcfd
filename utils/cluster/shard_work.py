"""One shard, done as on one machine: the same schedule, the same workers, the same checks.

It can be done twice: what an earlier try has told is not done again, and images that it has saved are taken
as they are. What is left when the lease ends is in no segment, and goes out again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DiskError, FolderError, InputError, ProxyError
from ..models.enums import Status
from ..models.rows import UrlRow
from ..models.tasks import ImageTask, Outcome
from ..pipeline.executor import LocalExecutor, TaskEvents
from ..pipeline.messages import CancelTasks, Command, StartTasks
from ..pipeline.worker_pool import WorkerPool
from ..results import annotation_writer, reconcile, segments
from ..results.journal import Journal
from ..results.paths import CategoryFolder
from ..results.reconcile import CategoryStore
from ..results.shards import ShardFolder
from ..scheduler.schedule import Schedule
from ..scheduler.scheduled_task import TaskResult
from .mail import Mailbox
from .shard import Lease, Shard

LOOKING_INTERVAL = 0.25
"""Seconds between two looks into the mailbox."""
PATIENCE = 60.0
"""Seconds that an image waits to be wanted while others wait for its place; then it is fetched again, later:
one that is wanted may be behind it, if it was lost with an earlier try."""
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
    if segment.exists() or not lease.holds(0):
        return
    schedule = Schedule(batch_size=shard.batch_size, retries=shard.retries, parts=shard.parts_of)
    with WorkerPool(1, replace(shard.order, permit=folder.lease(shard.name))) as crew:
        traffic = LocalExecutor(crew, schedule, lambda: shard.batch_size)
        attempt = _Attempt(shard, lease, so_far, traffic, Mailbox(folder.mail(shard.name)))
        attempt.run(when_waiting)
    if lease.is_gone or not attempt.left:  # else another try may be under way, and adding to it
        with contextlib.suppress(FileNotFoundError):  # the run is over
            so_far.replace(segment)


@dataclass
class _Attempt:
    """One try of a shard.

    Attributes
    ----------
    left
        The tasks of which nothing has been told, by number.
    """

    shard: Shard
    lease: Lease
    so_far: Path
    traffic: LocalExecutor
    mailbox: Mailbox
    left: dict[int, ImageTask] = field(default_factory=dict)
    _wanted: set[int] = field(default_factory=set)
    _asking: dict[int, float] = field(default_factory=dict)
    _looked: float = 0.0
    _is_over: bool = False
    _saved_any: bool = False
    _shelves: dict[str, CategoryStore] = field(default_factory=dict)
    _on_disk: dict[str, set[str]] = field(default_factory=dict)

    def run(self, when_waiting: Callable[[], None]) -> None:
        """Do as much as the lease allows."""
        told = {(folder, outcome.row) for folder, outcome in segments.read(self.so_far)}
        self._obey([StartTasks(self.shard.tasks), *self.mailbox.new()], told)  # an earlier try's mail, too
        few = min(len(self.shard.tasks) // 2, self.shard.batch_size)
        announced = False
        while self._has_more() and self.lease.holds(self.traffic.under_way.in_flight) and not self._is_over:
            self._take_in(self.traffic.turn(self._find))
            self._look(time.monotonic())
            if len(self.left) <= few and not announced:
                announced = True
                when_waiting()
        self._take_in(self.traffic.stop(self._find))

    def _has_more(self) -> bool:
        """Whether there is something to do; if not, the last look is into the mailbox."""
        if self.traffic.idle:
            self._obey(self.mailbox.new())
        return not self.traffic.idle

    def _look(self, now: float) -> None:
        """Do now and then what the mail says."""
        if now - self._looked >= LOOKING_INTERVAL:
            self._looked = now
            self._obey(self.mailbox.new())
            self._make_room([number for number, since in self._asking.items() if now - since >= PATIENCE])

    def _make_room(self, asking: list[int]) -> None:
        """Put images that nobody has wanted so far behind those that wait for their places."""
        if asking and len(self.left) > self.traffic.under_way.in_flight:
            tasks = [self.left[number] for number in asking]
            self._drop(asking)
            self._begin(tasks)

    def _obey(self, commands: Iterable[Command], told: Collection[tuple[str, UrlRow]] = ()) -> None:
        """Do what is commanded, but nothing that an earlier try has told of."""
        for command in commands:
            if isinstance(command, StartTasks):
                self._begin([task for task in command.tasks if (task.folder, task.row) not in told])
            elif isinstance(command, CancelTasks):
                self._drop(list(command.numbers))
            else:
                self._save(command.numbers)

    def _begin(self, tasks: Sequence[ImageTask]) -> None:
        for task in tasks:
            self.left[task.number] = task
            saved = self._saved_before(task)
            self._settle([TaskResult(task, saved)] if saved else self.traffic.offer(task))

    def _save(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._wanted.add(number)
            self._asking.pop(number, None)
            self.traffic.save(number)

    def _drop(self, numbers: list[int]) -> None:
        self.traffic.drop(numbers)  # whoever does not need them any more has noted so
        for number in numbers:
            self.left.pop(number, None)
            self._asking.pop(number, None)

    def _ask(self, ready: Sequence[int]) -> None:
        """Ask whether images are wanted, but not again where that is known: a worker may have died since."""
        self._save(number for number in ready if number in self._wanted)
        asking = dict.fromkeys((one for one in ready if one not in self._wanted), time.monotonic())
        if asking:
            self._asking |= asking
            self._tell([], list(asking))

    def _tell(self, outcomes: list[tuple[str, Outcome]], ready: Sequence[int] = ()) -> None:
        try:
            segments.append(self.so_far, outcomes, ready)
        except FileNotFoundError:  # it was taken in, or another try has done all of it
            self._is_over = True

    def _take_in(self, news: TaskEvents) -> None:
        self._settle(news.settled)
        self._ask(news.ready)
        if news.proxy_fault and not self._saved_any:
            raise ProxyError(f"Its proxy does not let it through. {news.proxy_fault.description}")

    def _settle(self, settled: list[TaskResult]) -> None:
        told = [one for one in settled if one.outcome.status is not Status.NOT_ATTEMPTED]
        if told:
            self._tell([(one.task.folder, one.outcome) for one in told])
        for one in told:
            self.left.pop(one.task.number, None)
            self._asking.pop(one.task.number, None)
            self._saved_any |= one.outcome.status is Status.DOWNLOADED
            if one.outcome.disk_full:
                raise DiskError(f"{one.outcome.row.image_code} could not be saved. {one.outcome.description}")

    def _saved_before(self, task: ImageTask) -> Outcome | None:
        """Say whether an image was saved by an earlier try, which did not live to tell."""
        if task.folder not in self._on_disk:
            self._on_disk[task.folder] = set()
            with contextlib.suppress(OSError):  # nothing can be saved there, and each image will say why
                paths = reconcile.image_files(self._shelf(task.folder).folder)
                self._on_disk[task.folder] = {path.stem for path in paths}
        return self._find(task.number) if task.row.image_code in self._on_disk[task.folder] else None

    def _find(self, number: int) -> Outcome | None:
        task = self.left[number]
        shelf = self._shelf(task.folder)
        with contextlib.suppress(OSError, FolderError):  # of one category; the others go on
            found = reconcile.find(shelf, task.row)
            return annotation_writer.paired(shelf.folder, found, task.annotation, {}) if found else None
        return None

    def _shelf(self, name: str) -> CategoryStore:
        if name not in self._shelves:
            folder = CategoryFolder(self.shard.order.result_folder / name)
            nothing = Journal(folder.path / NO_JOURNAL, read_only=True)
            self._shelves[name] = CategoryStore(folder, nothing)
        return self._shelves[name]
