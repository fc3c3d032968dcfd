"""Names that get in an export's way: classes that are called like files, like sides, or like each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.export_project import ExportProject, files, lines, sides

CUP, CARTON = "n03147509", "n02971356"


@pytest.mark.parametrize("name", ["metadata.jsonl", "Metadata.JSONL"])
def test_a_class_that_is_called_like_the_metadata(tmp_path: Path, name: str) -> None:
    """Its folder has its code appended, and its label stays."""
    project = ExportProject(tmp_path, {CUP: name, CARTON: "carton"})
    project.add(CUP, f"{CUP}_1")
    project.add(CARTON, f"{CARTON}_1")
    train = project.export("imagefolder", val_fraction=0) / "train"
    assert files(train) == sorted([f"{name}_{CUP}/{CUP}_1.jpg", f"carton/{CARTON}_1.jpg", "metadata.jsonl"])
    told = [json.loads(line) for line in lines(train / "metadata.jsonl")]
    assert {one["file_name"]: one["label"] for one in told} == {
        f"{name}_{CUP}/{CUP}_1.jpg": name,
        f"carton/{CARTON}_1.jpg": "carton",
    }


@pytest.mark.parametrize(
    ("fraction", "wanted"), [(0, ["train"]), (0.5, ["train", "val"]), (0.999_999, ["val"])]
)
def test_an_image_folder_says_which_side_is_which(tmp_path: Path, fraction: float, wanted: list[str]) -> None:
    """Its README.md names the sides that there are, in words that `datasets` knows."""
    project = ExportProject(tmp_path, {CUP: "test tube"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    folder = project.export("imagefolder", val_fraction=fraction)
    words = {"train": "train", "val": "validation"}
    sides = [line for side in wanted for line in (f"  - split: {words[side]}", f"    path: {side}/**")]
    start = ["---", "configs:", "- config_name: default", "  data_files:"]
    assert lines(folder / "README.md")[: len(start) + len(sides) + 1] == [*start, *sides, "---"]


def test_labels_that_differ_by_case_have_lists_of_the_same_names(tmp_path: Path) -> None:
    """In Pascal VOC's folders a class's lists are called the same on both sides, whichever has which."""
    project = ExportProject(tmp_path, {CUP: "cup"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    split = sides(project.gather(val_fraction=0.5))
    train, val = (sorted(code for code in split if split[code] == side) for side in ("train", "val"))
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
