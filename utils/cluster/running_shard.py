"""A shard that is out, as the run sees it: what is left of it, what is heard of it, and what it is told.

Its files are there before it goes out, for some file systems remember for half a minute that one was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..models.tasks import ImageTask
from ..pipeline.messages import CancelTasks, Command, Save, StartTasks
from ..results import segments
from ..results.journal_codec import Tail
from ..results.shards import ShardFolder
from ..scheduler.scheduled_task import TaskResult
from . import mail
from .shard import give, listen
from .shard_planner import Deal


class RunningShard:
    """A shard that is out.

    Attributes
    ----------
    deal
        What went out first.
    given
        How many tasks it has been given in all.
    left
        Those of which nothing has been told, by number.
    in_flight
        How many images it was fetching when it was last heard.
    beat, heard_at
        Its last heartbeat, 0 before the first, and when that was new.
    bore_fruit
        Whether it has told of anything.

    Raises
    ------
    OSError
        If its files cannot be made; later, if what is told cannot be written.
    """

    def __init__(self, name: str, deal: Deal, folder: ShardFolder) -> None:
        self.deal = deal
        self.left: dict[int, ImageTask] = {}
        self.given = self.in_flight = self.beat = 0
        self.heard_at = 0.0
        self.bore_fruit = False
        self._numbers: dict[object, int] = {}
        self._lease, self._mail = folder.lease(name), folder.mail(name)
        self._so_far, self._segment = folder.segment_so_far(name), folder.segment(name)
        self._tail = Tail(self._so_far)
        self._letters: list[Command] = []
        self._take_in(deal.tasks)
        for path in (self._mail, self._so_far):
            path.touch()
        give(self._lease)

    @property
    def begun(self) -> bool:
        """Whether somebody works on it, or has."""
        return self.beat > 0

    @property
    def ended(self) -> bool:
        """Whether its segment is there as a whole."""
        return self._segment.exists()

    def listen(self, now: float) -> None:
        """Hear whether it is being worked on."""
        heard = listen(self._lease)
        if heard and heard.beat != self.beat:
            self.beat, self.in_flight, self.heard_at = heard.beat, heard.in_flight, now

    def news(self) -> tuple[list[TaskResult], set[int]]:
        """Give what it has told since it was last asked: ends of tasks, and tasks that wait to be wanted.

        Raises
        ------
        OSError
            If that cannot be read.
        """
        told = segments.told(self._tail.new())
        return self._settled(told), self.left.keys() & told.ready

    def rest(self) -> list[TaskResult]:
        """Give what it has told in the end, and was not read before.

        Raises
        ------
        DiskError, FolderError
            If that cannot be read.
        """
        written = [segments.read(path) for path in (self._so_far, self._segment)]
        return [one for outcomes in written for one in self._settled(segments.Told(outcomes))]

    def add(self, tasks: Sequence[ImageTask]) -> None:
        """Let it do more."""
        self._take_in(tasks)
        self._letters.append(StartTasks(tuple(tasks)))

    def want(self, number: int) -> None:
        """Let it save an image."""
        self._letters.append(Save((number,)))

    def drop(self, numbers: Sequence[int]) -> list[ImageTask]:
        """Let it forget tasks; gives them."""
        self._letters.append(CancelTasks(tuple(numbers)))
        tasks = [self.left.pop(number) for number in numbers]
        for task in tasks:
            del self._numbers[task.folder, task.row]
        if not self.left:
            self.revoke()
        return tasks

    def post(self) -> None:
        """Send what it is to be told."""
        if self._letters:
            mail.send(self._mail, self._letters)
            self._letters = []

    def revoke(self) -> None:
        """Let nobody work on it any more."""
        self._lease.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """Give what is to be removed when what it told is in the journals."""
        return [self._mail, self._so_far, self._segment]

    def _take_in(self, tasks: Iterable[ImageTask]) -> None:
        for task in tasks:
            self.given += 1
            self.left[task.number] = task
            self._numbers[task.folder, task.row] = task.number

    def _settled(self, told: segments.Told) -> list[TaskResult]:
        self.bore_fruit |= bool(told.outcomes)
        ends = ((self._numbers.pop((folder, one.row), None), one) for folder, one in told.outcomes)
        return [TaskResult(self.left.pop(number), one) for number, one in ends if number in self.left]
