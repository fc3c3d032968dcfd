"""Folders and metadata of image folders; `tests/readers` loads them with `datasets`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.export.export_project import ExportProject, files, lines
from utils.export import imagefolder

CUP, CARTON = "n03147509", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories, and boxes with a label that is no category and sorts between them."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton, it's"})
    made.add(CUP, f"{CUP}_1", None, (0, 0, 95, 71), (10, 20, 29, 59))
    made.add(CUP, f"{CUP}_2")
    made.add(CARTON, f"{CARTON}_1", None, (1, 2, 3, 4), label="club")
    return made


def features(folder: Path, split: str) -> dict[str, Any]:
    """Read the features in the schema of a split."""
    schema = pq.read_schema(folder / split / "metadata.parquet")
    read: dict[str, Any] = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(read) == schema.names
    return read


def config_name(folder: Path) -> str:
    """Read the name of the configuration in README.md."""
    (name,) = re.findall(r"^- config_name: (\S+)\n  default: true$", (folder / "README.md").read_text(), re.M)
    return str(name)


def test_metadata(project: ExportProject) -> None:
    """Each class has a folder, and each image a row with the numbers of its classes."""
    folder = project.export("imagefolder", val_fraction=0)
    assert files(folder / "train") == [
        f"carton,_it's/{CARTON}_1.jpg",
        f"cup/{CUP}_1.jpg",
        f"cup/{CUP}_2.jpg",
        "metadata.parquet",
    ]
    rows = pq.read_table(folder / "train" / "metadata.parquet").to_pylist()
    assert rows[1] == {
        "file_name": f"cup/{CUP}_1.jpg",
        "label": 1,
        "wnid": CUP,
        "url": f"http://images.test/{CUP}_1?of={CUP}",
        "objects": {"bbox": [[0, 0, 96, 72], [10, 20, 20, 40]], "category": [1, 1]},
    }
    assert rows[0]["objects"] == {"bbox": [[1, 2, 3, 3]], "category": [2]}
    assert rows[2]["objects"] == {"bbox": [], "category": []}


def test_class_numbers(project: ExportProject) -> None:
    """Labels that only boxes have come after the classes, so that these have the numbers of their folders."""
    folder = project.export("imagefolder", val_fraction=0)
    read = features(folder, "train")
    assert read["label"]["names"] == lines(folder / "classes.txt") == ["carton,_it's", "cup"]
    category = read["objects"]["category"]["feature"]["names"]
    assert category == ["carton,_it's", "cup", "club"]
    ids = pd.read_csv(folder / "labels.csv").set_index("label")["id"].to_dict()
    assert ids == {label: number for number, label in enumerate(category)}


def test_splits_are_alike(tmp_path: Path) -> None:
    """Both splits have the same features and a folder for each class, even for classes without images."""
    project = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    project.add(CARTON, f"{CARTON}_1", None, (1, 2, 3, 4))
    for number in range(4):
        project.add(CUP, f"{CUP}_{number}")
    folder = project.export("imagefolder", val_fraction=0.4)
    assert features(folder, "train") == features(folder, "val")
    for split in ("train", "val"):
        names = sorted(path.name for path in (folder / split).iterdir() if path.is_dir())
        assert names == lines(folder / "classes.txt") == ["carton", "cup"]
    assert len(files(folder / "val" / "carton")) + len(files(folder / "train" / "carton")) == 1


@pytest.mark.parametrize("name", ["metadata.parquet", "Metadata.PARQUET"])
def test_class_with_the_name_of_the_metadata_file(tmp_path: Path, name: str) -> None:
    """Such a class has another folder, whose position among the others is that of its class."""
    names = {CUP: name, "n00000001": f"{name}, old", "n00000002": f"{name}-", "n00000003": "apple"}
    project = ExportProject(tmp_path, names)
    for code in names:
        project.add(code, f"{code}_1")
    folder = project.export("imagefolder", val_fraction=0)
    folders = lines(folder / "classes.txt")
    assert folders == sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    classes = features(folder, "train")["label"]["names"]
    assert dict(zip(classes, folders, strict=True))[name] == f"{name}!"


def class_folders(project: ExportProject, classes: list[str]) -> dict[str, str]:
    """Export with these classes, and return the folder of each; folders have the order of classes."""
    project.names = {f"n{number:08}": f"name {number}" for number in range(len(classes))}
    project.classes = dict(zip(project.names, classes, strict=True))
    for code in project.names:
        project.add(code, f"{code}_1")
    folder = project.export("imagefolder", val_fraction=0)
    folders = lines(folder / "classes.txt")
    assert folders == sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    images = pd.read_csv(folder / "images.csv")
    of_images = dict(zip(images["label"], images["file"].str.split("/").str[1], strict=True))
    found = dict(zip(features(folder, "train")["label"]["names"], folders, strict=True))
    assert of_images == found
    assert list(found) == sorted(classes)
    return found


def test_folders_of_classes(tmp_path: Path) -> None:
    """Folders have the names of classes, as safe as those of categories."""
    found = class_folders(ExportProject(tmp_path, {}), ["sled dog", "carton", 'a/b: "c"'])
    assert found == {"sled dog": "sled_dog", "carton": "carton", 'a/b: "c"': "ab_c"}


@pytest.mark.parametrize(
    "classes", [["sled dog", "sled1"], ["a dog", "a_dog"], ["///", "a"], ["CON", "../x"]]
)
def test_folders_in_the_order_of_classes(tmp_path: Path, classes: list[str]) -> None:
    """If the names of folders would have another order than the classes, they begin with the class number."""
    found = class_folders(ExportProject(tmp_path, {}), classes)
    assert len({name.casefold() for name in found.values()}) == len(classes)


@pytest.mark.parametrize(("fraction", "wanted"), [(0, ["train"]), (0.5, ["train", "val"])])
def test_readme_names_the_splits(tmp_path: Path, fraction: float, wanted: list[str]) -> None:
    """README.md lists the splits that have images, by the names that `datasets` uses."""
    project = ExportProject(tmp_path, {CUP: "test tube"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    folder = project.export("imagefolder", val_fraction=fraction)
    names = {"train": "train", "val": "validation"}
    sides = [line for side in wanted for line in (f"  - split: {names[side]}", f"    path: {side}/**")]
    read = lines(folder / "README.md")
    assert read[2] == f"- config_name: {config_name(folder)}"
    assert read[4 : 6 + len(sides)] == ["  data_files:", *sides, "---"]


def test_config_name_follows_contents(project: ExportProject) -> None:
    """The configuration has another name if images, boxes, splits or classes have changed, only then."""
    options = [
        {"val_fraction": 0},
        {"val_fraction": 0.5},
        {"val_fraction": 0, "labels": "code"},
        {"val_fraction": 0, "other_classes": True},
    ]
    names = [config_name(project.export("imagefolder", **flags)) for flags in options]
    assert len(set(names[:3])) == 3
    assert names[3] == names[0]
    project.add(CUP, f"{CUP}_2", None, (1, 1, 9, 9))
    changed = [config_name(project.export("imagefolder", val_fraction=0)) for _ in range(2)]
    assert changed[0] == changed[1]
    assert changed[0] not in names


def test_row_groups(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows are several row groups, since readers load a whole one at once."""
    monkeypatch.setattr(imagefolder, "ROWS", 2)
    path = project.export("imagefolder", val_fraction=0) / "train" / "metadata.parquet"
    assert pq.ParquetFile(path).num_row_groups == 2
