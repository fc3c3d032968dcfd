"""An interrupted run abandons long work in good order; the journals have all that is known."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.machine import wait_until
from tests.project import ALONE, Project
from utils.models.rows import Category
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.pipeline.category_manager import CategoryManager, Screen
from utils.pipeline.context import RunContext
from utils.reasons import Reason, Status
from utils.results.journal import Journal
from utils.results.paths import CategoryFolder
from utils.results.progress import Progress
from utils.results.staging import StagingFolder
from utils.sources.base import SourceContext
from utils.sources.url_source import UrlSource
from utils.sources.url_table import UrlTable, open_table

RED = "n00000001"
CATEGORY = Category(RED, "red", "red")
FEW, MANY = 5, 10_000


class RecordingScreen(Screen):
    """Records lines instead of printing them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.print = self.lines.append  # type: ignore[method-assign,assignment]


class Run:
    """A category manager for one category; set `is_stopped` to interrupt it."""

    def __init__(self, project: Project) -> None:
        path = project.path
        settings = Settings(path, path / "annotation", path / "imageNetURLs.csv", path / "ncodes.csv")
        self.is_stopped: Callable[[], bool] = lambda: False
        self.screen = RecordingScreen()
        table = open_table(path / "imageNetURLs.csv")
        staging = StagingFolder(project.result)
        with UrlSource.open(SourceContext(settings, project.result, table)) as source:
            context = RunContext(settings, project.result, table, {RED: "red"}, [source], staging)
        self.manager = CategoryManager(
            [CATEGORY],
            context,
            progress=Progress(),
            screen=self.screen,
            stopped=lambda: self.is_stopped(),
        )


def offer(project: Project, count: int) -> UrlTable:
    """Add URLs that are never requested, and return their table."""
    project.category(RED, "red")
    for number in range(count):
        project.url(f"{RED}_{number}", f"http://127.0.0.1:1/{number}")
    project.write()
    return open_table(project.path / "imageNetURLs.csv")


def make_journal(project: Project, table: UrlTable) -> CategoryFolder:
    """Write the journal of an earlier run that found all URLs dead, and was killed before its report."""
    folder = CategoryFolder(project.result / "red")
    folder.make()
    journal = Journal(folder.journal)
    journal.begin_run()
    journal.append_all(
        [Outcome(row, Status.FAILED, Reason.HTTP_STATUS, "No.", http_status=404) for row in table.rows(RED)]
    )
    return folder


@pytest.fixture
def run(project: Project) -> Run:
    """Make a run over a category whose URLs are all in the journal."""
    make_journal(project, offer(project, FEW))
    return Run(project)


def after(calls: int) -> Callable[[], bool]:
    """Return a function that is False for a number of calls, and then True."""
    left = iter(range(calls))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("calls", [1, 3, 2 * FEW, 2 * FEW + 3])
def test_stop_while_opening(project: Project, run: Run, calls: int) -> None:
    """Opening a category stops at any point; its report is written if there is time."""
    run.is_stopped = after(calls)
    assert run.manager.open_next() is None
    assert not run.manager.open
    assert not run.manager.all_done
    run.manager.close_all(lambda: True)
    assert [row["reason"] for row in project.report("red")] == ["http_404"] * FEW
    assert not run.manager.unreported


def test_no_time_for_report(project: Project, run: Run) -> None:
    """Without time the old report stays, a message names it, and the next run writes it."""
    report = CategoryFolder(project.result / "red").report
    report.write_text("an old report")
    run.is_stopped = after(0)
    run.manager.close_all(lambda: False)
    assert report.read_text() == "an old report"
    assert run.manager.unreported == {"red"}
    assert [line.split(": ")[-1] for line in run.screen.lines] == ["red"]
    again = Run(project)
    job = again.manager.open_next()
    assert job is not None
    assert job.next_tasks(1) == []
    again.manager.close(job)
    assert len(project.report("red")) == FEW


def test_stop_while_reporting(project: Project, run: Run) -> None:
    """A report that was interrupted is written at the end of the run."""
    job = run.manager.open_next()
    assert job is not None
    run.is_stopped = after(0)
    run.manager.close(job)
    assert not CategoryFolder(project.result / "red").report.exists()
    run.manager.close_all(lambda: True)
    assert len(project.report("red")) == FEW
    assert not run.manager.unreported


def test_too_little_time_for_journal(project: Project) -> None:
    """URLs that were not reached are recorded while there is time; an incomplete report is named."""
    offer(project, MANY // 10)
    run = Run(project)
    job = run.manager.open_next()
    assert job is not None
    run.is_stopped = after(0)
    left = iter(range(3))
    run.manager.close_all(lambda: next(left, None) is not None)
    rows = project.report("red")
    assert 0 < len(rows) < MANY // 10
    assert {row["status"] for row in rows} == {"not_attempted"}
    assert run.manager.unreported == {"red"}


def test_interrupt_while_reading_journal(project: Project) -> None:
    """A run that is interrupted while it reads a long journal loses nothing; the next one completes."""
    folder = make_journal(project, offer(project, MANY))
    before = folder.journal.read_bytes()
    with project.start() as process:
        wait_until(lambda: folder.journal.stat().st_size > len(before))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.startswith("Interrupted. ")
    assert errors.count("\n") == 1
    assert folder.journal.read_bytes().startswith(before)
    assert sorted(path.name for path in project.result.iterdir()) == ["red", "run.json"]
    project.run(*ALONE)
    rows = project.report("red")
    assert [row["image_code"] for row in rows] == [f"{RED}_{number}" for number in range(MANY)]
    assert {row["reason"] for row in rows} == {"http_404"}


def test_repeated_interruption(project: Project) -> None:
    """URLs that several interrupted runs did not reach are in the journal once."""
    offer(project, FEW)
    sizes = []
    for _ in range(3):
        run = Run(project)
        run.is_stopped = after(0)
        run.manager.close_all(lambda: True)
        lines = Path(project.result / "red" / ".journal.jsonl").read_bytes().splitlines()
        sizes.append(sum("run" not in json.loads(line) for line in lines))
        assert [row["status"] for row in project.report("red")] == ["not_attempted"] * FEW
    assert sizes == [FEW, FEW, FEW]


def test_interrupted_rows_after_fill(project: Project, web: Web) -> None:
    """Once --fill has all images, no row of the report is left as interrupted."""
    project.category(RED, "red")
    for number in range(5):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), hang=number < 2))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    with project.start("--fill", "True", "--how_many", "5") as process:
        wait_until(lambda: len(list((project.result / "red" / "Images").glob("[!.]*"))) == 3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert [row["reason"] for row in project.report("red")] == ["interrupted"] * 2 + [""] * 3
    finished = project.run("--fill", "True", "--how_many", "3")
    assert finished.code == 0
    assert [row["reason"] for row in project.report("red")] == ["filled"] * 2 + [""] * 3
    assert "not attempted" not in finished.out
