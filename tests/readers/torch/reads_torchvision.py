"""Image folders, Pascal VOC and COCO exports, read by torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION, SeenBox


def test_image_folder(any_project: ExportProject) -> None:
    """Both sides number all classes alike, and every image has its class and its stored pixels."""
    folder = any_project.export("imagefolder", val_fraction=VAL_FRACTION)
    pixels, classes = {}, {}
    for side in ("train", "val"):
        data = datasets.ImageFolder(folder / side, allow_empty=True)
        assert data.class_to_idx == truth.class_numbers(any_project, of_boxes=False)
        for (path, number), (image, _) in zip(data.samples, data, strict=True):
            classes[Path(path).stem] = data.classes[number]
            pixels[Path(path).stem] = np.asarray(image)
    assert classes == truth.classes(any_project)
    truth.assert_same_pixels(pixels, any_project)


def test_voc(any_project: ExportProject) -> None:
    """Every image has its stored pixels, and its boxes with coordinates from 1."""
    folder = any_project.export("voc", val_fraction=VAL_FRACTION)
    pixels, boxes = {}, {}
    for side in ("train", "val"):
        for image, target in datasets.VOCDetection(folder, year="2012", image_set=side):
            described = target["annotation"]
            code = Path(described["filename"]).stem
            pixels[code] = np.asarray(image.convert("RGB"))
            boxes[code] = [
                SeenBox(
                    one["name"],
                    int(one["bndbox"]["xmin"]) - 1,
                    int(one["bndbox"]["ymin"]) - 1,
                    int(one["bndbox"]["xmax"]),
                    int(one["bndbox"]["ymax"]),
                )
                for one in described.get("object", [])
            ]
    truth.assert_same(boxes, truth.boxes(any_project))
    truth.assert_same_pixels(pixels, any_project)


@pytest.mark.parametrize("target_keys", ["all", None])
def test_coco(any_project: ExportProject, target_keys: str | None) -> None:
    """Every image has its stored pixels, its boxes with their numbers, and masks that fill the boxes."""
    folder = any_project.export("coco", val_fraction=VAL_FRACTION)
    numbers = truth.class_numbers(any_project, of_boxes=True)
    names = {number + 1: name for name, number in numbers.items()}
    assert truth.ids(folder) == {name: number for number, name in names.items()}
    pixels, boxes = {}, {}
    for side in ("train", "val"):
        plain = datasets.CocoDetection(folder / side, folder / "annotations" / f"instances_{side}.json")
        data = datasets.wrap_dataset_for_transforms_v2(plain, target_keys=target_keys)
        for image, target in data:
            code = Path(plain.coco.imgs[target["image_id"]]["file_name"]).stem
            pixels[code] = np.asarray(image)
            corners = target["boxes"].tolist() if "boxes" in target else []
            found = zip(target["labels"].tolist(), corners, strict=True) if corners else ()
            boxes[code] = [SeenBox(names[number], *box) for number, box in found]
            for mask, (left, top, right, bottom) in zip(target.get("masks", ()), corners, strict=False):
                assert mask.sum() == mask[int(top) : int(bottom), int(left) : int(right)].sum()
                assert mask.sum() == (right - left) * (bottom - top)
    truth.assert_same(boxes, truth.boxes(any_project))
    truth.assert_same_pixels(pixels, any_project)
