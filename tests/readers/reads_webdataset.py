"""Tar shards, read by `webdataset`."""

from __future__ import annotations

import pytest
import webdataset

from tests.export.export_project import ExportProject, lines
from tests.readers import truth
from tests.readers.truth import FOLDERS, SeenBox


@pytest.mark.parametrize("labels", ["name", "code"])
def test_same_images_boxes_and_labels(project: ExportProject, labels: str) -> None:
    """Every sample has its image, its class and its description."""
    folder = project.export("webdataset", val_fraction=0.3, labels=labels)
    classes = lines(folder / "classes.txt")
    read: dict[str, list[SeenBox]] = {}
    for side in ("train", "val"):
        shards = [str(path) for path in sorted(folder.glob(f"{side}-*.tar"))]
        for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
            described = sample["json"]
            assert sample["jpg"].size == (described["width"], described["height"])
            assert classes[sample["cls"]] == described["label"]
            assert described["label"] == (
                described["wnid"] if labels == "code" else FOLDERS[described["wnid"]]
            )
            boxes = [(one["label"], *one["bbox"]) for one in described["boxes"]]
            assert sample["__key__"] not in read
            read[sample["__key__"]] = [SeenBox(label, x, y, x + w, y + h) for label, x, y, w, h in boxes]
    truth.assert_same(read, truth.boxes(project, labels=labels))
