"""Class names that collide with file names, names of splits, or each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.export.export_project import ExportProject, files, lines, splits

CUP, CARTON = "n03147509", "n02971356"


@pytest.mark.parametrize("name", ["metadata.jsonl", "Metadata.JSONL"])
def test_class_with_the_name_of_the_metadata_file(tmp_path: Path, name: str) -> None:
    """The folder of such a class has its code appended; its label does not change."""
    project = ExportProject(tmp_path, {CUP: name, CARTON: "carton"})
    project.add(CUP, f"{CUP}_1")
    project.add(CARTON, f"{CARTON}_1")
    train = project.export("imagefolder", val_fraction=0) / "train"
    assert files(train) == sorted([f"{name}_{CUP}/{CUP}_1.jpg", f"carton/{CARTON}_1.jpg", "metadata.jsonl"])
    records = [json.loads(line) for line in lines(train / "metadata.jsonl")]
    assert {one["file_name"]: one["label"] for one in records} == {
        f"{name}_{CUP}/{CUP}_1.jpg": name,
        f"carton/{CARTON}_1.jpg": "carton",
    }


@pytest.mark.parametrize(
    ("fraction", "wanted"), [(0, ["train"]), (0.5, ["train", "val"]), (0.000_001, ["train", "val"])]
)
def test_imagefolder_readme_names_the_splits(tmp_path: Path, fraction: float, wanted: list[str]) -> None:
    """README.md lists the splits that have images, by the names that `datasets` uses."""
    project = ExportProject(tmp_path, {CUP: "test tube"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    folder = project.export("imagefolder", val_fraction=fraction)
    names = {"train": "train", "val": "validation"}
    sides = [line for side in wanted for line in (f"  - split: {names[side]}", f"    path: {side}/**")]
    start = ["---", "configs:", "- config_name: default", "  data_files:"]
    assert lines(folder / "README.md")[: len(start) + len(sides) + 1] == [*start, *sides, "---"]


def test_voc_labels_that_differ_by_case(tmp_path: Path) -> None:
    """The image sets of a class have the same file name in both splits, with a number if needed."""
    project = ExportProject(tmp_path, {CUP: "cup"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    split_of = splits(project.dataset(val_fraction=0.5))
    train, val = (sorted(code for code in split_of if split_of[code] == side) for side in ("train", "val"))
    project.add(CUP, train[0], None, (1, 1, 9, 9), label="Sky")
    for code, label in ((train[1], "sky"), (val[0], "sky"), (val[1], "an apple"), (train[2], "an apple")):
        project.add(CUP, code, None, (1, 1, 9, 9), label=label)
    main = project.export("voc", val_fraction=0.5) / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"
    positive = {
        path.name: sorted(line.split()[0] for line in lines(path) if line.endswith(" 1"))
        for path in main.glob("*y_*_*.txt")
    }
    assert positive == {
        "Sky_class_0_train.txt": [train[0]],
        "Sky_class_0_trainval.txt": [train[0]],
        "sky_class_2_train.txt": [train[1]],
        "sky_class_2_val.txt": [val[0]],
        "sky_class_2_trainval.txt": sorted([train[1], val[0]]),
    }
