"""WebDataset: tar shards of samples, each with `<key>.jpg`, `<key>.cls` and `<key>.json`.

Samples are ordered by checksum, so that each shard is a reproducible mixture of all classes. Every image ends
in `.jpg`, whatever its format, so that all samples have the same parts; readers detect the format from the
bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .dataset import Dataset, ExportedItem, Format, Item, Split
from .link_image import converted, unique_stems

MAX_SAMPLES, MAX_BYTES = 10_000, 500_000_000
"""Of a shard; its last sample may exceed the bytes."""
SNIPPET = """\
from pathlib import Path
import webdataset

shards = sorted(map(str, Path("partial_imagenet_webdataset").glob("train-*.tar")))
for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
    print(sample["__key__"], sample["json"])"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the shards, and `classes.txt` with a class name for each number."""
    labels = "".join(f"{label}\n" for label in dataset.classes)
    (folder / "classes.txt").write_text(labels, encoding="utf-8")
    samples = sorted(unique_stems(dataset.items), key=lambda one: (one[1].picture.sha256, one[0]))
    exported: list[ExportedItem] = []
    for split in Split:
        of_split = ((key, item) for key, item in samples if item.split is split)
        exported += _write_shards(of_split, folder, split, dataset)
    return exported


def _write_shards(
    samples: Iterator[tuple[str, Item]], folder: Path, split: Split, dataset: Dataset
) -> Iterator[ExportedItem]:
    sample = next(samples, None)
    number = 0
    while sample:
        shard = f"{split.value}-{number:06}.tar"
        number += 1
        with tarfile.open(folder / shard, "w", format=tarfile.USTAR_FORMAT) as tar:
            count = 0
            while sample and count < MAX_SAMPLES and tar.offset < MAX_BYTES:
                key, item = sample
                _add(tar, key, item, dataset)
                yield ExportedItem(f"{shard}#{key}.jpg", item)
                count, sample = count + 1, next(samples, None)


def _add(tar: tarfile.TarFile, key: str, item: Item, dataset: Dataset) -> None:
    parts = {
        "jpg": converted(item) or item.record.path.read_bytes(),
        "cls": str(dataset.image_class_numbers[item.label]).encode(),
        "json": json.dumps(_description(item), ensure_ascii=False).encode(),
    }
    for extension, data in parts.items():
        member = tarfile.TarInfo(f"{key}.{extension}")  # with its default owner and time: reproducible
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _description(item: Item) -> dict[str, Any]:
    picture = item.picture
    return {
        "label": item.label,
        "wnid": item.wnid,
        "url": item.record.url,
        "width": picture.width,
        "height": picture.height,
        "boxes": [{"label": box.label, "bbox": list(box.corner_and_size)} for box in item.boxes],
    }


FORMAT = Format("webdataset", write, has_boxes=False, first_id=0, snippet=SNIPPET)
