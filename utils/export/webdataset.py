"""WebDataset: tar shards of samples, each with `<key>.jpg`, `<key>.cls` and `<key>.json`.

Samples are ordered by checksum, so that each shard is a reproducible mixture of all classes. Every image ends
in `.jpg`, whatever its format, so that all samples have the same parts; readers detect the format from the
bytes.

`_info.json` lists the shards of each split for timm, and `README.md` the columns for `datasets`. If that is
loaded without `README.md`, it infers them from the first samples, so a sample with boxes comes first.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from ..files import read_bytes
from .dataset import Dataset, ExportedItem, Format, Item, Split
from .hugging_face import readme
from .link_image import converted, unique_stems

MIN_SHARDS = 8
"""Of a split, if it has as many images: each process of a `DataLoader` needs a shard of its own."""
MAX_SAMPLES, MAX_BYTES = 10_000, 500_000_000
"""Of a shard; the bytes are those of images."""
FEATURES = [
    {"name": "jpg", "dtype": "image"},
    {"name": "cls", "dtype": "int64"},
    {
        "name": "json",
        "struct": [
            {"name": "label", "dtype": "string"},
            {"name": "wnid", "dtype": "string"},
            {"name": "url", "dtype": "string"},
            {"name": "width", "dtype": "int64"},
            {"name": "height", "dtype": "int64"},
            {
                "name": "boxes",
                "list": [{"name": "label", "dtype": "string"}, {"name": "bbox", "list": "int64"}],
            },
        ],
    },
    {"name": "__key__", "dtype": "string"},
    {"name": "__url__", "dtype": "string"},
]
"""The columns in `datasets`."""
SNIPPET = """\
from pathlib import Path
import webdataset

shards = sorted(map(str, Path("partial_imagenet_webdataset").glob("train-*.tar")))
for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
    print(sample["__key__"], sample["json"])"""

_Sample: TypeAlias = tuple[str, Item]


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the shards, a class name for each number to `classes.txt`, `_info.json` and `README.md`."""
    classes = "".join(f"{label}\n" for label in dataset.classes)
    (folder / "classes.txt").write_text(classes, encoding="utf-8")
    samples = sorted(unique_stems(dataset.items), key=lambda one: (one[1].picture.sha256, one[0]))
    checksum = hashlib.sha256()
    exported: list[ExportedItem] = []
    splits = {}
    for split in Split:
        shards = {
            f"{split.value}-{number:06}.tar": shard
            for number, shard in enumerate(_shards([one for one in samples if one[1].split is split]))
        }
        for name, shard in shards.items():
            _write_shard(folder / name, shard, dataset, checksum.update)
            exported += [ExportedItem(f"{name}#{key}.jpg", item) for key, item in shard]
        if shards:
            lengths = [len(shard) for shard in shards.values()]
            splits[split] = {
                "name": split.value,
                "filenames": list(shards),
                "shard_lengths": lengths,
                "num_samples": sum(lengths),
            }
    (folder / "_info.json").write_text(json.dumps({"splits": splits}), encoding="utf-8")
    files = {split: f"{split.value}-*.tar" for split in splits}
    text = readme("Part of ImageNet, as tar shards.", files, checksum.hexdigest(), FEATURES)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return exported


def _shards(samples: Sequence[_Sample]) -> list[Sequence[_Sample]]:
    """Distribute the samples of a split over shards of equal lengths."""
    first_with_boxes = next((sample for sample in samples if sample[1].boxes), None)
    ordered = sorted(samples, key=lambda sample: sample is not first_with_boxes)
    sizes = [item.picture.bytes for _, item in ordered]
    number = max(MIN_SHARDS, math.ceil(len(ordered) / MAX_SAMPLES), math.ceil(sum(sizes) / MAX_BYTES))
    while number < len(ordered):
        edges = [len(ordered) * shard // number for shard in range(number + 1)]
        if all(sum(sizes[start:end]) <= MAX_BYTES for start, end in pairwise(edges)):
            return [ordered[start:end] for start, end in pairwise(edges)]
        number += 1
    return [[sample] for sample in ordered]


def _write_shard(
    path: Path, samples: Sequence[_Sample], dataset: Dataset, update_checksum: Callable[[bytes], None]
) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, item in samples:
            parts = {
                "jpg": converted(item) or read_bytes(item.record.path),
                "cls": str(dataset.image_class_numbers[item.label]).encode(),
                "json": json.dumps(_description(item), ensure_ascii=False).encode(),
            }
            for extension, data in parts.items():
                member = tarfile.TarInfo(f"{key}.{extension}")  # default owner and time: reproducible
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
                update_checksum(data)


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
