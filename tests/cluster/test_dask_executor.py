"""The Dask executor on a simulated cluster: every task gets one result, whatever dies or runs twice."""

from __future__ import annotations

import itertools
import pickle
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.cluster import dask_executor
from utils.cluster.dask_executor import DaskExecutor
from utils.cluster.shard import Shard, ShardEvents
from utils.errors import DiskError, WorkersLostError
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.executor import TaskEvents
from utils.pipeline.messages import CancelTasks, Command, WorkerConfig
from utils.reasons import Reason, Status

CONFIG = WorkerConfig(Path("result"), 5.0, min_side=16, honour_opt_out=True, with_annotation=False)


def is_dead(number: int) -> bool:
    """Whether a task fails: 40 of 100."""
    return number * 7919 % 100 < 40


def make_task(number: int, hosts: str = "aaabcd") -> ImageTask:
    """Make a task of one of several hosts."""
    url = f"http://{hosts[number % len(hosts)]}/{number}.jpg"
    return ImageTask(number, "red", UrlRow(number, f"n00000001_{number}", url))


@dataclass(eq=False)
class FakeFuture:
    """The future of a shard."""

    key: str
    shard: Shard
    status: str = "pending"
    value: str | None = ""
    error: Exception | None = None

    def result(self, timeout: float) -> str | None:
        """Return what the shard returned."""
        return self.value

    def exception(self, timeout: float) -> Exception | None:
        """Return what it raised."""
        return self.error

    def release(self) -> None:
        """Do nothing."""


@dataclass(eq=False)
class Attempt:
    """One attempt of a shard on some worker; a stale one goes on for a while after it was given up."""

    future: FakeFuture
    inbox: str
    commands: deque[Command | None] = field(default_factory=deque)
    left: dict[int, ImageTask] = field(default_factory=dict)
    steps_left: int | None = None


@dataclass
class Cluster:
    """Scheduler, workers and queues; a step is done whenever the executor asks for messages.

    It stands in for the connection, its client, `as_completed` and the messenger.

    Attributes
    ----------
    death_rate
        The probability that an attempt ends in a step.
    is_busy
        Whether no shard is started.
    staged
        The names of all images that were staged and reported.
    """

    rng: random.Random
    death_rate: float = 0.0
    threads: int = 2
    is_alive: bool = True
    is_busy: bool = False
    staged: set[str] = field(default_factory=set)
    pending: list[FakeFuture] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    stale: list[Attempt] = field(default_factory=list)
    ended: list[FakeFuture] = field(default_factory=list)
    messages: deque[tuple[str, str, bytes]] = field(default_factory=deque)
    results: str = "results"
    loop: None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def client(self) -> Cluster:
        """Return the client."""
        return self

    def submit(self, *arguments: Any, key: str, pure: bool) -> FakeFuture:
        """Queue a shard."""
        self.pending.append(FakeFuture(key, pickle.loads(arguments[4])))
        return self.pending[-1]

    def cancel(self, futures: Sequence[FakeFuture], *, force: bool) -> None:
        """Cancel shards; their attempts notice it later."""
        for future in futures:
            if future.status == "pending":
                self._end(future, "cancelled")

    def add(self, future: FakeFuture) -> None:
        """Do nothing: all futures are watched."""

    def next_batch(self, *, block: bool) -> list[FakeFuture]:
        """Return futures that have ended."""
        ended, self.ended = self.ended, []
        return ended

    def send(self, inbox: str, command: Command | None) -> None:
        """Put a command into the queue of an attempt."""
        for attempt in [*self.attempts.values(), *self.stale]:
            if attempt.inbox == inbox:
                attempt.commands.append(command)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function."""
        function()

    def close(self) -> None:
        """Do nothing."""

    def receive(self, timeout: float) -> Iterator[tuple[str, str, bytes]]:
        """Do a step; some messages stay in the queue for later."""
        while self.pending and len(self.attempts) < self.threads and not self.is_busy:
            self._start(self.pending.pop(0))
        for attempt in [*self.attempts.values(), *self.stale]:
            self._step(attempt)
        for _ in range(self.rng.randint(len(self.messages) // 2, len(self.messages))):
            yield self.messages.popleft()

    def _start(self, future: FakeFuture) -> None:
        attempt = Attempt(future, f"inbox-{next(self._names)}")
        self.attempts[future.key] = attempt
        self.messages.append((future.key, attempt.inbox, b""))

    def _step(self, attempt: Attempt) -> None:
        while attempt.commands:
            command = attempt.commands.popleft()
            if command is None:
                self._end(attempt.future, "finished")
                return
            if isinstance(command, CancelTasks):
                for number in command.numbers:
                    attempt.left.pop(number, None)
            else:
                attempt.left |= {task.number: task for task in command.tasks}
        self._report(attempt)
        if attempt.steps_left is not None:
            attempt.steps_left -= 1
            if attempt.steps_left <= 0 and attempt in self.stale:
                self.stale.remove(attempt)
        elif self.rng.random() < self.death_rate:
            self._lose(attempt)

    def _report(self, attempt: Attempt) -> None:
        """Finish some tasks, and report them."""
        numbers = [number for number in attempt.left if self.rng.random() < 0.3]
        outcomes = []
        for number in numbers:
            task = attempt.left.pop(number)
            if is_dead(number):
                outcomes.append((number, Outcome(task.row, Status.FAILED, Reason.TIMEOUT, "No.", attempts=1)))
            else:
                name = f"staged-{next(self._names)}"
                self.staged.add(name)
                good = Outcome(task.row, Status.DOWNLOADED, attempts=1, http_status=200, staged=name)
                outcomes.append((number, good))
        events = ShardEvents(tuple(outcomes), in_flight=len(attempt.left))
        self.messages.append((attempt.future.key, attempt.inbox, pickle.dumps(events)))

    def _lose(self, attempt: Attempt) -> None:
        """Give an attempt up: Dask runs the shard again, or reports its end; the attempt may go on."""
        del self.attempts[attempt.future.key]
        if self.rng.random() < 0.5:
            attempt.steps_left = self.rng.randint(1, 9)
            self.stale.append(attempt)
        if self.rng.random() < 0.5:
            self._start(attempt.future)
        else:
            how = self.rng.choice(["killed process", "killed worker", "lost"])
            attempt.future.value = None if how == "killed process" else ""
            if how == "killed worker":
                from distributed import KilledWorker

                attempt.future.error = KilledWorker("shard", None, 3)
            self._end(attempt.future, {"killed process": "finished", "lost": "lost"}.get(how, "error"))

    def _end(self, future: FakeFuture, status: str) -> None:
        attempt = self.attempts.pop(future.key, None)
        if status == "cancelled" and attempt:
            attempt.steps_left = self.rng.randint(1, 9)
            self.stale.append(attempt)
        self.pending = [one for one in self.pending if one is not future]
        if future.status == "pending":
            future.status = status
            self.ended.append(future)


@pytest.fixture(autouse=True, scope="module")
def simulated() -> Iterator[None]:
    """Replace the parts of Dask, and let shards be given up many times."""
    distributed = pytest.importorskip("distributed")  # takes long, so not when tests are collected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_executor, "_Messenger", lambda client, _name: client)
        patch.setattr(distributed, "as_completed", lambda loop: Watched.cluster)
        patch.setattr(dask_executor, "MAX_EMPTY_SHARDS", 1_000)
        patch.setattr(dask_executor, "CLOSING_TIME", 0.0)
        yield


class Watched:
    """The cluster whose futures are watched."""

    cluster: Cluster


def make_executor(cluster: Cluster) -> DaskExecutor:
    """Make an executor on a cluster."""
    Watched.cluster = cluster
    return DaskExecutor(cluster, Shard(CONFIG, batch_size=8, retries=1))  # type: ignore[arg-type]


def poll_often(executor: DaskExecutor) -> None:
    """Poll until something is raised, or something else is wrong."""
    for _ in range(1_000):
        executor.poll()


@dataclass
class Checked:
    """The results of an executor; a task may have only one."""

    executor: DaskExecutor
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    unused: set[str] = field(default_factory=set)

    def poll(self) -> list[int]:
        """Poll once; returns the tasks that got a result."""
        return self.take(self.executor.poll())

    def take(self, events: TaskEvents) -> list[int]:
        """Take results in."""
        for result in events.results:
            assert result.task.number not in self.outcomes, "two results"
            assert result.outcome.row == result.task.row
            self.outcomes[result.task.number] = result.outcome
        for outcome in events.unused:
            assert outcome.staged not in self.unused
            self.unused.update(filter(None, [outcome.staged]))
        return [result.task.number for result in events.results]

    @property
    def staged(self) -> set[str]:
        """The staged names of results."""
        return {outcome.staged for outcome in self.outcomes.values() if outcome.staged}


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.1]))
@settings(max_examples=25)
def test_every_task_gets_one_result(seed: int, death_rate: float) -> None:
    """Whatever dies or reports late; every staged image belongs to a result, or is reported as unused."""
    rng = random.Random(seed)
    cluster = Cluster(rng, death_rate, threads=rng.randint(1, 4))
    checked = Checked(make_executor(cluster))
    coming = deque(make_task(number) for number in range(rng.randrange(1, 900)))
    count = len(coming)
    while coming or not checked.executor.idle:
        some = [coming.popleft() for _ in range(min(len(coming), rng.randrange(300)))]
        assert not checked.executor.submit(some)
        checked.poll()
    while cluster.messages or cluster.stale or cluster.attempts:
        assert not checked.poll()
    assert sorted(checked.outcomes) == list(range(count))
    for number, outcome in checked.outcomes.items():
        if outcome.reason is not Reason.CRASHED:
            assert (outcome.reason is Reason.TIMEOUT) == is_dead(number)
    assert not checked.staged & checked.unused
    assert checked.staged | checked.unused == cluster.staged
    assert not checked.executor.close().results


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.1]), st.integers(1, 250))
@settings(max_examples=25)
def test_exactly_as_many_as_wanted(seed: int, death_rate: float, wanted: int) -> None:
    """An owner that counts results and cancels the rest gets exactly as many images as it wants."""
    cluster = Cluster(random.Random(seed), death_rate)
    checked = Checked(make_executor(cluster))
    executor, active = checked.executor, set(range(300))
    assert not executor.submit([make_task(number) for number in sorted(active)])
    saved = 0
    while active and saved < wanted:
        for number in checked.poll():
            active.remove(number)
            if checked.outcomes[number].staged and saved < wanted:
                saved += 1
    for result in executor.cancel(sorted(active)):
        assert result.task.number in active
        assert result.outcome.status is Status.SKIPPED
    while not executor.idle:
        assert not checked.poll()
    crashed = sum(one.reason is Reason.CRASHED for one in checked.outcomes.values())
    assert saved == wanted or (not active and saved >= 180 - crashed)


def test_results_count_at_once() -> None:
    """A shard reports while it runs, and gets more tasks of its hosts."""
    cluster = Cluster(random.Random(1), threads=1)
    checked = Checked(make_executor(cluster))
    checked.executor.submit([make_task(number, "a") for number in range(50)])
    while not checked.poll():
        pass
    (shard,) = cluster.attempts
    checked.executor.submit([make_task(number, "a") for number in range(50, 100)])
    while len(checked.outcomes) < 100:
        checked.poll()
        assert set(cluster.attempts) | {one.key for one in cluster.ended} <= {shard}


def test_in_flight_is_what_shards_report() -> None:
    """The sum over all shards; nothing when all is done."""
    cluster = Cluster(random.Random(1))
    checked = Checked(make_executor(cluster))
    checked.executor.submit([make_task(number, "ab") for number in range(60)])
    seen = []
    while not checked.executor.idle:
        checked.poll()
        seen.append(checked.executor.in_flight)
    assert 0 < max(seen) <= 60
    assert seen[-1] == 0


def test_cancelled_before_it_starts() -> None:
    """If all tasks of a waiting shard are cancelled, Dask cancels the shard, and no worker is waited for."""
    cluster = Cluster(random.Random(4), is_busy=True)
    executor = make_executor(cluster)
    executor.submit([make_task(number) for number in range(5)])
    while not cluster.pending:
        executor.poll()
    assert not executor.cancel(list(range(5)))
    executor.poll()
    assert executor.idle
    assert not cluster.pending


def test_close() -> None:
    """What was reported counts, the rest is interrupted; together these are all tasks."""
    checked = Checked(make_executor(Cluster(random.Random(2))))
    checked.executor.submit([make_task(number) for number in range(400)])
    for _ in range(4):
        checked.poll()
    done = len(checked.outcomes)
    assert 0 < done < 400
    checked.take(checked.executor.close())
    assert sorted(checked.outcomes) == list(range(400))
    assert Counter(one.reason for one in checked.outcomes.values())[Reason.INTERRUPTED] == 400 - done


def test_error_of_a_shard_ends_the_run() -> None:
    """With its sentence and class, after the events that came with it."""
    cluster = Cluster(random.Random(3))
    executor = make_executor(cluster)
    executor.submit([make_task(1)])
    executor.poll()
    events = ShardEvents(error=("DiskError", "It does not see /x."))
    cluster.messages.append(("any", "any", pickle.dumps(events)))
    with pytest.raises(DiskError, match=r"A Dask worker cannot work: It does not see /x\."):
        poll_often(executor)


@pytest.mark.parametrize("how", ["exit code", "exception"])
def test_failure_of_a_shard_ends_the_run(how: str) -> None:
    """If its process cannot start, the run ends with the last line of what it wrote."""
    cluster = Cluster(random.Random(3))
    executor = make_executor(cluster)
    executor.submit([make_task(1)])
    while not cluster.attempts:
        executor.poll()
    (attempt,) = cluster.attempts.values()
    sentence = "ModuleNotFoundError: No module named 'pycurl'"
    if how == "exit code":
        attempt.future.value = sentence
    else:
        attempt.future.error = ModuleNotFoundError("No module named 'pycurl'")
    cluster._end(attempt.future, "finished" if how == "exit code" else "error")
    with pytest.raises(WorkersLostError, match=sentence):
        poll_often(executor)


def test_shards_without_any_result_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every worker dies at once, shards are not submitted forever."""
    monkeypatch.setattr(dask_executor, "MAX_EMPTY_SHARDS", 3)
    cluster = Cluster(random.Random(3), death_rate=1.0)
    monkeypatch.setattr(Cluster, "_report", lambda *_: None)
    executor = make_executor(cluster)
    executor.submit([make_task(number, "abcdefgh") for number in range(500)])
    with pytest.raises(WorkersLostError, match="ended without any result"):
        poll_often(executor)


def test_scheduler_that_is_gone() -> None:
    """It ends the run; nothing waits for it when the run closes."""
    cluster = Cluster(random.Random(3))
    executor = make_executor(cluster)
    executor.submit([make_task(1)])
    executor.poll()
    cluster.is_alive = False
    with pytest.raises(WorkersLostError, match="does not answer any more"):
        executor.poll()
    assert [one.outcome.reason for one in executor.close().results] == [Reason.INTERRUPTED]


def test_no_workers() -> None:
    """The user is told once, until there are some."""
    cluster = Cluster(random.Random(3), threads=0)
    executor = make_executor(cluster)
    executor.submit([make_task(1)])
    executor.poll()
    assert list(executor.notices()) == [dask_executor.NO_WORKERS]
    assert list(executor.notices()) == []
    cluster.threads = 1
    assert list(executor.notices()) == []
    while not executor.idle:
        executor.poll()
