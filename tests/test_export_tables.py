"""What labels.csv, images.csv and the table on the screen say of labels, whatever those are called."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.export_project import ExportProject, draw, lines, stored
from utils.export import exporter, tables
from utils.export.formats import FORMATS

CUP, CARTON = "n03147509", "n02971356"
FORMULA = '=HYPERLINK("http://x","y")'


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Give a folder with two categories, of which one has no boxes, and a label that is none of them."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    made.add(CUP, f"{CUP}_1", None, (1, 1, 9, 9))
    made.add(CUP, f"{CUP}_2", None, (1, 1, 9, 9), label="sky")
    made.add(CARTON, f"{CARTON}_1")
    return made


def ids(folder: Path) -> dict[str, int]:
    """Read the numbers of labels off labels.csv."""
    return {
        str(label): int(number)
        for label, number in pd.read_csv(folder / "labels.csv")[["label", "id"]].values
    }


def test_ids_are_those_of_yolo(project: ExportProject) -> None:
    """They count from 0, as in data.yaml; a class of which no image is left has its row as well."""
    folder = project.export("yolo", export_unannotated=False)
    assert ids(folder) == {"carton": 0, "cup": 1, "sky": 2}
    assert lines(folder / "data.yaml")[3:] == ['  0: "carton"', '  1: "cup"', '  2: "sky"']


def test_ids_are_those_of_coco(project: ExportProject) -> None:
    """They count from 1, as in the JSON."""
    folder = project.export("coco", val_fraction=0)
    made = json.loads((folder / "annotations" / "instances_train.json").read_text(encoding="utf-8"))
    assert ids(folder) == {one["name"]: one["id"] for one in made["categories"]}
    assert ids(folder) == {"carton": 1, "cup": 2, "sky": 3}


def test_ids_are_those_of_webdataset(project: ExportProject) -> None:
    """They count the lines of classes.txt, from 0."""
    folder = project.export("webdataset")
    assert list(ids(folder)) == lines(folder / "classes.txt")
    assert list(ids(folder).values()) == [0, 1, 2]


@pytest.mark.parametrize("format_name", ["voc", "imagefolder"])
def test_no_ids_where_labels_are_words(project: ExportProject, format_name: str) -> None:
    """A format that numbers nothing has no such column."""
    table = pd.read_csv(project.export(format_name) / "labels.csv")
    assert list(table.columns) == ["label", "train images", "val images", "train boxes", "val boxes"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_no_label_is_a_formula(project: ExportProject, format_name: str) -> None:
    """What a spreadsheet would carry out has an apostrophe before it, as in the report; nothing else has."""
    project.names["n09999999"] = "@home"
    project.add("n09999999", "n09999999_1", None, (1, 1, 9, 9), label=FORMULA)
    folder = project.export(format_name)
    labels = pd.read_csv(folder / "labels.csv")["label"]
    assert sorted(labels) == [f"'{FORMULA}", "'@home", "carton", "cup", "sky"]
    images = pd.read_csv(folder / "images.csv").set_index("wnid")
    assert images.loc["n09999999", "label"] == "'@home"
    assert set(images.loc[[CUP, CARTON], "label"]) == {"cup", "carton"}


def test_a_category_called_all(tmp_path: Path) -> None:
    """The last row is the sum, and what is called like it keeps its own."""
    project = ExportProject(tmp_path, {CUP: "all", CARTON: "carton"})
    for number in range(3):
        project.add(CUP, f"{CUP}_{number}", stored(draw(number)))
    project.add(CARTON, f"{CARTON}_1", None, (1, 1, 9, 9))
    settings = project.settings(val_fraction=0)
    counts = exporter.export(project.gather(val_fraction=0), "yolo", settings).counts
    told = [line.split() for line in tables.as_text(counts).splitlines()[1:]]
    assert told == [
        ["all", "3", "0", "0", "0"],
        ["carton", "1", "0", "1", "0"],
        ["all", "4", "0", "1", "0"],
    ]
