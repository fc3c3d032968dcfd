"""Ultralytics' layout: images/, labels/ and data.yaml, which the whole folder may be moved with.

`data.yaml` has no `path`: Ultralytics takes the folder that the file lies in then. Without images for
validation `val` is the training images, for Ultralytics does not start without any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .dataset import Dataset, Item, Placed, Split
from .link_image import put, stems


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write images, a label file for each (empty without boxes), and `data.yaml`; gives what lies where."""
    sides = [side for side in Split if any(item.side is side for item in dataset.detection)]
    for kind in ("images", "labels"):
        for part in sides:
            (folder / kind / part.value).mkdir(parents=True)
    placed = []
    for stem, item in stems(dataset.detection):
        side = item.side.value
        name = put(item, folder / "images" / side, stem)
        (folder / "labels" / side / f"{stem}.txt").write_text("".join(_lines(item, dataset)))
        placed.append(Placed(f"images/{side}/{name}", item))
    (folder / "data.yaml").write_text(_data_yaml(dataset, sides), encoding="utf-8")
    return placed


def _lines(item: Item, dataset: Dataset) -> Iterator[str]:
    """Spell boxes as class, centre and size; parts of the picture, exact to a thousandth of a pixel."""
    width, height = item.sample.picture.width, item.sample.picture.height
    for box in item.boxes:
        right, bottom = box.xmax + 1, box.ymax + 1  # the edges: the last pixel belongs to the box
        across = f"{(box.xmin + right) / 2 / width:.8f} {(box.ymin + bottom) / 2 / height:.8f}"
        size = f"{(right - box.xmin) / width:.8f} {(bottom - box.ymin) / height:.8f}"
        yield f"{dataset.numbers[box.label]} {across} {size}\n"


def _data_yaml(dataset: Dataset, sides: list[Split]) -> str:
    train, val = (side if side in sides else sides[0] for side in Split)
    names = "".join(f"  {number}: {_quoted(label)}\n" for label, number in dataset.numbers.items())
    return f"train: images/{train.value}\nval: images/{val.value}\nnames:\n{names}"


def _quoted(text: str) -> str:
    """Quote a text for YAML: as JSON does, and what readers take for a line's end is spelled out as well."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)
