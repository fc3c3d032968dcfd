"""The work on one image: what is staged, and what happens if it cannot be written."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.pictures import run_length_bmp, slow_bmp
from utils.annotations import voc_xml
from utils.copies.folders import FileImage
from utils.images import decoder_process
from utils.images.decoder_process import TOO_SLOW
from utils.images.structure import DamagedError, Size
from utils.models.images import Annotation, Box
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.messages import CancelTasks, StartTasks, TaskEvent, TaskFinished, WorkerConfig
from utils.pipeline.worker import Worker
from utils.reasons import Reason, Status
from utils.results.staging import STAGING_NAME, XML_SUFFIX

RED = "n00000001"
BOXES = Annotation(f"{RED}_1", 128, 96, (Box("red", 2, 2, 40, 40),))


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """Make a staging folder."""
    folder = tmp_path / STAGING_NAME
    folder.mkdir()
    return folder


def work(web: Web, staging: Path, annotation: Annotation | None = None) -> Outcome:
    """Let a worker do the task of one image."""
    web.answer("/1", Answer.jpeg(pictures.jpeg()))
    row = UrlRow(0, f"{RED}_1", web.url("/1"))
    config = WorkerConfig(staging.parent, 5.0, min_side=16, honour_opt_out=True, with_annotation=False)
    marked: list[int] = []
    with contextlib.closing(Worker(config, marked.append)) as worker:
        worker.execute(StartTasks((ImageTask(7, "red", row, row.url, annotation=annotation),)))
        events: list[TaskEvent] = []
        while not events:
            events += worker.poll(1.0)
    (event,) = events
    assert isinstance(event, TaskFinished)
    assert (event.number, marked) == (7, [7, -1])
    return event.outcome


def test_image_is_staged_with_its_xml(staging: Path, web: Web) -> None:
    """Both are written under one name in the staging folder, with the boxes fitted; nothing elsewhere."""
    outcome = work(web, staging, BOXES)
    assert (outcome.status, outcome.file, outcome.boxes) == (Status.DOWNLOADED, f"Images/{RED}_1.jpg", 1)
    assert outcome.fitted
    assert outcome.fitted.scaled == 1
    assert {path.name for path in staging.iterdir()} == {outcome.staged, outcome.staged + XML_SUFFIX}
    assert (staging / outcome.staged).read_bytes() == pictures.jpeg()
    parsed = voc_xml.parse((staging / (outcome.staged + XML_SUFFIX)).read_bytes(), f"{RED}_1")
    assert parsed
    assert (parsed.width, parsed.height) == (64, 48)
    assert list(staging.parent.iterdir()) == [staging]


def test_image_without_boxes_is_staged_alone(staging: Path, web: Web) -> None:
    """There is no XML then."""
    outcome = work(web, staging)
    assert outcome.boxes is None
    assert [path.name for path in staging.iterdir()] == [outcome.staged]


@pytest.mark.parametrize("annotation", [None, BOXES], ids=["image", "image and XML"])
def test_files_that_cannot_be_written(staging: Path, web: Web, annotation: Annotation | None) -> None:
    """The image fails with `disk_error`; the worker goes on."""
    staging.rmdir()
    outcome = work(web, staging, annotation)
    assert (outcome.reason, outcome.staged, outcome.file) == (Reason.DISK_ERROR, "", "")
    assert outcome.description == "It could not be written: No such file or directory."
    assert not outcome.disk_full


def test_transfers_continue_while_an_image_is_decoded(
    staging: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that takes long to decode makes no other transfer time out."""
    web.answer("/1", Answer.jpeg(run_length_bmp()))
    web.answer("/2", Answer(body=pictures.jpeg(), delay=0.6))

    def decode(*arguments: Any) -> Size:
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            arguments[-1]()
            time.sleep(0.02)
        raise DamagedError(TOO_SLOW)

    monkeypatch.setattr(decoder_process, "decode", decode)
    rows = [UrlRow(number, f"{RED}_{number}", web.url(f"/{number}")) for number in (1, 2)]
    config = WorkerConfig(staging.parent, 1.5, min_side=16, honour_opt_out=True, with_annotation=False)
    events: list[TaskEvent] = []
    with contextlib.closing(Worker(config, lambda _number: None)) as worker:
        worker.execute(StartTasks(tuple(ImageTask(row.position, "red", row, row.url) for row in rows)))
        while len(events) < len(rows):
            events += worker.poll(1.0)
    reasons = {event.number: event.outcome.reason for event in events if isinstance(event, TaskFinished)}
    assert reasons == {1: Reason.CORRUPT, 2: None}


def test_images_on_disk(staging: Path) -> None:
    """Images on disk are read one at a time, so that a command in between can cancel the others."""
    images = staging.parent / "copy"
    tasks = [
        ImageTask(number, "red", UrlRow(number, f"{RED}_{number}", ""), local_image=image)
        for number, image in enumerate(FileImage(f"{number}.JPEG", str(images)) for number in range(4))
    ]
    images.mkdir()
    for number in (0, 2, 3):
        (images / f"{number}.JPEG").write_bytes(pictures.jpeg())
    config = WorkerConfig(staging.parent, 5.0, min_side=16, honour_opt_out=True, with_annotation=False)
    with contextlib.closing(Worker(config, lambda _number: None)) as worker:
        worker.execute(StartTasks(tuple(tasks)))
        events = [*worker.poll(5.0)]
        assert [event.number for event in events] == [0]
        worker.execute(CancelTasks((2,)))
        while worker.is_busy:
            events += worker.poll(5.0)
    reasons = {event.number: event.outcome.reason for event in events if isinstance(event, TaskFinished)}
    assert reasons == {0: None, 1: Reason.TRUNCATED, 3: None}


def test_stopped_while_an_image_is_decoded(staging: Path, web: Web) -> None:
    """When the run ends, the worker gives up an image that takes long to decode; there is no event for it."""
    web.answer("/1", Answer.jpeg(slow_bmp()))
    row = UrlRow(1, f"{RED}_1", web.url("/1"))
    config = WorkerConfig(staging.parent, 5.0, min_side=16, honour_opt_out=True, with_annotation=False)
    marked: list[int] = []
    with contextlib.closing(Worker(config, marked.append, stopped=lambda: bool(marked))) as worker:
        worker.execute(StartTasks((ImageTask(1, "red", row, row.url),)))
        events: list[TaskEvent] = []
        while not marked:
            events += worker.poll(1.0)
    assert (events, marked) == ([], [1])
