"""A folder a class below train/ and val/, which many tools read, with metadata for Hugging Face's `datasets`.

The class is the category whose folder an image lies in; one that lies in two is in both. Where there are
metadata `datasets` takes no label from folders, so that they say it, too. It infers the columns of each side
from its first lines, and refuses sides that differ: so boxes are written only if both sides have some, and
images that have them come first.
"""

from __future__ import annotations

import json
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..models import Box
from .dataset import Dataset, Item, Placed, Side
from .placing import put, stems


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write images and metadata; gives what lies where."""
    placed: list[Placed] = []
    for label, items in groupby(sorted(dataset.items, key=attrgetter("label")), key=attrgetter("label")):
        for stem, item in stems(list(items)):
            there = folder / item.side.value / label
            there.mkdir(parents=True, exist_ok=True)
            placed.append(Placed(f"{item.side.value}/{label}/{put(item, there, stem)}", item))
    by_side = {side: [one for one in placed if one.item.side is side] for side in Side}
    has_boxes = all(any(one.item.boxes for one in ours) for ours in by_side.values() if ours)
    for side, ours in by_side.items():
        if ours:
            records = [_record(one, has_boxes=has_boxes) for one in sorted(ours, key=_has_no_box)]
            text = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
            (folder / side.value / "metadata.jsonl").write_text(text, encoding="utf-8")
    return placed


def _has_no_box(one: Placed) -> bool:
    return not one.item.boxes


def _record(one: Placed, *, has_boxes: bool) -> dict[str, Any]:
    item = one.item
    record = {
        "file_name": one.file.partition("/")[2],
        "label": item.label,
        "wnid": item.wnid,
        "url": item.sample.url,
    }
    return {**record, "objects": _objects(item)} if has_boxes else record


def _objects(item: Item) -> dict[str, Any]:
    return {"bbox": [_corner_and_size(box) for box in item.boxes], "category": [b.label for b in item.boxes]}


def _corner_and_size(box: Box) -> list[int]:
    return [box.xmin, box.ymin, box.xmax + 1 - box.xmin, box.ymax + 1 - box.ymin]
