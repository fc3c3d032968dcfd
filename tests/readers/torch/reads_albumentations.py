"""YOLO labels, transformed by albumentations."""

from __future__ import annotations

import albumentations
import numpy as np
import pytest

from tests.export.export_project import ExportProject
from tests.readers.truth import VAL_FRACTION


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_boxes(any_project: ExportProject, precision: type[np.floating]) -> None:
    """No box is refused for an edge outside the image, and boxes that are flipped twice are equal."""
    folder = any_project.export("yolo", val_fraction=VAL_FRACTION)
    flip = albumentations.Compose(
        [albumentations.HorizontalFlip(p=1)],
        bbox_params=albumentations.BboxParams(
            format="yolo", label_fields=["numbers"], check_each_transform=True, clip=False
        ),
    )
    image = np.zeros((72, 96, 3), dtype=np.uint8)
    read = 0
    for path in folder.glob("labels/*/*.txt"):
        rows = np.loadtxt(path, ndmin=2, dtype=precision)
        if rows.size:
            once = flip(image=image, bboxes=rows[:, 1:], numbers=rows[:, 0])
            twice = flip(image=image, bboxes=once["bboxes"], numbers=once["numbers"])
            assert np.allclose(twice["bboxes"], rows[:, 1:], atol=1e-6)
            read += len(rows)
    assert read == sum(len(item.boxes) for item in any_project.dataset().detection)
