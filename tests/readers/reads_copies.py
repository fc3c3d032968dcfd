"""Copies of ImageNet, written by `webdataset` and `datasets`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
import webdataset

from tests.copies.lookalikes import (
    DOG,
    FISH,
    LABELS,
    SHARK,
    SIZE,
    TRAINING,
    VALIDATION,
    VALIDATION_CODES,
    all_images,
    parquet_rows,
    validation_rows,
)
from tests.project import ALONE, Project


def write_shards(folder: Path) -> None:
    """Write shards of ImageNet-1k, of seven samples each."""
    samples = [(one, code, data) for code, images in TRAINING.items() for one, data in images.items()]
    samples += [(one, code, VALIDATION[one]) for one, code in VALIDATION_CODES.items()]
    with webdataset.ShardWriter(str(folder / "imagenet1k-train-%04d.tar"), maxcount=7, verbose=0) as shards:
        for key, code, data in samples:
            about = {"label": LABELS[code], "width": SIZE[0], "height": SIZE[1], "filename": f"{key}.JPEG"}
            shards.write({"__key__": key, "jpg": data, "json": about, "cls": LABELS[code]})


def write_parquet(folder: Path) -> None:
    """Write the files of the Hub's dataset."""
    names = [f"class {number}" for number in range(1000)]
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=names))
    for side, rows in (("train", parquet_rows()), ("validation", validation_rows())):
        written = datasets.Dataset.from_list(rows, features=features)
        written.to_parquet(str(folder / f"{side}-00000-of-00001.parquet"), batch_size=2)


@pytest.mark.parametrize("write", [write_shards, write_parquet])
def test_same_images(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """All images of the selected categories are found, and saved as they are."""
    folder = tmp_path / "copy"
    folder.mkdir()
    write(folder)
    project = Project(tmp_path, always=ALONE)
    for code, name in ((FISH, "tench"), (SHARK, "shark"), (DOG, "Chihuahua")):
        project.category(code, name, marked=code != SHARK)
    finished = project.run("--copy", str(folder))
    assert finished.code == 0, finished.err
    assert "2 of the 2 selected categories" in finished.out
    for code, name in ((FISH, "tench"), (DOG, "Chihuahua")):
        images = {
            one: (project.result / name / "Images" / f"{one}.jpg").read_bytes() for one in all_images()[code]
        }
        assert images == all_images()[code]
        assert project.images(name) == {f"{one}.jpg" for one in images}
