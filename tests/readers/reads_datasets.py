"""Image folders and tar shards, read by Hugging Face's `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

from tests.export.export_project import ExportProject, splits
from tests.readers import truth
from tests.readers.truth import FOLDERS, SeenBox


def seen(rows: Any) -> dict[str, list[SeenBox]]:
    """Return the boxes in rows, by the image code in the URL."""
    names = rows.features["objects"]["category"].feature.names
    found = {}
    for row in rows:
        boxes = zip(row["objects"]["category"], row["objects"]["bbox"], strict=True)
        code = row["url"].rpartition("/")[2].partition("?")[0]
        found[code] = [
            SeenBox(names[number], x, y, x + width, y + height) for number, (x, y, width, height) in boxes
        ]
    return found


def ways(folder: Path) -> list[dict[str, str]]:
    """Return the ways to load an export."""
    return [{"path": str(folder)}, {"path": folder.name.rpartition("_")[2], "data_dir": str(folder)}]


@pytest.mark.parametrize("labels", ["name", "code"])
def test_imagefolder(project: ExportProject, cache: str, labels: str) -> None:
    """Every image has its label, its boxes and their labels, and decodes; numbers are those of labels.csv."""
    folder = project.export("imagefolder", val_fraction=0.3, labels=labels)
    numbers = pd.read_csv(folder / "labels.csv").set_index("label")["id"].to_dict()
    for way in ways(folder):
        loaded = datasets.load_dataset(**way, cache_dir=cache)
        assert set(loaded) == {"train", "validation"}
        assert loaded["train"].features == loaded["validation"].features
        assert not seen(loaded["train"]).keys() & seen(loaded["validation"]).keys()
        read = seen(loaded["train"]) | seen(loaded["validation"])
        truth.assert_same(read, truth.boxes(project, labels=labels))
        for rows in loaded.values():
            for row in rows:
                label = row["wnid"] if labels == "code" else FOLDERS[row["wnid"]]
                assert row["label"] == numbers[label] == rows.features["label"].str2int(label)
                assert row["image"].size > (0, 0)


def test_pixels(any_project: ExportProject, cache: str) -> None:
    """Every image has its stored pixels, in both formats."""
    for name, column in {"imagefolder": "image", "webdataset": "jpg"}.items():
        folder = any_project.export(name, val_fraction=0.3)
        pixels = {
            str(row.get("__key__") or Path(row["url"]).name.partition("?")[0]): np.asarray(
                row[column].convert("RGB")
            )
            for rows in datasets.load_dataset(str(folder), cache_dir=cache).values()
            for row in rows
        }
        truth.assert_same_pixels(pixels, any_project)


@pytest.mark.parametrize("format_name", ["imagefolder", "webdataset"])
def test_new_export_is_not_read_from_the_cache(tmp_path: Path, cache: str, format_name: str) -> None:
    """After another category, another box and an excluded image, a kept cache gives the new export."""
    project = ExportProject(tmp_path, {truth.HUSKY: "husky"})
    for number in range(20):
        project.add(truth.HUSKY, f"{truth.HUSKY}_{number}", None, (1, 2, 30, 40))

    def check() -> None:
        for way in ways(project.export(format_name, val_fraction=0.3)):
            loaded = datasets.load_dataset(**way, cache_dir=cache)
            items = project.dataset(val_fraction=0.3).items
            expected = sorted((item.wnid, item.label, len(item.boxes)) for item in items)
            assert sorted(row for rows in loaded.values() for row in summary(rows)) == expected

    check()
    project.names[truth.MOUSE] = "cat, which sorts first"
    for number in range(5):
        project.add(truth.MOUSE, f"{truth.MOUSE}_{number}", None, (1, 2, 30, 40))
    check()
    project.add(truth.MOUSE, f"{truth.MOUSE}_0", None, (1, 2, 30, 40), (5, 5, 9, 9))
    check()
    (project.path / "partial_imagenet" / "husky" / "Images" / f"{truth.HUSKY}_3.jpg").unlink()
    check()


def summary(rows: Any) -> list[tuple[str, str, int]]:
    """Return code, class and number of boxes of each row of an image folder or of tar shards."""
    if "json" in rows.features:
        return [(one["wnid"], one["label"], len(one["boxes"])) for one in rows["json"]]
    names = rows.features["label"].names
    return [(row["wnid"], names[row["label"]], len(row["objects"]["bbox"])) for row in rows]


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
    names = loaded["train"].features["label"].names
    assert {names[row["label"]] for rows in loaded.values() for row in rows} == set(folders.values())


@pytest.mark.parametrize(
    "name", ["metadata.parquet", "metadata.jsonl", "train", "val", "__pycache__", "[a-b]"]
)
def test_odd_class_names(tmp_path: Path, cache: str, name: str) -> None:
    """A class with the name of a metadata file, a split or a special folder is loaded like any other."""
    project = ExportProject(tmp_path, {"n00000001": name, "n00000002": "cup"})
    for number in range(10):
        project.add("n00000001", f"n00000001_{number}", None, (1, 2, 30, 40))
        project.add("n00000002", f"n00000002_{number}")
    folder = project.export("imagefolder", val_fraction=0.4)
    for way in ways(folder):
        loaded = datasets.load_dataset(**way, cache_dir=cache)
        read = sorted(row for rows in loaded.values() for row in summary(rows))
        assert read == [("n00000001", name, 1)] * 10 + [("n00000002", "cup", 0)] * 10


@pytest.mark.parametrize("format_name", ["imagefolder", "webdataset"])
def test_classes_of_users(tmp_path: Path, cache: str, format_name: str) -> None:
    """Classes are loaded by the names that users gave them, whatever folders they have."""
    classes = {"n00000001": "sled dog", "n00000002": "sled dog", "n00000003": "sled1", "n00000004": "a/b: c"}
    project = ExportProject(tmp_path, {code: f"name {code}" for code in classes}, classes=classes)
    for code in classes:
        for number in range(6):
            project.add(code, f"{code}_{number}", None, (1, 2, 30, 40))
    folder = project.export(format_name, val_fraction=0.4)
    for way in ways(folder):
        loaded = datasets.load_dataset(**way, cache_dir=cache)
        read = sorted(row for rows in loaded.values() for row in summary(rows))
        assert read == sorted((code, name, 1) for code, name in classes.items() for _ in range(6))


@pytest.mark.parametrize("boxed", ["train", "val", "both", "none"])
@pytest.mark.parametrize("format_name", ["imagefolder", "webdataset"])
def test_boxes_in_one_split_only(tmp_path: Path, cache: str, format_name: str, boxed: str) -> None:
    """All images and boxes are loaded, whichever splits have boxes."""
    project = ExportProject(tmp_path, {truth.HUSKY: "husky", truth.MOUSE: "mouse"})
    for number in range(12):
        project.add(truth.HUSKY, f"{truth.HUSKY}_{number}")
    side_of = splits(project.dataset(val_fraction=0.4))
    assert set(side_of.values()) == {"train", "val"}
    for code, side in side_of.items():
        if boxed in (side, "both"):
            project.add(truth.MOUSE, code, None, (1, 2, 30, 40))
    folder = project.export(format_name, val_fraction=0.4)
    for way in ways(folder):
        if format_name == "webdataset" and boxed == "train" and "data_dir" in way:
            continue  # the types of columns are inferred from the last split, which has no boxes
        loaded = datasets.load_dataset(**way, cache_dir=cache)
        assert set(loaded) == {"train", "validation"}
        for split, rows in loaded.items():
            side = {"train": "train", "validation": "val"}[split]
            images = [item for item in project.dataset(val_fraction=0.4).items if item.split.value == side]
            boxes = [number for _, _, number in summary(rows)]
            assert sorted(boxes) == sorted(len(item.boxes) for item in images)
            assert any(boxes) == (boxed in (side, "both"))


def test_webdataset(project: ExportProject, cache: str) -> None:
    """The shards can be loaded, too."""
    folder = project.export("webdataset", val_fraction=0.3)
    for way in ways(folder):
        loaded = datasets.load_dataset(**way, cache_dir=cache)
        codes = [row["__key__"] for rows in loaded.values() for row in rows]
        assert sorted(codes) == sorted(truth.boxes(project))
        assert all(
            row["jpg"].size == (row["json"]["width"], row["json"]["height"]) for row in loaded["train"]
        )
