"""The process of a shard, through real pipes: what it reports, and how it ends."""

from __future__ import annotations

import contextlib
import io
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.machine import process_group, wait_until
from tests.project import ROOT
from utils.cluster import code_bundle, remote_task
from utils.cluster.remote_task import SECEDE, read_frame, unpack, write_frame
from utils.cluster.shard import Shard, ShardEvents
from utils.models.hosts import LearnedLimit
from utils.models.images import Annotation, Box
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.messages import CancelTasks, Command, StartTasks, WorkerConfig
from utils.reasons import Reason, Status
from utils.results.staging import STAGING_NAME, XML_SUFFIX

CODE = "n00000001"
IMAGES = 12


@dataclass
class Process:
    """A running shard process.

    Attributes
    ----------
    seceded
        How often it has told that it mostly waits.
    errors
        What its messages say about errors.
    learned
        What they say about hosts that limit requests.
    """

    process: subprocess.Popen[bytes]
    seceded: int = 0
    errors: tuple[tuple[str, str], ...] = ()
    learned: dict[str, LearnedLimit] = field(default_factory=dict)

    def send(self, *commands: Command | None) -> None:
        """Send commands."""
        assert self.process.stdin
        for command in commands:
            write_frame(self.process.stdin, pickle.dumps(command))

    def read(self, enough: Callable[[dict[int, Outcome]], bool] = lambda _: False) -> dict[int, Outcome]:
        """Read outcomes, by task number, until there are enough or the process ends."""
        assert self.process.stdout
        outcomes: dict[int, Outcome] = {}
        while not enough(outcomes) and (frame := read_frame(self.process.stdout)) is not None:
            if frame == SECEDE:
                self.seceded += 1
                continue
            events: ShardEvents = pickle.loads(frame)
            self.learned |= events.learned
            self.errors += (events.error,) if events.error else ()
            assert not outcomes.keys() & dict(events.outcomes)
            outcomes |= dict(events.outcomes)
        return outcomes


@pytest.fixture
def shard(tmp_path: Path, web: Web) -> Shard:
    """Make a shard of one host, and its result folder."""
    (tmp_path / STAGING_NAME).mkdir()
    config = WorkerConfig(tmp_path, 5.0, min_side=16, honour_opt_out=True, with_annotation=False)
    host = web.url("/").split("/")[2]
    return Shard(config, batch_size=8, retries=0, hosts=frozenset({host}), parts={}, parts_elsewhere=1)


@pytest.fixture
def process(shard: Shard) -> Iterator[Process]:
    """Start the process of a shard, in a group of its own."""
    with start(ROOT, shard) as started:
        yield started


@contextlib.contextmanager
def start(home: Path, shard: Shard) -> Iterator[Process]:
    """Start the process of a shard; all that is left of it is killed at the end."""
    command = [sys.executable, "-m", "utils.cluster.shard_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=home, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        assert process.stdin
        write_frame(process.stdin, pickle.dumps(shard))
        try:
            yield Process(process)
        finally:
            process.kill()
    wait_until(lambda: not process_group(process.pid))


def make_tasks(web: Web, delay: float = 0.0) -> list[ImageTask]:
    """Make tasks of twelve working URLs, every second one annotated, and of two dead ones."""
    tasks = []
    for number in range(IMAGES + 2):
        if number < IMAGES:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=delay))
        row = UrlRow(number, f"{CODE}_{number}", web.url(f"/{number}"))
        boxes = Annotation(row.image_code, 64, 48, (Box("red", 1, 1, 20, 20),)) if number % 2 else None
        tasks.append(ImageTask(number, "red", row, annotation=boxes))
    return tasks


def staged(shard: Shard) -> set[str]:
    """Name the staged files."""
    return {path.name for path in (shard.config.result_folder / STAGING_NAME).iterdir()}


def names_of(outcomes: dict[int, Outcome]) -> set[str]:
    """Name the files that outcomes have staged."""
    good = [outcome for outcome in outcomes.values() if outcome.staged]
    return {one.staged for one in good} | {one.staged + XML_SUFFIX for one in good if one.boxes}


def test_outcomes(process: Process, shard: Shard, web: Web) -> None:
    """Every task gets one; images are staged with their XML, and nothing is written elsewhere."""
    process.send(StartTasks(tuple(make_tasks(web))))
    outcomes = process.read(lambda outcomes: len(outcomes) == IMAGES + 2)
    assert {outcomes[number].reason for number in (IMAGES, IMAGES + 1)} == {Reason.HTTP_STATUS}
    assert {number for number, one in outcomes.items() if one.staged} == set(range(IMAGES))
    assert {number for number, one in outcomes.items() if one.boxes} == set(range(1, IMAGES, 2))
    assert staged(shard) == names_of(outcomes)
    assert [path.name for path in shard.config.result_folder.iterdir()] == [STAGING_NAME]
    process.send(StartTasks((replace(make_tasks(web)[0], number=99),)))
    assert process.read(bool).keys() == {99}
    process.send(None)
    assert process.read() == {}
    assert process.process.wait(10) == 0
    assert process.seceded == 1
    assert process.errors == ()


def test_cancelled_tasks_are_not_reported(process: Process, shard: Shard, web: Web) -> None:
    """They are aborted, and leave no staged file."""
    tasks = make_tasks(web)
    web.otherwise(Answer(hang=True))
    hanging = [replace(one, row=replace(one.row, url=web.url(f"/x{one.number}"))) for one in tasks[:2]]
    process.send(StartTasks(tuple(hanging)))
    wait_until(lambda: len(web.requests) == 2)
    process.send(CancelTasks((0, 1)), StartTasks(tuple(tasks[4:8])))
    outcomes = process.read(lambda outcomes: len(outcomes) == 4)
    process.send(None)
    assert outcomes.keys() | process.read().keys() == {4, 5, 6, 7}
    assert staged(shard) == names_of(outcomes)


@pytest.mark.parametrize("how", ["command", "end of input", "signals"])
def test_end(process: Process, shard: Shard, web: Web, how: str) -> None:
    """It reports what it has finished, and nothing of the rest; only the run tells it when to end."""
    tasks = make_tasks(web)
    for number in range(0, IMAGES, 2):
        web.answer(f"/{number}", Answer(hang=True))
    process.send(StartTasks(tuple(tasks[:6])))
    outcomes = process.read(lambda outcomes: len(outcomes) == 3)
    if how == "signals":  # of the terminal, or of a batch system
        process.process.send_signal(signal.SIGINT)
        process.process.send_signal(signal.SIGTERM)
        process.send(StartTasks(tuple(tasks[7:8])))
        assert process.read(bool).keys() == {7}
    if how == "end of input":
        assert process.process.stdin
        process.process.stdin.close()
    else:
        process.send(None)
    assert process.read() == {}
    assert process.process.wait(10) == 0
    assert outcomes.keys() == {1, 3, 5}
    assert names_of(outcomes) <= staged(shard)
    wait_until(lambda: not process_group(process.process.pid))


def test_killed(process: Process, web: Web) -> None:
    """Its worker ends, too."""
    web.otherwise(Answer(hang=True))
    process.send(StartTasks(tuple(make_tasks(web))))
    wait_until(lambda: len(process_group(process.process.pid)) > 1)
    process.process.kill()
    assert process.read() == {} or process.process.wait(10) == -signal.SIGKILL
    wait_until(lambda: not process_group(process.process.pid))


def test_folder_that_is_not_shared(tmp_path: Path, shard: Shard) -> None:
    """It reports an error that says what to do, and no outcome."""
    elsewhere = replace(shard, config=replace(shard.config, result_folder=tmp_path / "elsewhere"))
    with start(ROOT, elsewhere) as process:
        assert process.read() == {}
        ((kind, sentence),) = process.errors
    assert kind == "InputError"
    assert "does not see" in sentence
    assert "--save_dir under the same path" in sentence


def test_staging_folder_that_vanishes(process: Process, shard: Shard, web: Web) -> None:
    """Images fail one by one; the process goes on."""
    (shard.config.result_folder / STAGING_NAME).rmdir()
    web.otherwise(Answer(body=pictures.jpeg(), delay=1.0))
    process.send(StartTasks(tuple(make_tasks(web)[:2])))
    outcomes = process.read(lambda outcomes: len(outcomes) == 2)
    reasons = {one.reason for one in outcomes.values()}
    assert reasons == {Reason.DISK_ERROR} or process.errors


def test_bundle_is_all_that_a_shard_needs(shard: Shard, web: Web, tmp_path: Path) -> None:
    """Unpacked elsewhere, once for each worker, our code runs a shard."""
    home = unpack(code_bundle.packed(), code_bundle.digest(), tmp_path)
    assert home == unpack(b"", code_bundle.digest(), tmp_path)
    assert not list(home.rglob("test*"))
    with start(home, shard) as process:
        process.send(StartTasks(tuple(make_tasks(web))))
        outcomes = process.read(lambda outcomes: len(outcomes) == IMAGES + 2)
    assert sum(one.status is Status.DOWNLOADED for one in outcomes.values()) == IMAGES


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_frames(size: int) -> None:
    """A frame is read as it was written; a stream that ends within a frame has no further one."""
    stream = io.BytesIO()
    write_frame(stream, bytes(size))
    write_frame(stream, b"second")
    whole = stream.getvalue()
    read = io.BytesIO(whole)
    assert [read_frame(read), read_frame(read), read_frame(read)] == [bytes(size), b"second", None]
    for cut in (0, 2, remote_task.LENGTH + size // 2):
        assert read_frame(io.BytesIO(whole[:cut])) is None or (size == 0 and cut == remote_task.LENGTH)


def test_limits_of_hosts_are_learned_and_used(shard: Shard, web: Web) -> None:
    """A shard reports what it has learned; one that is told a pace begins with it."""
    tasks = make_tasks(web)
    for number in (0, 1):
        web.answer(f"/{number}", Answer(status=429))
    (host,) = shard.hosts
    with start(ROOT, replace(shard, patience=2.5, learned={host: LearnedLimit(20.0, 8)})) as process:
        process.send(StartTasks(tuple(tasks)))
        outcomes = process.read(lambda found: len(found) == len(tasks))
        process.send(None)
        process.read()
    reasons = [outcomes[number].reason for number in range(IMAGES)]
    assert reasons == [Reason.RATE_LIMITED] * 2 + [None] * 10
    assert process.learned.keys() == {host}
    assert process.learned[host].pace
    times = sorted(request.at for request in web.requests)[:IMAGES]
    assert times[-1] - times[0] >= 0.3
