"""YOLO and Pascal VOC exports, read by supervision; data.yaml, read by PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import supervision
import yaml
from numpy.typing import NDArray

from tests.export.export_project import ExportProject, lines
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION, SeenBox

Seen: TypeAlias = tuple[dict[str, list[SeenBox]], dict[str, NDArray[np.uint8]]]


def seen(dataset: supervision.DetectionDataset) -> Seen:
    """Return the boxes and the pixels (in RGB) that supervision reads, by image code."""
    boxes, pixels = {}, {}
    for path, image, detections in dataset:
        found = zip(detections.xyxy.tolist(), detections.class_id, strict=True)
        boxes[Path(path).stem] = [SeenBox(dataset.classes[number], *box) for box, number in found]
        pixels[Path(path).stem] = image[..., ::-1]
    return boxes, pixels


@pytest.mark.parametrize("labels", ["name", "code"])
def test_yolo(any_project: ExportProject, labels: str) -> None:
    """Both splits together have all images with their stored pixels, and all boxes."""
    folder = any_project.export("yolo", val_fraction=VAL_FRACTION, labels=labels)
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    boxes: dict[str, list[SeenBox]] = {}
    pixels: dict[str, NDArray[np.uint8]] = {}
    for side in ("train", "val"):
        dataset = supervision.DetectionDataset.from_yolo(
            str(folder / described[side]), str(folder / "labels" / side), str(folder / "data.yaml")
        )
        assert dataset.classes == list(described["names"].values()) == list(truth.ids(folder))
        of_side = seen(dataset)
        assert not boxes.keys() & of_side[0].keys()
        boxes |= of_side[0]
        pixels |= of_side[1]
    truth.assert_same(boxes, truth.boxes(any_project, labels=labels))
    truth.assert_same_pixels(pixels, any_project)


def test_yolo_without_validation(project: ExportProject) -> None:
    """With fraction 0 all images are for training, and `val` names an existing folder."""
    folder = project.export("yolo", val_fraction=0)
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert "path" not in described
    assert (folder / described["val"]).is_dir()
    dataset = supervision.DetectionDataset.from_yolo(
        str(folder / described["train"]), str(folder / "labels" / "train"), str(folder / "data.yaml")
    )
    truth.assert_same(seen(dataset)[0], truth.boxes(project))


@pytest.mark.parametrize("labels", ["name", "code"])
def test_voc(any_project: ExportProject, labels: str) -> None:
    """All images are read with their stored pixels, and the image sets name each of them in one split."""
    root = any_project.export("voc", val_fraction=VAL_FRACTION, labels=labels) / "VOCdevkit" / "VOC2012"
    boxes, pixels = seen(
        supervision.DetectionDataset.from_pascal_voc(str(root / "JPEGImages"), str(root / "Annotations"))
    )
    truth.assert_same(boxes, truth.boxes(any_project, labels=labels))
    truth.assert_same_pixels(pixels, any_project)
    train, val, both = (
        lines(root / "ImageSets" / "Main" / f"{name}.txt") for name in ("train", "val", "trainval")
    )
    assert sorted([*train, *val]) == sorted(both) == sorted(boxes)
