"""Backends: every task gets one event, dead and hanging workers are replaced, stopping leaves nothing."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from utils.errors import NO_THREAD, TOO_MANY_PROCESSES, WorkersLostError
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask
from utils.pipeline import worker_pool, worker_process
from utils.pipeline.messages import (
    CancelTasks,
    Event,
    TaskFinished,
    WorkerConfig,
    WorkerDied,
    WorkerUnusable,
)
from utils.pipeline.worker_pool import InProcessBackend, WorkerBackend, WorkerPool
from utils.reasons import Reason, Status
from utils.results.staging import STAGING_NAME

RED = "n00000001"


@pytest.fixture
def config(tmp_path: Path) -> WorkerConfig:
    """Return the configuration of workers that stage images below `tmp_path`."""
    (tmp_path / STAGING_NAME).mkdir()
    return WorkerConfig(tmp_path, 20.0, min_side=16, honour_opt_out=True, with_annotation=False)


@pytest.fixture(params=[WorkerPool, InProcessBackend])
def backend(request: pytest.FixtureRequest, config: WorkerConfig) -> Iterator[WorkerBackend]:
    """Yield both kinds of backends."""
    with WorkerPool(2, config) if request.param is WorkerPool else InProcessBackend(config) as made:
        yield made


@pytest.fixture
def pool(config: WorkerConfig) -> Iterator[WorkerPool]:
    """Yield a pool of two workers."""
    with WorkerPool(2, config) as made:
        yield made


def make_task(number: int, web: Web) -> ImageTask:
    """Make the task of one URL of a web."""
    address = web.url(f"/{number}")
    return ImageTask(number, "red", UrlRow(number, f"{RED}_{number}", address), address)


def poll_until(backend: WorkerBackend, enough: Callable[[list[Event]], bool]) -> list[Event]:
    """Collect events until there are enough."""
    events: list[Event] = []
    deadline = time.monotonic() + 20
    while not enough(events):
        assert time.monotonic() < deadline, events
        events += backend.poll(0.1)
    return events


def wait_until_ready(pool: WorkerPool) -> None:
    """Wait until all workers have reported."""
    poll_until(pool, lambda _: all(worker.is_ready for worker in pool._workers))


def finished(events: Sequence[Event]) -> list[TaskFinished]:
    """Select the events of tasks that ended."""
    return [event for event in events if isinstance(event, TaskFinished)]


def deaths(events: Sequence[Event]) -> list[WorkerDied]:
    """Select the events of workers that died."""
    return [event for event in events if isinstance(event, WorkerDied)]


def test_each_task_gets_one_event(backend: WorkerBackend, web: Web, config: WorkerConfig) -> None:
    """Every task gets one event: a staged image, or the reason why there is none."""
    for number in range(0, 20, 2):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
    backend.start([make_task(number, web) for number in range(20)])
    outcomes = {
        event.number: event.outcome for event in finished(poll_until(backend, lambda all_: len(all_) >= 20))
    }
    assert sorted(outcomes) == list(range(20))
    staged = [outcome for outcome in outcomes.values() if outcome.status is Status.DOWNLOADED]
    assert sorted(outcome.row.position for outcome in staged) == list(range(0, 20, 2))
    for outcome in staged:
        status = (config.result_folder / STAGING_NAME / outcome.staged).stat()
        assert outcome.picture
        assert (status.st_size, status.st_mtime_ns) == (outcome.picture.bytes, outcome.modified_ns)
    assert {outcomes[number].reason for number in range(1, 20, 2)} == {Reason.HTTP_STATUS}
    assert [path.name for path in config.result_folder.iterdir()] == [STAGING_NAME]


def test_cancelled_tasks_get_no_event(backend: WorkerBackend, web: Web) -> None:
    """A cancelled task is aborted and gets no event; the others do."""
    web.otherwise(Answer(hang=True))
    web.answer("/9", Answer(body=pictures.jpeg(), delay=0.3))
    backend.start([make_task(number, web) for number in (1, 2, 9)])
    backend.cancel([1, 2])
    assert [event.number for event in finished(poll_until(backend, bool))] == [9]
    assert deaths(backend.stop()) == [] or not any(event.numbers for event in deaths(backend.stop()))


def test_tasks_of_a_dead_worker_are_reported(pool: WorkerPool, web: Web) -> None:
    """A death names the worker's tasks, and no culprit if nothing was validated; the pool goes on."""
    web.otherwise(Answer(body=pictures.jpeg(), delay=1.0))
    pool.start([make_task(number, web) for number in range(6)])
    time.sleep(0.9)
    os.kill(pool._workers[0].process.pid or 0, signal.SIGKILL)
    events = poll_until(pool, lambda events: bool(deaths(events)))
    (death,) = deaths(events)
    assert len(death.numbers) == 3
    assert death.culprit is None
    pool.start([make_task(number, web) for number in death.numbers])
    seen = [event.number for event in finished(events)]
    rest = poll_until(pool, lambda more: len(more) + len(seen) >= 6)
    assert sorted(seen + [event.number for event in finished(rest)]) == list(range(6))


def test_hanging_worker_is_killed(pool: WorkerPool, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that sends nothing for too long is killed, and its tasks are reported."""
    wait_until_ready(pool)
    monkeypatch.setattr(worker_pool, "MAX_SILENCE", 3.0)
    web.otherwise(Answer(body=pictures.jpeg(), delay=0.2))
    os.kill(pool._workers[1].process.pid or 0, signal.SIGSTOP)
    pool.start([make_task(number, web) for number in range(4)])
    events = poll_until(pool, lambda events: bool(deaths(events)))
    assert len(finished(events)) == 2


def test_repeated_deaths_end_the_run(config: WorkerConfig) -> None:
    """Workers that die again and again without finishing anything are not started forever."""
    with WorkerPool(1, config) as pool:

        def kill_all() -> None:
            for _ in range(100):
                for worker in pool._workers:
                    worker.process.kill()
                pool.poll(5.0)

        with pytest.raises(WorkersLostError, match="batch_size"):
            kill_all()


@pytest.mark.parametrize("says", ["why", "nothing"])
def test_workers_that_cannot_start_end_the_run(
    config: WorkerConfig,
    web: Web,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    says: str,
) -> None:
    """Workers that report, but die when they load a library, end the run with a sentence, if possible why."""
    library, sentence = {
        "why": ("raise ValueError('another numpy')", r"cannot be loaded \(another numpy\)"),
        "nothing": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "died 5 times in a row"),
    }[says]
    (tmp_path / "simplejpeg.py").write_text(library)
    monkeypatch.syspath_prepend(str(tmp_path))
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    with WorkerPool(2, config) as pool:
        pool.start([make_task(number, web) for number in range(12)])
        with pytest.raises(WorkersLostError, match=sentence):
            poll_until(pool, lambda _: False)
    assert capfd.readouterr().err == ""


def test_images_that_kill_workers_do_not_end_the_run(config: WorkerConfig, web: Web) -> None:
    """Each is named as the culprit of a death, however many there are; the next worker does the rest."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    with WorkerPool(1, config) as pool:
        for number in range(worker_pool.MAX_DEATHS + 1):
            worker = pool._workers[0]
            worker.tasks.update({number, 100})
            worker._validating.value = number
            worker.process.kill()
            (death,) = deaths(poll_until(pool, lambda events: bool(deaths(events))))
            assert (sorted(death.numbers), death.culprit) == ([number, 100], number)
        pool.start([make_task(number, web)])
        assert [event.number for event in finished(poll_until(pool, bool))] == [number]


def test_suspended_worker_delays_no_other(config: WorkerConfig, web: Web) -> None:
    """Its full pipe blocks neither the other workers nor the end of the run."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    pool = WorkerPool(2, config)
    wait_until_ready(pool)
    suspended, working = pool._workers
    os.kill(suspended.process.pid or 0, signal.SIGSTOP)
    suspended.send(CancelTasks(tuple(range(1_000_000))))
    pool.start([make_task(number, web) for number in range(8)])
    assert len(poll_until(pool, lambda events: len(events) == 4)) == 4
    assert suspended.tasks
    assert not working.tasks
    before = threading.active_count()
    (death,) = [death for death in deaths(pool.stop()) if death.numbers]
    assert len(death.numbers) == 4
    assert threading.active_count() == before - 2


def test_connections_of_another_class(config: WorkerConfig, web: Web) -> None:
    """The pool relies on no class of connections: on Windows pipes are not `Connection` objects."""
    other_class = type("OtherClass", Connection.__bases__, dict(vars(Connection)))
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    with WorkerPool(1, config) as pool:
        (worker,) = pool._workers
        given, worker.connection = worker.connection, other_class(os.dup(worker.connection.fileno()))
        given.close()
        assert not isinstance(worker.connection, Connection)
        pool.start([make_task(1, web)])
        assert len(finished(poll_until(pool, bool))) == 1


def test_stop_leaves_no_process(config: WorkerConfig, web: Web) -> None:
    """Stopping ends at once, and reports the tasks that were not done."""
    pool = WorkerPool(2, config)
    web.otherwise(Answer(hang=True))
    pool.start([make_task(number, web) for number in range(4)])
    processes = [worker.process.pid for worker in pool._workers]
    assert sorted(number for death in deaths(pool.stop()) for number in death.numbers) == list(range(4))
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def test_worker_without_threads(config: WorkerConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that may start no thread, because of a limit of processes, says so and ends."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError(NO_THREAD)

    monkeypatch.setattr(worker_process.threading.Thread, "start", start)
    monkeypatch.setattr(worker_process.signal, "signal", lambda *_handler: None)
    parent, child = multiprocessing.Pipe()
    with parent, child:
        worker_process.main(child, config, ctypes.c_longlong(-1))
        assert parent.recv() == WorkerUnusable(TOO_MANY_PROCESSES)
