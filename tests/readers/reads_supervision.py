"""YOLO and Pascal VOC exports, read by supervision; data.yaml, read by PyYAML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import supervision
import yaml

from tests.export.export_project import ExportProject, lines
from tests.readers import truth
from tests.readers.truth import SeenBox


def seen(dataset: supervision.DetectionDataset) -> dict[str, list[SeenBox]]:
    """Return the boxes that supervision reads, by image code; it decodes every image."""
    found = {}
    for path, image, detections in dataset:
        assert image.ndim == 3
        boxes = zip(detections.xyxy.tolist(), detections.class_id, strict=True)
        found[Path(path).stem] = [SeenBox(dataset.classes[number], *box) for box, number in boxes]
    return found


@pytest.mark.parametrize("labels", ["name", "code"])
def test_yolo(project: ExportProject, labels: str) -> None:
    """Both splits together have all images and boxes."""
    folder = project.export("yolo", val_fraction=0.3, labels=labels)
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    read: dict[str, list[SeenBox]] = {}
    for side in ("train", "val"):
        images = folder / described[side]
        dataset = supervision.DetectionDataset.from_yolo(
            str(images), str(folder / "labels" / side), str(folder / "data.yaml")
        )
        assert dataset.classes == list(described["names"].values())
        assert not read.keys() & seen(dataset).keys()
        read |= seen(dataset)
    truth.assert_same(read, truth.boxes(project, labels=labels))


def test_yolo_without_validation(project: ExportProject) -> None:
    """With fraction 0 all images are for training, and `val` names an existing folder."""
    folder = project.export("yolo", val_fraction=0)
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert "path" not in described
    assert (folder / described["val"]).is_dir()
    dataset = supervision.DetectionDataset.from_yolo(
        str(folder / described["train"]), str(folder / "labels" / "train"), str(folder / "data.yaml")
    )
    truth.assert_same(seen(dataset), truth.boxes(project))


@pytest.mark.parametrize("labels", ["name", "code"])
def test_voc(project: ExportProject, labels: str) -> None:
    """All images are read, and the image sets name each of them in one split."""
    root = project.export("voc", val_fraction=0.3, labels=labels) / "VOCdevkit" / "VOC2012"
    dataset = supervision.DetectionDataset.from_pascal_voc(
        str(root / "JPEGImages"), str(root / "Annotations")
    )
    read, true = seen(dataset), truth.boxes(project, labels=labels)
    truth.assert_same(read, true)
    train, val, both = (
        lines(root / "ImageSets" / "Main" / f"{name}.txt") for name in ("train", "val", "trainval")
    )
    assert sorted([*train, *val]) == sorted(both) == sorted(true)


def test_pixels(project: ExportProject) -> None:
    """Decoded images are those on which boxes were drawn, even with an EXIF orientation."""
    root = project.export("voc") / "VOCdevkit" / "VOC2012"
    dataset = supervision.DetectionDataset.from_pascal_voc(
        str(root / "JPEGImages"), str(root / "Annotations")
    )
    true = truth.pictures(project)
    boxed = {code for code, boxes in truth.boxes(project).items() if boxes}
    for path, image, _ in dataset:
        if Path(path).stem in boxed:
            stored = np.asarray(true[Path(path).stem], dtype=int)[..., ::-1]
            assert image.shape == stored.shape
            assert np.abs(image.astype(int) - stored).mean() < 2
