"""Image folders, `<split>/<class>/<image>`, with metadata for Hugging Face's `datasets`.

The class of an image is the category of its folder; an image in two folders is in both. If there is a
metadata file, `datasets` takes no labels from folder names, so the metadata repeat them. It infers columns
from the first lines of each split, and rejects splits with different columns. So boxes are written only if
both splits have some, and images with boxes come first.

`README.md` states which folder is which split: otherwise `datasets` guesses splits from folder names, and
takes "test_tube" for a test split.
"""

from __future__ import annotations

import json
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..catalog.folder_names import folder_names
from .dataset import Dataset, ExportedItem, Format, Split
from .link_image import link_image, unique_stems

METADATA = "metadata.jsonl"
SPLIT_NAMES = {Split.TRAIN: "train", Split.VAL: "validation"}
"""Names of splits in `datasets`."""
SNIPPET = """\
from datasets import load_dataset

data = load_dataset("partial_imagenet_imagefolder").class_encode_column("label")
print(data, data["train"][0])"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the images, the metadata of each split, and `README.md`."""
    exported: list[ExportedItem] = []
    names = _class_folders(dataset)
    by_label = attrgetter("label")
    for label, items in groupby(sorted(dataset.items, key=by_label), key=by_label):
        for stem, item in unique_stems(list(items)):
            class_folder = f"{item.split.value}/{names[label]}"
            (folder / class_folder).mkdir(parents=True, exist_ok=True)
            name = link_image(item, folder / class_folder, stem)
            exported.append(ExportedItem(f"{class_folder}/{name}", item))
    by_split = {split: [one for one in exported if one.item.split is split] for split in Split}
    by_split = {split: images for split, images in by_split.items() if images}
    with_boxes = all(any(one.item.boxes for one in images) for images in by_split.values())
    for split, images in by_split.items():
        boxes_first = sorted(images, key=lambda one: not one.item.boxes)
        records = [_record(one, with_boxes=with_boxes) for one in boxes_first]
        text = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
        (folder / split.value / METADATA).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(_readme(list(by_split)))
    return exported


def _class_folders(dataset: Dataset) -> dict[str, str]:
    """Name the folder of each class by its label, unless the metadata file has that name."""
    labels = {item.wnid: item.label for item in dataset.items}
    names = folder_names({"": METADATA, **labels})
    return {label: names[wnid] for wnid, label in labels.items()}


def _readme(splits: list[Split]) -> str:
    files = "".join(f"  - split: {SPLIT_NAMES[split]}\n    path: {split.value}/**\n" for split in splits)
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n"
        "Part of ImageNet, as image folders. Hugging Face's `datasets` loads it by the path of this folder:\n"
        "`load_dataset(PATH)`.\n"
    )


def _record(one: ExportedItem, *, with_boxes: bool) -> dict[str, Any]:
    item = one.item
    record: dict[str, Any] = {
        "file_name": one.file.partition("/")[2],
        "label": item.label,
        "wnid": item.wnid,
        "url": item.record.url,
    }
    if with_boxes:
        boxes = [list(box.corner_and_size) for box in item.boxes]
        record["objects"] = {"bbox": boxes, "category": [box.label for box in item.boxes]}
    return record


FORMAT = Format("imagefolder", write, has_boxes=False, first_id=None, snippet=SNIPPET)
