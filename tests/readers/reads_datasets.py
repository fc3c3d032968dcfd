"""Image folders and tar shards, read by Hugging Face's datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from tests.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import FOLDERS, Seen


def seen(rows: Any) -> dict[str, list[Seen]]:
    """Give what rows say, by image code; the last part of its URL says which image it is."""
    found = {}
    for row in rows:
        boxes = zip(row["objects"]["category"], row["objects"]["bbox"], strict=True)
        code = row["url"].rpartition("/")[2].partition("?")[0]
        found[code] = [Seen(label, x, y, x + width, y + height) for label, (x, y, width, height) in boxes]
    return found


@pytest.mark.parametrize("labels", ["name", "code"])
def test_imagefolder(project: ExportProject, cache: str, labels: str) -> None:
    """Every image has its label, its boxes and their labels, and can be decoded."""
    folder = project.export("imagefolder", val_fraction=0.3, labels=labels)
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=cache)
    assert set(loaded) == {"train", "validation"}
    assert not seen(loaded["train"]).keys() & seen(loaded["validation"]).keys()
    read = seen(loaded["train"]) | seen(loaded["validation"])
    truth.assert_same(read, truth.boxes(project, labels=labels))
    for rows in loaded.values():
        for row in rows:
            assert row["label"] == (row["wnid"] if labels == "code" else FOLDERS[row["wnid"]])
            assert row["image"].size > (0, 0)


def test_labels_become_classes(project: ExportProject, cache: str) -> None:
    """The column of labels becomes a feature that knows all classes, with one call."""
    folder = project.export("imagefolder", val_fraction=0.3)
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=cache)
    encoded = loaded.class_encode_column("label")
    assert encoded["train"].features["label"].names == sorted(FOLDERS.values())


@pytest.mark.parametrize("boxed", ["train", "val", "both", "none"])
def test_boxes_on_one_side_only(tmp_path: Path, cache: str, boxed: str) -> None:
    """Whether both sides have boxes or one or none, all images can be loaded; boxes are told if both have."""
    project = ExportProject(tmp_path, {truth.HUSKY: "husky", truth.MOUSE: "mouse"})
    for number in range(12):
        project.add(truth.HUSKY, f"{truth.HUSKY}_{number}")
    side_of = {item.sample.image_code: item.side.value for item in project.gather(val_fraction=0.4).items}
    assert set(side_of.values()) == {"train", "val"}
    for code, side in side_of.items():
        if boxed in (side, "both"):
            project.add(truth.MOUSE, code, None, (1, 2, 30, 40))
    folder = project.export("imagefolder", val_fraction=0.4)
    for where in ({"path": "imagefolder", "data_dir": str(folder)}, {"path": str(folder)}):
        loaded = datasets.load_dataset(**where, cache_dir=cache)
        assert set(loaded) == {"train", "validation"}
        assert sum(len(rows) for rows in loaded.values()) == len(project.gather().items)
        for rows in loaded.values():
            boxes = [row["objects"]["bbox"] for row in rows if "objects" in row]
            assert any(boxes) == (boxed == "both")


def test_webdataset(project: ExportProject, cache: str) -> None:
    """The same shards are read by datasets, too."""
    folder = project.export("webdataset", val_fraction=0.3)
    loaded = datasets.load_dataset("webdataset", data_dir=str(folder), cache_dir=cache)
    codes = [row["__key__"] for rows in loaded.values() for row in rows]
    assert sorted(codes) == sorted(truth.boxes(project))
    assert all(row["jpg"].size == (row["json"]["width"], row["json"]["height"]) for row in loaded["train"])
