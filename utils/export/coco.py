"""COCO's layout: train/, val/ and annotations/instances_*.json, as pycocotools and its heirs read them."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from ..models.images import Box
from .dataset import Dataset, Placed, Split
from .link_image import put, stems

FIRST = 1
"""Classes, images and boxes are counted from 1: in COCO 0 is the background."""


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write images and a JSON for each side that has any; gives what lies where."""
    (folder / "annotations").mkdir()
    placed: dict[Split, list[Placed]] = {}
    for stem, item in stems(dataset.detection):
        there = folder / item.side.value
        there.mkdir(exist_ok=True)
        file = f"{item.side.value}/{put(item, there, stem)}"
        placed.setdefault(item.side, []).append(Placed(file, item))
    for side, images in placed.items():
        text = json.dumps(_instances(images, dataset), ensure_ascii=False)
        (folder / "annotations" / f"instances_{side.value}.json").write_text(text, encoding="utf-8")
    return [one for images in placed.values() for one in images]


def _instances(images: list[Placed], dataset: Dataset) -> dict[str, Any]:
    numbers = count(FIRST)
    return {
        "info": {"description": "Part of ImageNet", "version": "1.0", "contributor": "ImageNet"},
        "licenses": [],
        "images": [_image(number, one) for number, one in enumerate(images, FIRST)],
        "annotations": [
            _annotation(next(numbers), image, box, dataset)
            for image, one in enumerate(images, FIRST)
            for box in one.item.boxes
        ],
        "categories": [
            {"id": number + FIRST, "name": label, "supercategory": ""}
            for label, number in dataset.numbers.items()
        ],
    }


def _image(number: int, one: Placed) -> dict[str, Any]:
    sample = one.item.sample
    name = one.file.rpartition("/")[2]
    size = {"width": sample.picture.width, "height": sample.picture.height}
    return {"id": number, "file_name": name, **size, "coco_url": sample.url}


def _annotation(number: int, image: int, box: Box, dataset: Dataset) -> dict[str, Any]:
    left, top, width, height = box.corner_and_size
    return {
        "id": number,
        "image_id": image,
        "category_id": dataset.numbers[box.label] + FIRST,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [],
    }
