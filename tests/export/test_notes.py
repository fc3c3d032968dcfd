"""Notes on exports, and the output of a run with them."""

from __future__ import annotations

from dataclasses import replace
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
    return list(notes(project.dataset(**flags), settings))


def test_unusable_xml(project: ExportProject) -> None:
    """XML files of own photos are named if no box can be exported, unless they just have no objects."""
    folder = project.path / "partial_imagenet" / "cup"
    (folder / "Annotation").mkdir(exist_ok=True)
    xml = (
        "<annotation><size><width>{}</width><height>72</height></size><object><name>cup</name><bndbox>"
        "<xmin>1</xmin><ymin>1</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    texts = {
        "damaged": xml.format(96, 9)[:-20],
        "no number": xml.format(96, "nan"),
        "empty": "",
        "UTF-16": xml.format(96, 9).encode("utf-16"),
        "other shape": xml.format(200, 9),
        "valid": xml.format(96, 9),
        "without": "<annotation><size><width>96</width><height>72</height></size></annotation>",
    }
    for number, (name, text) in enumerate(texts.items(), start=500):
        (folder / "Images" / f"{name}.jpg").write_bytes(stored(draw(number)))
        data = text.encode() if isinstance(text, str) else text
        (folder / "Annotation" / f"{name}.xml").write_bytes(data)
    (note,) = [line for line in notes_on(project, "imagefolder") if "XML" in line]
    assert note == (
        "No usable box in 5 XML files of your own photos (damaged, not in UTF-8, or for an image of another "
        "shape): cup/Annotation/UTF-16.xml, cup/Annotation/damaged.xml, cup/Annotation/empty.xml, "
        "cup/Annotation/no number.xml, cup/Annotation/other shape.xml."
    )


def test_one_image_of_each_class(project: ExportProject) -> None:
    """With --per_class 1 a class cannot be in both splits, so no note advises another seed."""
    alone = notes_on(project, "imagefolder", per_class=1)
    assert any(line.startswith("Only for") for line in alone)
    assert not any("--seed" in line for line in alone)


def test_no_training_images(tmp_path: Path) -> None:
    """If the fraction leaves no training images, the notes say so, and what data.yaml names instead."""
    single = ExportProject(tmp_path, {CUP: "cup"})
    single.add(CUP, f"{CUP}_1", None, (1, 1, 9, 9))
    assert notes_on(single, "yolo", "imagefolder", val_fraction=0.999)[:2] == [
        "No training images in yolo, imagefolder with --val_fraction 0.999: use a smaller fraction, or "
        "another --seed.",
        "Only for validation: the images of cup.",
    ]
    assert (
        "yolo: no training images, so `train` in data.yaml names the validation images; Ultralytics does not "
        "start without any."
    ) in notes_on(single, "yolo", val_fraction=0.999)


def test_classes_in_one_split(project: ExportProject) -> None:
    """The notes name each class that has no images or boxes in a split, and why."""
    assert not any("Only for" in one for one in notes_on(project, "coco", "imagefolder", val_fraction=0.1))
    project.names["n00000001"] = "bowl"
    project.add("n00000001", "n00000001_1", None, (1, 1, 9, 9))
    why = (
        "A class is in both splits if it has two images that are not near-duplicates, unless all of its "
        "images were exported for the same purpose before. Another --seed splits anew."
    )
    assert notes_on(project, "imagefolder") == ["Only for training: the images of bowl.", why]
    assert notes_on(project, "coco")[:2] == ["Only for training: the boxes of bowl.", why]


def test_moved_images(project: ExportProject) -> None:
    """Images that moved to the other split since earlier exports are counted."""
    moved = replace(project.dataset(), moved=2)
    assert list(notes(moved, project.settings(export=("imagefolder",)))) == [
        "2 images moved from training to validation since earlier exports, because of near-duplicates among "
        "the validation images. Train again rather than continue a training."
    ]


def test_no_validation_images(project: ExportProject) -> None:
    """With --val_fraction 0 only the note on yolo mentions validation."""
    printed = notes_on(project, "yolo", "coco", val_fraction=0)
    assert printed[0] == (
        "yolo: no validation images, so `val` in data.yaml names the training images; Ultralytics does not "
        "start without any."
    )
    assert len([one for one in printed if "validation" in one]) == 1
    assert not any("validation" in one for one in notes_on(project, "coco", val_fraction=0))


@pytest.mark.parametrize("labels", ["name", "code", "short"])
def test_classes_of_boxes(project: ExportProject, labels: str) -> None:
    """The notes count boxes of categories that were not selected, and name the labels of users."""
    project.others["n09436708"] = "sky"
    project.add(CUP, f"{CUP}_50", None, (1, 1, 9, 9), (2, 2, 9, 9), label="sky")
    project.add(CUP, f"{CUP}_51", None, (1, 1, 9, 9), label="y" * 1_000)
    printed = notes_on(project, "voc", labels=labels)
    assert printed[-2:] == [
        "Left out: 2 boxes of categories that were not selected (sky). --other_classes True exports them.",
        f"Classes from your own labels: {'y' * 39}….",
    ]
    assert len(notes_on(project, "voc", labels=labels, other_classes=True)) == len(printed) - 1
    assert notes_on(project, "imagefolder", labels=labels) == []


def test_images_without_boxes(project: ExportProject) -> None:
    """The notes count the images without boxes that detection formats leave out or contain."""
    both = ("coco", "imagefolder", "voc")
    assert notes_on(project, *both, export_unannotated=False) == [
        "Left out of coco, voc: 2 images without boxes.",
        "coco, voc: no boxes of carton, so a detector cannot learn them.",
    ]
    assert notes_on(project, *both, export_unannotated=True) == [
        "2 images without boxes in coco, voc: most of them show objects of their category, which a detector "
        "learns to ignore. --export_unannotated False leaves them out."
    ]
    assert notes_on(project, "imagefolder", "webdataset") == []


def test_output_of_a_run(tmp_path: Path, web: Web) -> None:
    """A run prints the notes; formats with equal counts share a table."""
    (tmp_path / "run").mkdir()
    run = Project(tmp_path / "run")
    run.category(CUP, "my_cup")
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
    assert [line.split() for line in printed[start + 1 : start + 2]] == [["my_cup", "1", "0", "1", "0"]]
    assert [line.split()[2].rstrip(":") for line in printed[start + 2 : start + 4]] == ["yolo", "coco"]
    assert printed[start + 4] == "The numbers in imagefolder and webdataset:"
    assert printed[start + 6].split() == ["my_cup", "6", "0", "1", "0"]
    assert [line.split()[2].rstrip(":") for line in printed[start + 7 : start + 9]] == [
        "imagefolder",
        "webdataset",
    ]
    assert printed[start + 9].startswith("yolo: no validation images")
    assert len(files(run.path / "partial_imagenet_imagefolder", ".jpg")) == 6


def test_folder_with_the_name_of_an_xml_file(web: Web, tmp_path: Path) -> None:
    """The error names the folder, and the other images are exported."""
    run = Project(tmp_path)
    run.category(CUP, "my_cup")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(stored(draw(number))))
        run.url(f"{CUP}_{number}", web.url(f"/{number}"))
        run.annotate(f"{CUP}_{number}", (0, 0, 95, 71), size=(96, 72))
    assert run.run("--parallel", "False").code == 0
    xml = run.result / "my_cup" / "Annotation" / f"{CUP}_1.xml"
    xml.unlink()
    xml.mkdir()
    (run.result / "my_cup" / ".journal.jsonl").unlink()
    done = run.run("--parallel", "False", "--export", "imagefolder")
    assert done.code == 1
    assert f"Cannot work with {xml}: " in done.err
    assert files(run.path / "partial_imagenet_imagefolder", ".jpg") == [f"train/my_cup/{CUP}_0.jpg"]
