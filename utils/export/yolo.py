"""YOLO as read by Ultralytics: `images/`, `labels/` and `data.yaml`.

`data.yaml` has no `path`, so that Ultralytics uses the folder of the file, and an export can be moved.
Ultralytics needs images in both splits: if one is empty, `data.yaml` names the other one in its place.

The edges of boxes are rounded to multiples of 2^-23. Centres, half sizes and their sums are then multiples of
2^-24, which readers compute without rounding, even with `float32`. So no box exceeds its image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .dataset import Dataset, ExportedItem, Format, Item, Split
from .link_image import link_image, unique_stems

STEPS = 2**23
"""Possible positions of an edge in an image; images have fewer pixels in a row or column."""
SNIPPET = """\
from ultralytics import YOLO

YOLO("yolo11n.pt").train(data="partial_imagenet_yolo/data.yaml", epochs=50)"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the images, a label file for each (empty without boxes), and `data.yaml`."""
    splits = [split for split in Split if any(item.split is split for item in dataset.detection)]
    for kind in ("images", "labels"):
        for split in splits:
            (folder / kind / split.value).mkdir(parents=True)
    exported = []
    for stem, item in unique_stems(dataset.detection):
        split_name = item.split.value
        name = link_image(item, folder / "images" / split_name, stem)
        (folder / "labels" / split_name / f"{stem}.txt").write_text("".join(_lines(item, dataset)))
        exported.append(ExportedItem(f"images/{split_name}/{name}", item))
    (folder / "data.yaml").write_text(_data_yaml(dataset, splits), encoding="utf-8")
    return exported


def _lines(item: Item, dataset: Dataset) -> Iterator[str]:
    """Format boxes as class, centre and size, in fractions of the image."""
    width, height = item.picture.width, item.picture.height
    for box in item.boxes:
        x, box_width = centre_and_size(box.xmin, box.xmax, width)
        y, box_height = centre_and_size(box.ymin, box.ymax, height)
        yield f"{dataset.class_numbers[box.label]} {x} {y} {box_width} {box_height}\n"


def centre_and_size(first: int, last: int, pixels: int) -> tuple[float, float]:
    """Return centre and size of a range of pixels, `last` included, in fractions of all pixels."""
    start, end = (round(edge * STEPS / pixels) for edge in (first, last + 1))
    return (start + end) / (2 * STEPS), (end - start) / STEPS


def _data_yaml(dataset: Dataset, splits: list[Split]) -> str:
    train, val = (split if split in splits else splits[0] for split in Split)
    names = "".join(f"  {number}: {_yaml_quoted(label)}\n" for label, number in dataset.class_numbers.items())
    return f"train: images/{train.value}\nval: images/{val.value}\nnames:\n{names}"


def _yaml_quoted(text: str) -> str:
    """Quote a text as in JSON, and also escape what YAML takes for a line break."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


FORMAT = Format("yolo", write, has_boxes=True, first_id=0, snippet=SNIPPET)
