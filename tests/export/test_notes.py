"""Notes on exports, and the output of a run with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo.answers import Answer
from demo.web import Web
from tests.export.export_project import ExportProject, draw, files, stored
from tests.project import Project
from utils.export.notes import notes

CUP, CARTON = "n03147509", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories: many images with boxes, and two without."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    for number in range(20):
        made.add(CUP, f"{CUP}_{number}", stored(draw(number)), (1, 1, 9, 9))
    for number in range(2):
        made.add(CARTON, f"{CARTON}_{number}", stored(draw(100 + number)))
    return made


def notes_on(project: ExportProject, *formats: str, **flags: Any) -> list[str]:
    """Return the notes on exports in some formats."""
    settings = project.settings(export=formats, **flags)
    return list(notes(project.dataset(**flags), settings, project.categories))


def test_no_training_images(project: ExportProject) -> None:
    """If the fraction leaves no training images, the notes say so, and what data.yaml names instead."""
    assert notes_on(project, "yolo", "imagefolder", val_fraction=0.999)[:2] == [
        "No training images in yolo, imagefolder with --val_fraction 0.999: use a smaller fraction, or "
        "another --seed.",
        "yolo: no training images, so `train` in data.yaml names the validation images; Ultralytics does not "
        "start without any.",
    ]
    assert not any("training images" in one for one in notes_on(project, "yolo", val_fraction=0.3))


def test_classes_in_one_split(project: ExportProject) -> None:
    """The notes name each class that has no images in a split, and suggest another fraction."""
    assert (
        "No validation images of carton: too few for --val_fraction 0.1; a larger fraction or another --seed "
        "may help."
    ) in notes_on(project, "coco", val_fraction=0.1)
    assert (
        "No validation images of carton, cup: too few for --val_fraction 0.001; a larger fraction or another "
        "--seed may help."
    ) in notes_on(project, "coco", val_fraction=0.001)
    assert (
        "No training images of carton: too few for --val_fraction 0.9; a smaller fraction or another --seed "
        "may help."
    ) in notes_on(project, "coco", val_fraction=0.9)


def test_no_validation_images(project: ExportProject) -> None:
    """With --val_fraction 0 only the note on yolo mentions validation."""
    printed = notes_on(project, "yolo", "coco", val_fraction=0)
    assert printed[0] == (
        "yolo: no validation images, so `val` in data.yaml names the training images; Ultralytics does not "
        "start without any."
    )
    assert len([one for one in printed if "validation" in one]) == 1
    assert not any("validation" in one for one in notes_on(project, "coco", val_fraction=0))


@pytest.mark.parametrize("labels", ["name", "code"])
def test_classes_not_selected(project: ExportProject, labels: str) -> None:
    """The notes name labels of boxes that are not selected categories, with either kind of label."""
    assert not any("selected" in one for one in notes_on(project, "voc", labels=labels))
    project.add(CUP, f"{CUP}_50", None, (1, 1, 9, 9), label="sky")
    assert "sky was not selected, but images have such boxes, so it is a class, too." in notes_on(
        project, "voc", labels=labels
    )
    project.add(CUP, f"{CUP}_51", None, (1, 1, 9, 9), label="y" * 1_000)
    assert (
        f"sky, {'y' * 39}… were not selected, but images have such boxes, so they are classes, too."
    ) in notes_on(project, "webdataset", labels=labels)
    assert not any("selected" in one for one in notes_on(project, "imagefolder", labels=labels))


def test_flag_without_effect(project: ExportProject) -> None:
    """If no format has boxes, a note says that --export_unannotated False has no effect."""
    sentence = (
        "--export_unannotated False has no effect on imagefolder and webdataset, which contain every image."
    )
    both = ("imagefolder", "webdataset")
    assert sentence in notes_on(project, *both, export_unannotated=False)
    assert sentence not in notes_on(project, *both)
    assert not any("no effect" in one for one in notes_on(project, *both, "coco", export_unannotated=False))


def test_output_of_a_run(tmp_path: Path, web: Web) -> None:
    """A run prints the notes; formats with equal counts share a table."""
    (tmp_path / "run").mkdir()
    run = Project(tmp_path / "run")
    run.category(CUP, "cup")
    for number in range(6):
        web.answer(f"/{number}", Answer.jpeg(stored(draw(number))))
        run.url(f"{CUP}_{number}", web.url(f"/{number}"))
    run.annotate(f"{CUP}_1", (0, 0, 95, 71), size=(96, 72))
    done = run.run(
        *("--parallel", "False", "--val_fraction", "0", "--export_unannotated", "False"),
        *("--export", "yolo", "imagefolder", "coco", "webdataset"),
    )
    assert done.code == 0, done.err
    printed = done.out.splitlines()
    start = next(place for place, line in enumerate(printed) if line.split()[:2] == ["train", "images"])
    assert [line.split() for line in printed[start + 1 : start + 2]] == [["cup", "1", "0", "1", "0"]]
    assert [line.split()[2].rstrip(":") for line in printed[start + 2 : start + 4]] == ["yolo", "coco"]
    assert printed[start + 4] == "The numbers in imagefolder and webdataset:"
    assert printed[start + 6].split() == ["cup", "6", "0", "1", "0"]
    assert [line.split()[2].rstrip(":") for line in printed[start + 7 : start + 9]] == [
        "imagefolder",
        "webdataset",
    ]
    assert printed[start + 9].startswith("yolo: no validation images")
    assert len(files(run.path / "partial_imagenet_imagefolder", ".jpg")) == 6


def test_folder_with_the_name_of_an_xml_file(web: Web, tmp_path: Path) -> None:
    """The error names the folder, and the other images are exported."""
    run = Project(tmp_path)
    run.category(CUP, "cup")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(stored(draw(number))))
        run.url(f"{CUP}_{number}", web.url(f"/{number}"))
        run.annotate(f"{CUP}_{number}", (0, 0, 95, 71), size=(96, 72))
    assert run.run("--parallel", "False").code == 0
    xml = run.result / "cup" / "Annotation" / f"{CUP}_1.xml"
    xml.unlink()
    xml.mkdir()
    (run.result / "cup" / ".journal.jsonl").unlink()
    done = run.run("--parallel", "False", "--export", "imagefolder")
    assert done.code == 1
    assert f"Cannot work with {xml}: " in done.err
    assert files(run.path / "partial_imagenet_imagefolder", ".jpg") == [f"train/cup/{CUP}_0.jpg"]
