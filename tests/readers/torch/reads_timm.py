"""Image folders and tar shards, read by timm."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from timm.data import create_dataset
from torch.utils.data import DataLoader

from tests.export.export_project import ExportProject, lines
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION


def test_folder(any_project: ExportProject) -> None:
    """Every image has the number of its class in `classes.txt`, and its stored pixels."""
    folder = any_project.export("imagefolder", val_fraction=VAL_FRACTION)
    numbers = truth.class_numbers(any_project, of_boxes=False)
    pixels, classes = {}, {}
    for side in ("train", "val"):
        data = create_dataset("", root=folder, split=side, class_map=str(folder / "classes.txt"))
        assert data.reader.class_to_idx == numbers
        for index, (image, number) in enumerate(data):
            code = Path(data.filename(index)).stem
            classes[code] = list(numbers)[number]
            pixels[code] = np.asarray(image)
    assert classes == truth.classes(any_project)
    truth.assert_same_pixels(pixels, any_project)


def test_shards(any_project: ExportProject) -> None:
    """Two workers (one if there is one image) read every image and its class once in an epoch."""
    folder = any_project.export("webdataset", val_fraction=VAL_FRACTION)
    numbers = truth.class_numbers(any_project, of_boxes=False)
    assert lines(folder / "classes.txt") == list(numbers)
    read: Counter[str] = Counter()
    for side in ("train", "val"):
        described = json.loads((folder / "_info.json").read_text(encoding="utf-8"))["splits"][side]
        data = create_dataset("wds/", root=str(folder), split=side, batch_size=1, is_training=False)
        loader = DataLoader(data, batch_size=None, num_workers=min(2, described["num_samples"]))
        found = [list(numbers)[number] for _, number in loader]
        assert len(found) == len(data) == described["num_samples"]
        read.update(found)
    assert read == Counter(truth.classes(any_project).values())
