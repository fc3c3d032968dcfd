"""WebDataset's tar shards, which are read from the first byte to the last: key.jpg, key.cls, key.json.

Images stand in the order of their checksums: a shard is a good mixture of all classes, and always the
same. Every image is called .jpg, whatever it is: so each sample has the same parts, and readers tell the
format by the bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .dataset import Dataset, Item, Placed, Split
from .link_image import mended, stems

MOST_SAMPLES, MOST_BYTES = 10_000, 500_000_000
"""Of a shard; the last sample may exceed the bytes."""
CLASSES = "classes.txt"


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write shards, and the classes in the order of their numbers; gives what lies where."""
    labels = "".join(f"{label}\n" for label in dataset.labels)
    (folder / CLASSES).write_text(labels, encoding="utf-8")
    mixed = sorted(stems(dataset.items), key=lambda named: (named[1].sample.picture.sha256, named[0]))
    placed: list[Placed] = []
    for side in Split:
        samples = ((stem, item) for stem, item in mixed if item.side is side)
        placed += _write_shards(samples, folder, side, dataset)
    return placed


def _write_shards(
    samples: Iterator[tuple[str, Item]], folder: Path, side: Split, dataset: Dataset
) -> Iterator[Placed]:
    waiting = next(samples, None)
    number = 0
    while waiting:
        shard = f"{side.value}-{number:06}.tar"
        number += 1
        with tarfile.open(folder / shard, "w", format=tarfile.USTAR_FORMAT) as tar:
            held = 0
            while waiting and held < MOST_SAMPLES and tar.offset < MOST_BYTES:
                stem, item = waiting
                _add(tar, stem, item, dataset)
                yield Placed(f"{shard}#{stem}.jpg", item)
                held, waiting = held + 1, next(samples, None)


def _add(tar: tarfile.TarFile, stem: str, item: Item, dataset: Dataset) -> None:
    described = json.dumps(_description(item), ensure_ascii=False)
    parts = {
        "jpg": mended(item) or item.sample.path.read_bytes(),
        "cls": str(dataset.numbers[item.label]).encode(),
        "json": described.encode(),
    }
    for extension, data in parts.items():
        member = tarfile.TarInfo(f"{stem}.{extension}")  # owned by nobody, as of 1970: the same every time
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _description(item: Item) -> dict[str, Any]:
    picture = item.sample.picture
    return {
        "label": item.label,
        "wnid": item.wnid,
        "url": item.sample.url,
        "width": picture.width,
        "height": picture.height,
        "boxes": [{"label": box.label, "bbox": list(box.corner_and_size)} for box in item.boxes],
    }
