"""A folder a class below train/ and val/, which many tools read, with metadata for Hugging Face's `datasets`.

The class is the category whose folder an image lies in; one that lies in two is in both. Where there are
metadata `datasets` takes no label from folders, so that they say it, too. It infers the columns of each side
from its first lines, and refuses sides that differ: so boxes are written only if both sides have some, and
images that have them come first.

Which side is which `datasets` would guess from the names of folders, and take "test_tube" for a third one:
`README.md` says it, and is believed where the export is loaded by its path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..catalog.folder_names import folder_names
from .dataset import Dataset, Item, Placed, Split
from .link_image import put, stems

METADATA = "metadata.jsonl"
SPLITS = {Split.TRAIN: "train", Split.VAL: "validation"}
"""What `datasets` calls the sides."""


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write images and metadata; gives what lies where."""
    placed: list[Placed] = []
    names = _folders(dataset)
    for label, items in groupby(sorted(dataset.items, key=attrgetter("label")), key=attrgetter("label")):
        for stem, item in stems(list(items)):
            there = folder / item.side.value / names[label]
            there.mkdir(parents=True, exist_ok=True)
            placed.append(Placed(f"{item.side.value}/{names[label]}/{put(item, there, stem)}", item))
    by_side = {side: [one for one in placed if one.item.side is side] for side in Split}
    has_boxes = all(any(one.item.boxes for one in ours) for ours in by_side.values() if ours)
    for side, ours in by_side.items():
        if ours:
            records = [_record(one, has_boxes=has_boxes) for one in sorted(ours, key=_has_no_box)]
            text = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
            (folder / side.value / METADATA).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(_read_me(side for side, ours in by_side.items() if ours))
    return placed


def _folders(dataset: Dataset) -> dict[str, str]:
    """Give every class its folder: its label, unless that is what the metadata are called."""
    labels = {item.wnid: item.label for item in dataset.items}
    names = folder_names({"": METADATA, **labels})
    return {label: names[wnid] for wnid, label in labels.items()}


def _read_me(sides: Iterable[Split]) -> str:
    files = "".join(f"  - split: {SPLITS[side]}\n    path: {side.value}/**\n" for side in sides)
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n"
        "Part of ImageNet, as image folders. Hugging Face's `datasets` loads it by the path of this folder:\n"
        "`load_dataset(PATH)`.\n"
    )


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
    return {
        "bbox": [list(box.corner_and_size) for box in item.boxes],
        "category": [box.label for box in item.boxes],
    }
