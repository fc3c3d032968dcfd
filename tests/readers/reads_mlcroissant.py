"""`croissant.json`, read by mlcroissant."""

from __future__ import annotations

import csv
from pathlib import Path

import mlcroissant
import pytest

from tests.result_folder import ResultFolder, with_red_and_blue
from utils.results.paths import CategoryFolder


@pytest.fixture
def some(tmp_path: Path) -> ResultFolder:
    """Make a result folder with an own photo and an image from a copy."""
    made = with_red_and_blue(ResultFolder(tmp_path / "partial_imagenet"))
    blue = CategoryFolder(made.root / "blue")
    made.image(blue, "ILSVRC2012_val_00000007", url="val.tar#ILSVRC2012_val_00000007.JPEG")
    (blue.images / "mine.jpg").write_bytes(next(blue.images.iterdir()).read_bytes())
    made.write()
    return made


def test_valid_and_without_warnings(some: ResultFolder) -> None:
    """The metadata are valid, and lack nothing that Croissant recommends."""
    issues = mlcroissant.Dataset(some.root / "croissant.json").metadata.ctx.issues
    assert (set(issues.errors), set(issues.warnings)) == (set(), set())


def test_images(some: ResultFolder) -> None:
    """Every downloaded image is read with its category and image code; own photos are not."""
    records = mlcroissant.Dataset(some.root / "croissant.json").records("images")
    read = {
        (one["images/category"].decode(), one["images/image_code"].decode()): one["images/image"].size
        for one in records
    }
    with (some.root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert read == {
        (row["category"], row["image_code"]): (int(row["width"]), int(row["height"])) for row in rows
    }


def test_manifest(some: ResultFolder) -> None:
    """The manifest is read as it is."""
    records = list(mlcroissant.Dataset(some.root / "croissant.json").records("manifest"))
    codes = ["ILSVRC2012_val_00000007", "n00000001_1", "n00000001_2", "n00000002_1"]
    assert [one["manifest/image_code"].decode() for one in records] == codes
    assert (records[1]["manifest/width"], records[1]["manifest/boxes"]) == (64, 2)
