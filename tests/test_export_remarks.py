"""What is said of an export: that which the user would otherwise find out while training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo.answers import Answer
from demo.web import Web
from tests.export_project import ExportProject, draw, files, stored
from tests.project import Project
from utils.export.notes import remarks

CUP, CARTON = "n03147509", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Give a folder with two categories: many images with boxes, and two without."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    for number in range(20):
        made.add(CUP, f"{CUP}_{number}", stored(draw(number)), (1, 1, 9, 9))
    for number in range(2):
        made.add(CARTON, f"{CARTON}_{number}", stored(draw(100 + number)))
    return made


def said(project: ExportProject, *formats: str, **flags: Any) -> list[str]:
    """Give what is said of exports in some formats."""
    settings = project.settings(export=formats, **flags)
    return list(remarks(project.gather(**flags), settings, project.categories))


def test_no_image_for_training(project: ExportProject) -> None:
    """A fraction that leaves none is named, with what to do, and yolo's stopgap is no secret."""
    assert said(project, "yolo", "imagefolder", val_fraction=0.999)[:2] == [
        "No image is for training in yolo, imagefolder: all are for validation, for --val_fraction is 0.999. "
        "Give a smaller one, or another --seed.",
        "yolo: no image is for training, so that `train` in data.yaml names the validation images: "
        "Ultralytics does not start without any.",
    ]
    assert not any("for training" in one for one in said(project, "yolo", val_fraction=0.3))


def test_classes_on_one_side(project: ExportProject) -> None:
    """A class that a side lacks is named, whichever side it is; it may be the fraction that is small."""
    assert (
        "No image of carton is for validation: too few for --val_fraction 0.1; a larger one or another "
        "--seed may help."
    ) in said(project, "coco", val_fraction=0.1)
    assert (
        "No image of carton, cup is for validation: too few for --val_fraction 0.001; a larger one or "
        "another --seed may help."
    ) in said(project, "coco", val_fraction=0.001)
    assert (
        "No image of carton is for training: too few for --val_fraction 0.9; a smaller one or another --seed "
        "may help."
    ) in said(project, "coco", val_fraction=0.9)


def test_no_validation(project: ExportProject) -> None:
    """Who wants none is told what yolo names in its place, and nothing else."""
    told = said(project, "yolo", "coco", val_fraction=0)
    assert told[0] == (
        "yolo: no image is for validation, so that `val` in data.yaml names the training images: Ultralytics "
        "does not start without any."
    )
    assert len([one for one in told if "validation" in one]) == 1
    assert not any("validation" in one for one in said(project, "coco", val_fraction=0))


@pytest.mark.parametrize("labels", ["name", "code"])
def test_classes_that_nobody_selected(project: ExportProject, labels: str) -> None:
    """What is drawn on the images is a class; one or several that were not asked for are named."""
    assert not any("selected" in one for one in said(project, "voc", labels=labels))
    project.add(CUP, f"{CUP}_50", None, (1, 1, 9, 9), label="sky")
    assert "sky was not selected, but is drawn on these images, so it is a class, too." in said(
        project, "voc", labels=labels
    )
    project.add(CUP, f"{CUP}_51", None, (1, 1, 9, 9), label="y" * 1_000)
    assert (
        f"sky, {'y' * 37}... were not selected, but are drawn on these images, so they are classes, too."
    ) in said(project, "webdataset", labels=labels)
    assert not any("selected" in one for one in said(project, "imagefolder", labels=labels))


def test_a_flag_that_changes_nothing(project: ExportProject) -> None:
    """--export_unannotated False is for formats that are about boxes; where there is none it is said."""
    sentence = (
        "--export_unannotated False changes nothing in imagefolder and webdataset: every image is in them."
    )
    both = ("imagefolder", "webdataset")
    assert sentence in said(project, *both, export_unannotated=False)
    assert sentence not in said(project, *both)
    assert not any("changes nothing" in one for one in said(project, *both, "coco", export_unannotated=False))


def test_on_the_screen(tmp_path: Path, web: Web) -> None:
    """A run says all of this; formats with the same numbers share a table, others have a second one."""
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
    told = done.out.splitlines()
    start = next(place for place, line in enumerate(told) if line.split()[:2] == ["train", "images"])
    assert [line.split() for line in told[start + 1 : start + 2]] == [["cup", "1", "0", "1", "0"]]
    assert [line.split()[2].rstrip(":") for line in told[start + 2 : start + 4]] == ["yolo", "coco"]
    assert told[start + 4] == "In imagefolder and webdataset the numbers are:"
    assert told[start + 6].split() == ["cup", "6", "0", "1", "0"]
    assert [line.split()[2].rstrip(":") for line in told[start + 7 : start + 9]] == [
        "imagefolder",
        "webdataset",
    ]
    assert told[start + 9].startswith("yolo: no image is for validation")
    assert len(files(run.path / "partial_imagenet_imagefolder", ".jpg")) == 6


def test_a_folder_in_place_of_an_xml(web: Web, tmp_path: Path) -> None:
    """The sentence names it, not its category, and what else stands is exported."""
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
