"""images.csv, labels.csv and the table on the screen, with any labels."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.export.export_project import ExportProject, draw, lines, stored
from utils.export import exporter, tables
from utils.export.formats import FORMATS

CUP, CARTON = "n03147509", "n02971356"
FORMULA = '=HYPERLINK("http://x","y")'


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories, one without boxes, and a label that is no category."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    made.add(CUP, f"{CUP}_1", None, (1, 1, 9, 9))
    made.add(CUP, f"{CUP}_2", None, (1, 1, 9, 9), label="sky")
    made.add(CARTON, f"{CARTON}_1")
    return made


def ids(folder: Path) -> dict[str, int]:
    """Read the ids of labels from labels.csv."""
    return {
        str(label): int(number)
        for label, number in pd.read_csv(folder / "labels.csv")[["label", "id"]].values
    }


def test_yolo_ids(project: ExportProject) -> None:
    """Ids count from 0, as in data.yaml; a class without images has a row, too."""
    folder = project.export("yolo", export_unannotated=False)
    assert ids(folder) == {"carton": 0, "cup": 1, "sky": 2}
    assert lines(folder / "data.yaml")[3:] == ['  0: "carton"', '  1: "cup"', '  2: "sky"']


def test_coco_ids(project: ExportProject) -> None:
    """Ids count from 1, as in the JSON."""
    folder = project.export("coco", val_fraction=0)
    made = json.loads((folder / "annotations" / "instances_train.json").read_text(encoding="utf-8"))
    assert ids(folder) == {one["name"]: one["id"] for one in made["categories"]}
    assert ids(folder) == {"carton": 1, "cup": 2, "sky": 3}


def test_webdataset_ids(project: ExportProject) -> None:
    """Ids count the lines of classes.txt from 0; labels that only boxes have come last, and are not in it."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label="blue")
    folder = project.export("webdataset")
    assert lines(folder / "classes.txt") == ["carton", "cup"]
    assert ids(folder) == {"carton": 0, "cup": 1, "blue": 2, "sky": 3}


def test_format_without_ids(project: ExportProject) -> None:
    """A format without class numbers has no column of ids."""
    table = pd.read_csv(project.export("voc") / "labels.csv")
    assert list(table.columns) == ["label", "train images", "val images", "train boxes", "val boxes"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_formulas_are_escaped(project: ExportProject, format_name: str) -> None:
    """A label that a spreadsheet would run as a formula gets an apostrophe, as in the report."""
    project.names["n09999999"] = "@home"
    project.add("n09999999", "n09999999_1", None, (1, 1, 9, 9), label=FORMULA)
    folder = project.export(format_name)
    labels = pd.read_csv(folder / "labels.csv")["label"]
    assert sorted(labels) == [f"'{FORMULA}", "'@home", "carton", "cup", "sky"]
    images = pd.read_csv(folder / "images.csv").set_index("wnid")
    assert images.loc["n09999999", "label"] == "'@home"
    assert set(images.loc[[CUP, CARTON], "label"]) == {"cup", "carton"}


def test_category_called_all(tmp_path: Path) -> None:
    """The total is the last row; a category of the same name has its own."""
    project = ExportProject(tmp_path, {CUP: "all", CARTON: "carton"})
    for number in range(3):
        project.add(CUP, f"{CUP}_{number}", stored(draw(number)))
    project.add(CARTON, f"{CARTON}_1", None, (1, 1, 9, 9))
    settings = project.settings(val_fraction=0)
    counts = exporter.export(project.dataset(val_fraction=0), "yolo", settings).counts
    rows = [line.split() for line in tables.as_text(counts).splitlines()[1:]]
    assert rows == [
        ["all", "3", "0", "0", "0"],
        ["carton", "1", "0", "1", "0"],
        ["all", "4", "0", "1", "0"],
    ]
