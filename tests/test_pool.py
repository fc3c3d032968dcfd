"""The pool and its workers: what goes in, what comes out, and what happens at a death."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from utils.errors import WorkersLostError
from utils.models.images import Annotation, Box
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask
from utils.pipeline import worker_pool
from utils.pipeline.messages import CancelTasks, Ready, TaskFinished, WorkerConfig, WorkerDied
from utils.pipeline.worker_pool import InProcessBackend, WorkerBackend, WorkerPool
from utils.reasons import Reason, Status
from utils.results.paths import CategoryFolder

RED = "n00000001"


@pytest.fixture
def order(tmp_path: Path) -> WorkerConfig:
    """Order work into an empty category."""
    CategoryFolder(tmp_path / "red").make()
    return WorkerConfig(tmp_path, 5.0, min_side=16, honour_opt_out=True, with_annotation=False, transfers=8)


@pytest.fixture(params=["pool", "alone"])
def crew(request: pytest.FixtureRequest, order: WorkerConfig) -> Iterator[WorkerBackend]:
    """Give both kinds of crews."""
    made: WorkerBackend = WorkerPool(2, order) if request.param == "pool" else InProcessBackend(order)
    yield made
    made.stop()


@pytest.fixture
def two_workers(order: WorkerConfig) -> Iterator[WorkerPool]:
    """Give a pool of two processes."""
    made = WorkerPool(2, order)
    yield made
    made.stop()


def task(number: int, web: Web, *, ask: bool = False, annotation: Annotation | None = None) -> ImageTask:
    """Make a task of one picture of a web."""
    address = web.url(f"/{number}")
    row = UrlRow(number, f"{RED}_{number}", address)
    return ImageTask(number, "red", row, address, annotation=annotation, ask_before_saving=ask)


def listen(crew: WorkerBackend, until: Callable[[list[object]], bool]) -> list[object]:
    """Collect answers until there are enough."""
    heard: list[object] = []
    deadline = time.monotonic() + 20
    while not until(heard):
        assert time.monotonic() < deadline, heard
        heard += crew.exchange(0.1)
    return heard


def test_each_task_gets_one_answer(crew: WorkerBackend, web: Web, order: WorkerConfig) -> None:
    """Every task is answered once: with an image that lies there, or with the reason why not."""
    for number in range(0, 20, 2):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
    crew.start([task(number, web) for number in range(20)])
    heard = listen(crew, lambda heard: len(heard) >= 20)
    outcomes = {answer.number: answer.outcome for answer in heard if isinstance(answer, TaskFinished)}
    assert sorted(outcomes) == list(range(20))
    saved = [number for number, outcome in outcomes.items() if outcome.status is Status.DOWNLOADED]
    assert sorted(saved) == list(range(0, 20, 2))
    for number in saved:
        outcome = outcomes[number]
        path = order.result_folder / "red" / outcome.file
        assert outcome.picture
        assert path.stat().st_size == outcome.picture.bytes
        assert path.stat().st_mtime_ns == outcome.modified_ns
    assert {outcomes[number].reason for number in range(1, 20, 2)} == {Reason.HTTP_STATUS}


def test_image_that_asks_is_saved_when_told(crew: WorkerBackend, web: Web, order: WorkerConfig) -> None:
    """An image that asks before it is saved lies nowhere until it is told; a dropped one is never saved."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    crew.start([task(1, web, ask=True), task(2, web, ask=True)])
    heard = listen(crew, lambda heard: len(heard) >= 2)
    assert {answer.number for answer in heard if isinstance(answer, Ready)} == {1, 2}
    images = order.result_folder / "red" / "Images"
    assert not list(images.iterdir())
    crew.drop([2])
    crew.save(1)
    (ended,) = listen(crew, bool)
    assert isinstance(ended, TaskFinished)
    assert ended.outcome.status is Status.DOWNLOADED
    assert [path.name for path in images.iterdir()] == [f"{RED}_1.jpg"]


def test_xml_comes_with_its_image(crew: WorkerBackend, web: Web, order: WorkerConfig) -> None:
    """An annotated image is saved with its XML, and says how its boxes were fitted."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    annotation = Annotation(f"{RED}_1", 128, 96, (Box("red", 2, 2, 40, 40),))
    crew.start([task(1, web, annotation=annotation)])
    (ended,) = listen(crew, bool)
    assert isinstance(ended, TaskFinished)
    assert ended.outcome.boxes == 1
    assert ended.outcome.fitted
    assert ended.outcome.fitted.scaled == 1
    assert (order.result_folder / "red" / "Annotation" / f"{RED}_1.xml").exists()


def test_dead_worker_gives_its_tasks_back(two_workers: WorkerPool, web: Web) -> None:
    """When a worker dies its tasks come back, no killer is named where none was judged, and work goes on."""
    web.otherwise(Answer(body=pictures.jpeg(), delay=1.0))
    two_workers.start([task(number, web) for number in range(6)])
    time.sleep(0.9)
    os.kill(two_workers._members[0].process.pid or 0, signal.SIGKILL)
    heard = listen(two_workers, lambda heard: any(isinstance(answer, WorkerDied) for answer in heard))
    (lost,) = [answer for answer in heard if isinstance(answer, WorkerDied)]
    assert len(lost.numbers) == 3
    assert lost.killer is None
    two_workers.start([task(number, web) for number in lost.numbers])
    seen = [answer.number for answer in heard if isinstance(answer, TaskFinished)]
    rest = listen(two_workers, lambda more: len(more) + len(seen) >= 6)
    assert sorted(seen + [answer.number for answer in rest if isinstance(answer, TaskFinished)]) == list(
        range(6)
    )


def test_hanging_worker_is_killed(two_workers: WorkerPool, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that says nothing any more is killed, and what it had comes back."""
    listen(two_workers, lambda _: all(member.has_spoken for member in two_workers._members))
    monkeypatch.setattr(worker_pool, "LONGEST_SILENCE", 3.0)
    web.otherwise(Answer(body=pictures.jpeg(), delay=0.2))
    os.kill(two_workers._members[1].process.pid or 0, signal.SIGSTOP)
    two_workers.start([task(number, web) for number in range(4)])
    heard = listen(two_workers, lambda heard: any(isinstance(answer, WorkerDied) for answer in heard))
    assert len([answer for answer in heard if isinstance(answer, TaskFinished)]) == 2


def test_workers_that_keep_dying_end_the_run(order: WorkerConfig) -> None:
    """Workers that die again and again without doing anything are not started for ever."""
    crew = WorkerPool(1, order)

    def kill_all() -> None:
        for _ in range(100):
            for member in crew._members:
                member.process.kill()
            crew.exchange(5.0)

    with pytest.raises(WorkersLostError, match="batch_size"):
        kill_all()
    crew.stop()


@pytest.mark.parametrize("says", ["Unfit", "nothing"])
def test_workers_that_die_while_they_prepare_end_the_run(
    order: WorkerConfig,
    web: Web,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    says: str,
) -> None:
    """That they were up is no proof that they can work. One that can say why does, without a traceback."""
    breaks = {
        "Unfit": "raise ValueError('another numpy')",
        "nothing": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    }
    (tmp_path / "simplejpeg.py").write_text(breaks[says])
    monkeypatch.syspath_prepend(str(tmp_path))
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    sentence = {"Unfit": r"cannot be loaded \(another numpy\)", "nothing": "died 5 times in a row"}[says]
    with WorkerPool(2, order) as crew:
        crew.start([task(number, web) for number in range(12)])
        with pytest.raises(WorkersLostError, match=sentence):
            listen(crew, lambda _: False)
    assert capfd.readouterr().err == ""


def test_images_that_kill_do_not_end_the_run(order: WorkerConfig, web: Web) -> None:
    """However many there are one after another: each is named, and the next worker does the rest."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    with WorkerPool(1, order) as crew:
        for number in range(worker_pool.MOST_DEATHS + 1):
            member = crew._members[0]
            member.tasks.add(number)
            member.judging.value = number
            member.process.kill()
            assert WorkerDied((number,), number) in listen(crew, bool)
        crew.start([task(number, web)])
        (ended,) = listen(crew, bool)
        assert isinstance(ended, TaskFinished)


def test_a_worker_that_stands_still_holds_nobody_up(order: WorkerConfig, web: Web) -> None:
    """It may be told more than its pipe takes: the others work on, and the end is as quick as ever."""
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    crew = WorkerPool(2, order)
    listen(crew, lambda _: all(member.has_spoken for member in crew._members))
    still, working = crew._members
    os.kill(still.process.pid or 0, signal.SIGSTOP)
    still.tell(CancelTasks(tuple(range(1_000_000))))
    crew.start([task(number, web) for number in range(8)])
    assert len(listen(crew, lambda heard: len(heard) == 4)) == 4
    assert still.tasks
    assert not working.tasks
    before = threading.active_count()
    begun = time.monotonic()
    (lost,) = [answer for answer in crew.stop() if isinstance(answer, WorkerDied) and answer.numbers]
    assert len(lost.numbers) == 4
    assert time.monotonic() - begun < 2
    assert threading.active_count() == before - 2


def test_a_pipe_of_another_kind(order: WorkerConfig, web: Web) -> None:
    """What a pipe's end is called is the system's affair: on Windows it is no `Connection`."""
    sibling = type("Sibling", Connection.__bases__, dict(vars(Connection)))
    web.otherwise(Answer.jpeg(pictures.jpeg()))
    with WorkerPool(1, order) as crew:
        (member,) = crew._members
        given, member.connection = member.connection, sibling(os.dup(member.connection.fileno()))
        given.close()
        assert not isinstance(member.connection, Connection)
        crew.start([task(1, web)])
        (ended,) = listen(crew, bool)
        assert isinstance(ended, TaskFinished)


def test_stop_leaves_nothing(order: WorkerConfig, web: Web) -> None:
    """Stopping ends at once, and says what was not done."""
    crew = WorkerPool(2, order)
    web.otherwise(Answer(hang=True))
    crew.start([task(number, web) for number in range(4)])
    processes = [member.process.pid for member in crew._members]
    begun = time.monotonic()
    lost = [number for answer in crew.stop() if isinstance(answer, WorkerDied) for number in answer.numbers]
    assert sorted(lost) == list(range(4))
    assert time.monotonic() - begun < 5
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def test_image_that_kills_is_named(order: WorkerConfig) -> None:
    """If a worker dies while it judges, the death names the task."""
    crew = WorkerPool(1, order)
    member = crew._members[0]
    member.tasks.update({7, 8})
    member.judging.value = 8
    member.process.kill()
    (lost,) = listen(crew, bool)
    assert isinstance(lost, WorkerDied)
    assert (sorted(lost.numbers), lost.killer) == ([7, 8], 8)
    crew.stop()
