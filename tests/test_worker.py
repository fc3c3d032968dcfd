"""The work on one image: what becomes of it where its folder cannot be written to as it should."""

from __future__ import annotations

from pathlib import Path

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from utils.models.images import Annotation, Box
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.messages import StartTasks, TaskFinished, WorkerConfig
from utils.pipeline.worker import Worker
from utils.reasons import Reason
from utils.results.paths import CategoryFolder

RED = "n00000001"


def outcome_of(task: ImageTask, folder: CategoryFolder) -> Outcome:
    """Let a worker do one task."""
    order = WorkerConfig(folder.path.parent, 5.0, 16, honour_opt_out=True, with_annotation=False, transfers=1)
    worker = Worker(order, lambda _number: None)
    answers = list(worker.obey(StartTasks((task,))))
    while not answers:
        answers += worker.turn(1.0)
    worker.close()
    (answer,) = answers
    assert isinstance(answer, TaskFinished)
    return answer.outcome


def test_no_image_without_the_xml_that_belongs_to_it(tmp_path: Path, web: Web) -> None:
    """Where the XML cannot be written the image failed, and does not lie there either, nor half of it."""
    web.answer("/1", Answer.jpeg(pictures.jpeg()))
    folder = CategoryFolder(tmp_path / "red")
    folder.make()
    folder.annotation(f"{RED}_1").mkdir()
    boxes = Annotation(f"{RED}_1", 64, 48, (Box("red", 1, 1, 20, 20),))
    row = UrlRow(0, f"{RED}_1", web.url("/1"))

    outcome = outcome_of(ImageTask(1, "red", row, row.url, annotation=boxes), folder)

    assert outcome.reason is Reason.DISK_ERROR
    assert "could not be written" in outcome.description
    assert list(folder.images.iterdir()) == []
    folder.annotation(f"{RED}_1").rmdir()
    assert outcome_of(ImageTask(1, "red", row, row.url, annotation=boxes), folder).boxes == 1
    assert [path.name for path in folder.images.iterdir()] == [f"{RED}_1.jpg"]
