"""Tar shards, read by `webdataset` in worker processes."""

from __future__ import annotations

import numpy as np
import webdataset
from torch.utils.data import DataLoader

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION, SeenBox


def test_workers(any_project: ExportProject) -> None:
    """Four workers read every sample once (one worker an image if there are fewer), as it was written."""
    flags = {"val_fraction": VAL_FRACTION}
    folder = any_project.export("webdataset", **flags)
    names = list(truth.class_numbers(any_project, of_boxes=False))
    pixels, boxes, classes = {}, {}, {}
    for side in ("train", "val"):
        shards = sorted(str(path) for path in folder.glob(f"{side}-*.tar"))
        data = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")
        images = sum(item.split.value == side for item in any_project.dataset(**flags).items)
        for sample in DataLoader(data, batch_size=None, num_workers=min(4, images)):
            code = sample["__key__"]
            assert code not in pixels
            pixels[code] = np.asarray(sample["jpg"])
            classes[code] = names[sample["cls"]]
            found = [(one["label"], *one["bbox"]) for one in sample["json"]["boxes"]]
            boxes[code] = [SeenBox(label, x, y, x + w, y + h) for label, x, y, w, h in found]
    assert classes == truth.classes(any_project)
    truth.assert_same(boxes, truth.boxes(any_project))
    truth.assert_same_pixels(pixels, any_project)
