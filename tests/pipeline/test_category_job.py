"""A category job commits what is wanted, deletes what is surplus, and records every outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo import pictures
from tests.project import Project
from utils.images import validation
from utils.models.images import Picture
from utils.models.rows import Category
from utils.models.settings import Settings
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.category_job import CategoryJob
from utils.pipeline.context import RunContext
from utils.reasons import Reason, Status
from utils.results.staging import STAGING_NAME, StagingFolder, StagingWriter
from utils.scheduler.scheduled_task import TaskResult
from utils.sources.base import SourceContext
from utils.sources.url_source import UrlSource
from utils.sources.url_table import open_table

RED = "n00000001"
URLS = 12


@pytest.fixture
def context(project: Project) -> Iterator[RunContext]:
    """Make what a run shares, over a category with twelve URLs that are never requested."""
    for number in range(URLS):
        project.url(f"{RED}_{number}", f"http://127.0.0.1:1/{number}")
    project.write()
    path = project.path
    settings = Settings(path, path / "annotation", path / "imageNetURLs.csv", path / "ncodes.csv", fill=True)
    table = open_table(path / "imageNetURLs.csv")
    project.result.mkdir()
    opened = SourceContext(settings, project.result, table)
    with StagingFolder(project.result) as staging, UrlSource.open(opened) as source:
        yield RunContext(settings, project.result, table, {RED: "red"}, [source], staging)


def open_job(context: RunContext, how_many: int) -> CategoryJob:
    """Open the job of the category."""
    category = Category(RED, "red", "red", how_many=how_many)
    return CategoryJob(category, context, lambda *_: None, annotations={})


def stage(context: RunContext, task: ImageTask) -> TaskResult:
    """Stage an image of its own for a task, as a worker does."""
    data = pictures.jpeg(seed=task.number)
    picture = validation.validate(data, min_side=16, length_known=True)
    assert isinstance(picture, Picture)
    name, modified_ns = StagingWriter(context.folder).write(data, None)
    outcome = Outcome(
        task.row,
        Status.DOWNLOADED,
        http_status=200,
        attempts=1,
        file=f"Images/{task.row.image_code}.jpg",
        picture=picture,
        modified_ns=modified_ns,
        staged=name,
    )
    return TaskResult(task, outcome)


def images(context: RunContext) -> set[str]:
    """Name the images in the category's folder."""
    return {path.name for path in (context.folder / "red" / "Images").iterdir()}


def staged(context: RunContext) -> list[Path]:
    """List the staged files."""
    return list((context.folder / STAGING_NAME).iterdir())


def test_surplus_images_are_deleted(context: RunContext) -> None:
    """Of the images that arrive together, as many as wanted are committed, and the rest is not needed."""
    job = open_job(context, 2)
    tasks = job.next_tasks(100)
    assert len(tasks) == 6, "twice as many as missing, and two more"
    job.commit([stage(context, task) for task in tasks[:5]])
    assert images(context) == {f"{RED}_0.jpg", f"{RED}_1.jpg"}
    assert staged(context) == []
    outcomes = list(job.outcomes())
    assert [one.status for one in outcomes] == [Status.DOWNLOADED] * 2 + [Status.SKIPPED] * 3
    assert {(one.reason, one.file, one.staged) for one in outcomes[2:]} == {(Reason.FILLED, "", "")}
    assert job.pop_surplus() == [tasks[5].number]
    assert job.finished
    job.close()
    again = open_job(context, 2)
    assert again.finished
    assert again.next_tasks(100) == []
    assert len(again.saved_before()) == 2


def test_failures_are_replaced(context: RunContext) -> None:
    """Further URLs are tried as long as images are missing, until all have been tried."""
    job = open_job(context, 2)
    taken: list[int] = []
    while tasks := job.next_tasks(100):
        taken += [task.number for task in tasks]
        failed = [Outcome(one.row, Status.FAILED, Reason.TIMEOUT, "No.", attempts=1) for one in tasks]
        job.commit([TaskResult(task, one) for task, one in zip(tasks, failed, strict=True)])
    assert len(set(taken)) == len(taken) == URLS
    assert job.finished
    assert not job.is_full


def test_image_that_cannot_be_committed(context: RunContext) -> None:
    """It fails with `disk_error`, does not count as saved, and another URL takes its place."""
    job = open_job(context, 1)
    tasks = job.next_tasks(100)
    in_the_way = context.folder / "red" / "Images" / f"{RED}_0.jpg"
    in_the_way.mkdir()
    job.commit([stage(context, tasks[0])])
    (outcome,) = job.outcomes()
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.DISK_ERROR)
    assert not job.is_full
    job.commit([stage(context, tasks[1])])
    assert job.is_full
    assert images(context) == {f"{RED}_0.jpg", f"{RED}_1.jpg"}
    assert in_the_way.is_dir()
    assert staged(context) == []


def test_all_are_committed_where_urls_are_counted(context: RunContext) -> None:
    """Without --fill every URL of the first how_many counts."""
    job = open_job(replace(context, settings=replace(context.settings, fill=False)), 4)
    tasks = job.next_tasks(100)
    assert len(tasks) == 4
    job.commit([stage(context, task) for task in tasks])
    assert len(images(context)) == 4
    assert job.finished


def test_other_urls_are_tried_in_place_of_those_that_wait(context: RunContext) -> None:
    """Tasks that wait for hosts that limit requests do not count; still exactly `how_many` are kept."""
    job = open_job(context, 2)
    first = job.next_tasks(100)
    assert len(first) == 6
    waiting = {task.number for task in first[:4]}
    others = job.next_tasks(100, waiting)
    assert len(others) == 4
    job.commit([stage(context, task) for task in (*others[:2], first[0])])
    assert (job.is_full, len(images(context))) == (True, 2)
    assert len(job.pop_surplus()) == 7


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CONNECT_TIMEOUT, Reason.HTTP_STATUS])
def test_url_that_timed_out_in_an_earlier_run(context: RunContext, reason: Reason) -> None:
    """Its task says so; that of another failed URL does not."""
    job = open_job(context, 2)
    task = job.next_tasks(1)[0]
    job.commit([TaskResult(task, Outcome(task.row, Status.FAILED, reason, http_status=500, attempts=3))])
    job.close()
    again = open_job(context, 2).next_tasks(3)
    assert again[0].row == task.row
    assert [one.timed_out_before for one in again] == [reason is not Reason.HTTP_STATUS, False, False]
