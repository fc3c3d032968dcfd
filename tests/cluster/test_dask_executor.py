"""What is out on many machines: heard of as it happens, settled once, saved only if wanted, whoever dies."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utils.cluster.mail import Mailbox
from utils.results.shards import ShardFolder

from utils.cluster import dask_executor, shard
from utils.cluster.dask_executor import DaskExecutor
from utils.cluster.shard import Lease, Shard
from utils.errors import DatasetError
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.executor import TaskEvents
from utils.pipeline.messages import CancelTasks, Save, StartTasks, WorkerConfig
from utils.reasons import Reason, Status
from utils.results import segments
from utils.scheduler.scheduled_task import TaskResult

RED = "red"


def is_dead(number: int) -> bool:
    """Whether nothing comes of a task: 40 of 100."""
    return number * 7919 % 100 < 40


@dataclass
class Holder:
    """Whoever works on a shard, a step at a time; a second one knows what the first was told, and told."""

    shard: Shard
    dice: random.Random
    saved: Counter[int]

    def __post_init__(self) -> None:
        self.folder = ShardFolder(self.shard.folder)
        self.lease = Lease(self.shard, lambda: False)
        self.mailbox = Mailbox(self.folder.mail(self.shard.name))
        self.left: dict[int, ImageTask] = {}
        self.asking: set[int] = set()
        self.wanted: set[int] = set()
        told = {outcome.row for _, outcome in segments.read(self.folder.segment_so_far(self.shard.name))}
        self.begin(self.shard.tasks)
        self.obey()
        self.left = {number: one for number, one in self.left.items() if one.row not in told}

    def begin(self, tasks: Iterable[ImageTask]) -> None:
        """Take tasks."""
        self.left |= {one.number: one for one in tasks}

    def obey(self) -> None:
        """Do what the mail says."""
        for command in self.mailbox.new():
            if isinstance(command, StartTasks):
                self.begin(command.tasks)
            elif isinstance(command, Save):
                self.wanted.update(command.numbers)
            elif isinstance(command, CancelTasks):
                for number in command.numbers:
                    self.left.pop(number, None)

    def die(self) -> None:
        """Save some images that are wanted, and do not live to tell."""
        for number in list(self.left):
            if number in self.wanted and self.dice.random() < 0.5:
                self.end(number)

    def step(self) -> bool:
        """Go on for a moment; says whether it has ended."""
        if not self.lease.holds(len(self.left)):
            return True
        self.obey()
        some = [number for number in self.left if self.dice.random() < 0.3]
        told = [self.end(number) for number in some if self.is_ended(number)]
        ready = [number for number in some if number in self.left and number not in self.asking]
        self.asking.update(ready)
        segments.append(self.folder.segment_so_far(self.shard.name), told, ready)
        if not self.left:
            self.leave()
        return not self.left

    def is_ended(self, number: int) -> bool:
        """Whether there is nothing to wait for."""
        return is_dead(number) or not self.left[number].ask_before_saving or number in self.wanted

    def end(self, number: int) -> tuple[str, Outcome]:
        """Bring a task to its end."""
        task = self.left.pop(number)
        if is_dead(number):
            return RED, Outcome(task.row, Status.FAILED, Reason.TIMEOUT, "No.", attempts=1)
        self.saved[number] = 1
        return RED, Outcome(task.row, Status.DOWNLOADED, attempts=1, http_status=200)

    def leave(self) -> None:
        """Give the segment its name."""
        self.folder.segment_so_far(self.shard.name).rename(self.folder.segment(self.shard.name))


@dataclass
class Workers:
    """Workers that do a little whenever they are asked what has ended; some die, and some fall silent."""

    dice: random.Random
    deaths: float = 0.0
    second_tries: float = 0.0
    slots: int = 2
    is_reachable: bool = True
    saved: Counter[int] = field(default_factory=Counter)
    queue: list[Shard] = field(default_factory=list)
    at_work: dict[str, Holder] = field(default_factory=dict)

    def require_what_is_needed(self, _file: Path) -> None:
        """Have it."""

    def send(self, one: Shard) -> None:
        """Take a shard."""
        self.queue.append(one)

    def call_off(self, names: Iterable[str]) -> None:
        """Forget shards."""
        names = set(names)
        self.queue = [one for one in self.queue if one.name not in names]
        for name in names:
            self.at_work.pop(name, None)

    def shun_holders(self, _names: Collection[str]) -> set[str]:
        """Know nothing of who has what."""
        return set()

    def finished(self, _seconds: float) -> list[tuple[str, DatasetError | None]]:
        """Do a little of everything."""
        while self.queue and len(self.at_work) < self.slots:
            one = self.queue.pop(0)
            self.at_work[one.name] = Holder(one, self.dice, self.saved)
        ended: list[tuple[str, DatasetError | None]] = []
        for name, holder in list(self.at_work.items()):
            is_dead = self.dice.random() < self.deaths
            if is_dead:
                holder.die()
            if is_dead and self.dice.random() < self.second_tries:
                self.at_work[name] = Holder(holder.shard, self.dice, self.saved)
            elif is_dead or holder.step():
                del self.at_work[name]
                ended.append((name, None))
        return ended


def task(number: int, *, asks: bool, hosts: str = "aaabcd") -> ImageTask:
    """Make a task of some host."""
    url = f"http://{hosts[number % len(hosts)]}/{number}.jpg"
    return ImageTask(number, RED, UrlRow(number, f"n00000001_{number}", url), ask_before_saving=asks)


def made(workers: Workers, path: Path) -> DaskExecutor:
    """Make a fleet of workers."""
    order = WorkerConfig(path, 5.0, 16, honour_opt_out=True, with_annotation=False, transfers=16)
    (path / "run").mkdir()
    return DaskExecutor(workers, ShardFolder(path / "run"), order, batch_size=8, retries=1)  # type: ignore[arg-type]


def nothing(_number: int) -> None:
    """Find no image of a task whose worker died."""


@pytest.fixture(autouse=True, scope="module")
def hasty() -> Iterable[None]:
    """Listen and beat as often as is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_executor, "LISTENING_INTERVAL", 0.0)
        patch.setattr(dask_executor, "LAST_WORDS", 0.0)
        patch.setattr(dask_executor, "MOST_FRUITLESS", 1_000)
        patch.setattr(dask_executor, "MOST_GIVEN", 250)
        patch.setattr(shard, "HEARTBEAT", 0.0)
        yield


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.1]))
@settings(max_examples=40)
def test_every_task_is_settled_once(seed: int, deaths: float) -> None:
    """Whoever dies, and whenever: each task has one end, and no file of a shard is left."""
    dice = random.Random(seed)
    workers = Workers(dice, deaths, second_tries=0.5)
    with tempfile.TemporaryDirectory() as path:
        many = made(workers, Path(path))
        coming = [task(number, asks=False) for number in range(dice.randrange(1, 900))]
        count, ends = len(coming), Counter[int]()
        while coming or not many.idle:
            for _ in range(min(len(coming), many.room, dice.randrange(300))):
                ends.update(one.task.number for one in many.offer(coming.pop()))
            ends.update(one.task.number for one in many.turn(nothing).settled)
        assert not many.abandon()
        assert list(Path(path).rglob("*")) == []
    assert ends == Counter(range(count))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.1]), st.integers(0, 250))
@settings(max_examples=40)
def test_no_more_is_saved_than_is_wanted(seed: int, deaths: float, wanted: int) -> None:
    """Of many images that wait, as many are saved as were granted, though who had asked may have died."""
    dice = random.Random(seed)
    workers = Workers(dice, deaths, second_tries=0.5)
    with tempfile.TemporaryDirectory() as path:
        many = made(workers, Path(path))
        owner = Owner(many, [task(number, asks=True) for number in range(300)], wanted, workers)
        while not owner.is_content and not (many.idle and not owner.active):
            owner.take_in(many.turn(owner.recover))
        owner.drop_the_rest()
        while not many.idle:
            assert not many.turn(nothing).settled
        many.abandon()
        assert list(Path(path).rglob("*")) == []
    assert owner.there == workers.saved.total() == min(wanted, 180 - owner.crashed), "40 of 100 are dead"


@dataclass
class Owner:
    """Who wants images: it offers tasks, grants what it wants, and drops the rest."""

    many: DaskExecutor
    tasks: list[ImageTask]
    wanted: int
    workers: Workers
    there: int = 0
    crashed: int = 0
    asking: list[int] = field(default_factory=list)
    granted: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.active = {one.number for one in self.tasks}
        for one in self.tasks:
            assert not self.many.offer(one)

    @property
    def is_content(self) -> bool:
        """Whether it has what it wants."""
        return self.there >= self.wanted

    def take_in(self, news: TaskEvents) -> None:
        """Hear what has happened, and grant what may be saved."""
        for one in news.settled:
            self.settle(one)
        assert not set(news.ready) & set(self.asking), "nobody asks twice"
        self.asking += news.ready
        while self.asking and self.there + len(self.granted) < self.wanted:
            number = self.asking.pop(0)
            if number in self.active:
                self.granted.add(number)
                self.many.save(number)

    def recover(self, number: int) -> Outcome | None:
        """Hear that a worker died; what it had saved is there, what was granted must be asked for again."""
        if number in self.asking:
            self.asking.remove(number)
        if number in self.workers.saved:
            return Outcome(self.tasks[number].row, Status.DOWNLOADED)
        self.granted.discard(number)
        return None

    def settle(self, one: TaskResult) -> None:
        """Take an end in."""
        self.active.remove(one.task.number)
        self.granted.discard(one.task.number)
        self.there += one.outcome.status is Status.DOWNLOADED
        self.crashed += one.outcome.reason is Reason.CRASHED and not is_dead(one.task.number)

    def drop_the_rest(self) -> None:
        """Drop what is not needed any more; what somebody had begun is told."""
        dropped = self.many.drop(list(self.active))
        assert {one.task.number for one in dropped} <= self.active
        assert {one.outcome.status for one in dropped} <= {Status.SKIPPED}


def test_what_is_told_counts_at_once(tmp_path: Path) -> None:
    """Nobody waits for the end of a shard to hear of what it has done, and its hosts get more to do."""
    workers = Workers(random.Random(1), slots=1)
    many = made(workers, tmp_path)
    for number in (50, 51):
        assert not is_dead(number)
        many.offer(task(number, asks=True, hosts="a"))  # they wait to be wanted
    ready: list[int] = []
    while len(ready) < 2:
        ready += many.turn(nothing).ready
    assert is_dead(100)
    many.offer(task(100, asks=True, hosts="a"))
    while not (settled := many.turn(nothing).settled):
        assert list(workers.at_work) == ["000000"]
    assert [one.task.number for one in settled] == [100]
    assert list(workers.at_work) == ["000000"]


@pytest.mark.parametrize("second_tries", [0.0, 1.0])
def test_who_was_told_dies(tmp_path: Path, second_tries: float) -> None:
    """A second try of a shard knows what was granted; whoever gets its tasks in another has to ask again."""
    workers = Workers(random.Random(3), second_tries=second_tries)
    many = made(workers, tmp_path)
    many.offer(task(50, asks=True))
    while not many.turn(nothing).ready:
        pass
    many.save(50)
    workers.deaths, workers.dice = 1.0, random.Random(3)
    many.turn(nothing)
    workers.deaths = 0.0
    asked, settled = [], []
    while not settled:
        news = many.turn(nothing)
        asked += news.ready
        settled += news.settled
        for number in news.ready:
            many.save(number)
    assert asked == ([] if second_tries else [50])
    assert [one.outcome.status for one in settled] == [Status.DOWNLOADED]


def test_a_shard_that_is_needed_no_more(tmp_path: Path) -> None:
    """When all of it is dropped before anybody has begun with it, nobody waits for it, nor for a worker."""
    workers = Workers(random.Random(4))
    many = made(workers, tmp_path)
    for number in range(5):
        many.offer(task(number, asks=True))
    many._send()
    assert workers.queue
    assert not many.drop(list(range(5)))
    workers.slots = 0
    many.turn(nothing)
    assert many.idle
    assert not workers.queue


def test_a_run_that_is_stopped(tmp_path: Path) -> None:
    """What was told is settled, the rest is not attempted; both together are all, and nothing is left."""
    workers = Workers(random.Random(2))
    many = made(workers, tmp_path)
    for number in range(400):
        many.offer(task(number, asks=False))
    settled = many.turn(nothing).settled + many.turn(nothing).settled
    settled += many.stop(nothing).settled
    left = many.abandon()
    assert {one.outcome.reason for one in left} == {Reason.INTERRUPTED}
    assert Counter(one.task.number for one in settled + left) == Counter(range(400))
    assert list(tmp_path.rglob("*")) == []
