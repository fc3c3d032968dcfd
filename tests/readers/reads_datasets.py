"""Image folders and tar shards, read by Hugging Face's `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import FOLDERS, SeenBox


def seen(rows: Any) -> dict[str, list[SeenBox]]:
    """Return the boxes in rows, by the image code in the URL."""
    found = {}
    for row in rows:
        boxes = zip(row["objects"]["category"], row["objects"]["bbox"], strict=True)
        code = row["url"].rpartition("/")[2].partition("?")[0]
        found[code] = [SeenBox(label, x, y, x + width, y + height) for label, (x, y, width, height) in boxes]
    return found


@pytest.mark.parametrize("labels", ["name", "code"])
def test_imagefolder(project: ExportProject, cache: str, labels: str) -> None:
    """Every image has its label, its boxes and their labels, and decodes."""
    folder = project.export("imagefolder", val_fraction=0.3, labels=labels)
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    assert set(loaded) == {"train", "validation"}
    assert not seen(loaded["train"]).keys() & seen(loaded["validation"]).keys()
    read = seen(loaded["train"]) | seen(loaded["validation"])
    truth.assert_same(read, truth.boxes(project, labels=labels))
    for rows in loaded.values():
        for row in rows:
            assert row["label"] == (row["wnid"] if labels == "code" else FOLDERS[row["wnid"]])
            assert row["image"].size > (0, 0)


def test_labels_become_classes(project: ExportProject, cache: str) -> None:
    """The column of labels can be encoded to a feature with all classes."""
    folder = project.export("imagefolder", val_fraction=0.3)
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    encoded = loaded.class_encode_column("label")
    assert encoded["train"].features["label"].names == sorted(FOLDERS.values())


LIKE_SPLITS = {"n00000001": "test equipment", "n00000002": "subway train", "n00000003": "dev, test-rocket"}


@pytest.mark.parametrize("fraction", [0, 0.4, 0.999_999])
def test_classes_with_names_of_splits(tmp_path: Path, cache: str, fraction: float) -> None:
    """A class with train, dev or test in its name is not taken for a split."""
    project = ExportProject(tmp_path, LIKE_SPLITS)
    for code in LIKE_SPLITS:
        for number in range(10):
            project.add(code, f"{code}_{number}", None, (number, 2, 30, 40))
    folder = project.export("imagefolder", val_fraction=fraction)
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    sides = {item.split.value for item in project.dataset(val_fraction=fraction).items}
    assert set(loaded) == {{"train": "train", "val": "validation"}[side] for side in sides}
    read = {code: boxes for rows in loaded.values() for code, boxes in seen(rows).items()}
    assert len(read) == sum(map(len, loaded.values())) == 30
    folders = {category.code: category.folder for category in project.categories}
    for code, boxes in read.items():
        wnid, _, number = code.partition("_")
        assert boxes == [SeenBox(folders[wnid], int(number), 2, 31, 41)]
    assert {row["label"] for rows in loaded.values() for row in rows} == set(folders.values())


def test_class_with_the_name_of_the_metadata_file(tmp_path: Path, cache: str) -> None:
    """A class with the name of the metadata file is loaded like any other."""
    project = ExportProject(tmp_path, {"n00000001": "metadata.jsonl", "n00000002": "cup"})
    for number in range(10):
        project.add("n00000001", f"n00000001_{number}", None, (1, 2, 30, 40))
        project.add("n00000002", f"n00000002_{number}")
    loaded = datasets.load_dataset(str(project.export("imagefolder", val_fraction=0.4)), cache_dir=cache)
    labels = [(row["wnid"], row["label"]) for rows in loaded.values() for row in rows]
    assert sorted(labels) == [("n00000001", "metadata.jsonl")] * 10 + [("n00000002", "cup")] * 10


@pytest.mark.parametrize("boxed", ["train", "val", "both", "none"])
def test_boxes_in_one_split_only(tmp_path: Path, cache: str, boxed: str) -> None:
    """All images can be loaded, whichever splits have boxes; boxes are there if both splits have some."""
    project = ExportProject(tmp_path, {truth.HUSKY: "husky", truth.MOUSE: "mouse"})
    for number in range(12):
        project.add(truth.HUSKY, f"{truth.HUSKY}_{number}")
    side_of = {item.record.image_code: item.split.value for item in project.dataset(val_fraction=0.4).items}
    assert set(side_of.values()) == {"train", "val"}
    for code, side in side_of.items():
        if boxed in (side, "both"):
            project.add(truth.MOUSE, code, None, (1, 2, 30, 40))
    folder = project.export("imagefolder", val_fraction=0.4)
    for where in ({"path": "imagefolder", "data_dir": str(folder)}, {"path": str(folder)}):
        loaded = datasets.load_dataset(**where, cache_dir=cache)
        assert set(loaded) == {"train", "validation"}
        assert sum(len(rows) for rows in loaded.values()) == len(project.dataset().items)
        for rows in loaded.values():
            boxes = [row["objects"]["bbox"] for row in rows if "objects" in row]
            assert any(boxes) == (boxed == "both")


def test_webdataset(project: ExportProject, cache: str) -> None:
    """The shards can be loaded, too."""
    folder = project.export("webdataset", val_fraction=0.3)
    loaded = datasets.load_dataset("webdataset", data_dir=str(folder), cache_dir=cache)
    codes = [row["__key__"] for rows in loaded.values() for row in rows]
    assert sorted(codes) == sorted(truth.boxes(project))
    assert all(row["jpg"].size == (row["json"]["width"], row["json"]["height"]) for row in loaded["train"])
