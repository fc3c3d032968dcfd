"""Image folders, `<split>/<class>/<image>`, with metadata for Hugging Face's `datasets`.

The class of an image is that of its category; an image of two classes is in both. Readers number the
class folders of each split separately, so each class has one in both splits, even if it is empty. timm leaves
out empty ones, and sorts the others differently, unless it is given `classes.txt`.

If there is a metadata file, `datasets` takes no labels from folder names, so the metadata repeat them. The
schema of `metadata.parquet` contains the features of `datasets`: both splits have the same class names and
types, even if one of them has no boxes.
"""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalog.folder_names import folder_names
from .dataset import Dataset, ExportedItem, Format, Split
from .hugging_face import readme
from .link_image import link_image, unique_stems

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = "metadata.parquet"
ROWS = 10_000
"""Of a row group, which `datasets` reads at once."""
SNIPPET = """\
from datasets import load_dataset

data = load_dataset("partial_imagenet_imagefolder")
print(data, data["train"][0])"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the images, the metadata of each split, `classes.txt` and `README.md`."""
    names = _class_folders(dataset)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in names.values()), encoding="utf-8")
    for split in Split:
        for name in names.values():
            (folder / split.value / name).mkdir(parents=True)
    exported: list[ExportedItem] = []
    by_label = attrgetter("label")
    for label, items in groupby(sorted(dataset.items, key=by_label), key=by_label):
        for stem, item in unique_stems(list(items)):
            class_folder = f"{item.split.value}/{names[label]}"
            name = link_image(item, folder / class_folder, stem)
            exported.append(ExportedItem(f"{class_folder}/{name}", item))
    files = {}
    checksum = hashlib.sha256()
    for split in Split:
        images = [one for one in exported if one.item.split is split]
        if images:
            files[split] = f"{split.value}/**"
            records = [_record(one, dataset) for one in images]
            _write_metadata(folder / split.value / METADATA, records, dataset)
            checksums = [one.item.picture.sha256 for one in images]
            checksum.update(json.dumps([split.value, _features(dataset), records, checksums]).encode())
    text = readme("Part of ImageNet, as image folders.", files, checksum.hexdigest())
    (folder / "README.md").write_text(text, encoding="utf-8")
    return exported


def _class_folders(dataset: Dataset) -> dict[str, str]:
    """Name the folder of each class by its label, unless the metadata file has that name.

    Sorted folders have the order of classes; if names alone do not, they begin with the class number.
    """
    codes = {item.label: item.wnid for item in dataset.items}
    safe = folder_names({codes[label]: label for label in dataset.classes})
    names = [f"{name}!" if name.casefold() == METADATA else name for name in safe.values()]
    if names != sorted(names):
        digits = len(str(len(names)))
        names = [f"{number:0{digits}}_{name}" for number, name in enumerate(names)]
    return dict(zip(dataset.classes, names, strict=True))


def _record(one: ExportedItem, dataset: Dataset) -> dict[str, Any]:
    item = one.item
    numbers = dataset.image_class_numbers
    return {
        "file_name": one.file.partition("/")[2],
        "label": numbers[item.label],
        "wnid": item.wnid,
        "url": item.record.url,
        "objects": {
            "bbox": [list(box.corner_and_size) for box in item.boxes],
            "category": [numbers[box.label] for box in item.boxes],
        },
    }


def _write_metadata(path: Path, records: list[dict[str, Any]], dataset: Dataset) -> None:
    import pyarrow as pa  # imported late: the command line needs only the names of formats
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(records, _schema(dataset)), path, row_group_size=ROWS)


def _schema(dataset: Dataset) -> pa.Schema:
    """Return the types of the columns, with the features of `datasets`, from which it reads class names."""
    import pyarrow as pa

    numbers = pa.int64()
    objects = pa.struct({"bbox": pa.list_(pa.list_(numbers, 4)), "category": pa.list_(numbers)})
    columns = {"file_name": pa.string(), "label": numbers, "wnid": pa.string(), "url": pa.string()}
    features = json.dumps({"info": {"features": _features(dataset)}})
    return pa.schema(columns | {"objects": objects}, metadata={"huggingface": features})


def _features(dataset: Dataset) -> dict[str, Any]:
    """Return the features of `datasets` in its JSON format."""
    text = {"dtype": "string", "_type": "Value"}
    bbox = {"feature": {"dtype": "int64", "_type": "Value"}, "length": 4, "_type": "Sequence"}
    category = {"names": list(dataset.image_class_numbers), "_type": "ClassLabel"}
    return {
        "file_name": text,
        "label": {"names": list(dataset.classes), "_type": "ClassLabel"},
        "wnid": text,
        "url": text,
        "objects": {
            "bbox": {"feature": bbox, "_type": "Sequence"},
            "category": {"feature": category, "_type": "Sequence"},
        },
    }


FORMAT = Format("imagefolder", write, has_boxes=False, first_id=0, snippet=SNIPPET)
