"""COCO: `train/`, `val/` and `annotations/instances_*.json`, as read by pycocotools.

`segmentation` repeats the box as a polygon. If it is empty or missing, pycocotools and torchvision fail to
draw annotations or to decode masks.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from ..models.images import Box
from .dataset import Dataset, ExportedItem, Format, Split
from .link_image import link_image, unique_stems

FIRST_ID = 1
"""Number of the first class, image and box; class 0 is the background in COCO."""
SNIPPET = """\
from pycocotools.coco import COCO

coco = COCO("partial_imagenet_coco/annotations/instances_train.json")
for image in coco.loadImgs(coco.getImgIds()):
    path = f"partial_imagenet_coco/train/{image['file_name']}"
    boxes = [one["bbox"] for one in coco.loadAnns(coco.getAnnIds(image["id"]))]"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the images, and a JSON file for each split that has any."""
    (folder / "annotations").mkdir()
    exported: dict[Split, list[ExportedItem]] = {}
    for stem, item in unique_stems(dataset.detection):
        split_folder = folder / item.split.value
        split_folder.mkdir(exist_ok=True)
        file = f"{item.split.value}/{link_image(item, split_folder, stem)}"
        exported.setdefault(item.split, []).append(ExportedItem(file, item))
    for split, images in exported.items():
        text = json.dumps(_instances(images, dataset), ensure_ascii=False)
        (folder / "annotations" / f"instances_{split.value}.json").write_text(text, encoding="utf-8")
    return [one for images in exported.values() for one in images]


def _instances(images: list[ExportedItem], dataset: Dataset) -> dict[str, Any]:
    ids = count(FIRST_ID)
    return {
        "info": {"description": "Part of ImageNet", "version": "1.0", "contributor": "ImageNet"},
        "licenses": [],
        "images": [_image(image_id, one) for image_id, one in enumerate(images, FIRST_ID)],
        "annotations": [
            _annotation(next(ids), image_id, box, dataset)
            for image_id, one in enumerate(images, FIRST_ID)
            for box in one.item.boxes
        ],
        "categories": [
            {"id": number + FIRST_ID, "name": label, "supercategory": ""}
            for label, number in dataset.class_numbers.items()
        ],
    }


def _image(image_id: int, one: ExportedItem) -> dict[str, Any]:
    name, picture = one.file.rpartition("/")[2], one.item.picture
    size = {"width": picture.width, "height": picture.height}
    return {"id": image_id, "file_name": name, **size, "coco_url": one.item.record.url}


def _annotation(box_id: int, image_id: int, box: Box, dataset: Dataset) -> dict[str, Any]:
    left, top, width, height = box.corner_and_size
    right, bottom = left + width, top + height
    return {
        "id": box_id,
        "image_id": image_id,
        "category_id": dataset.class_numbers[box.label] + FIRST_ID,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
    }


FORMAT = Format("coco", write, has_boxes=True, first_id=FIRST_ID, snippet=SNIPPET)
