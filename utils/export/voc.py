"""Pascal VOC devkit: `VOCdevkit/VOC2012` with `JPEGImages`, `Annotations` and `ImageSets/Main`.

Coordinates count from 1, as readers expect. Every file name ends in `.jpg`, whatever the format: readers
build the name themselves, and detect the format from the bytes.

`dataset_meta.json` lists the classes, for datumaro and CVAT, which otherwise accept those of Pascal VOC only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotations.voc_xml import to_xml
from ..catalog.folder_names import folder_names
from ..models.images import Annotation
from .dataset import Dataset, ExportedItem, Format, Item, Split
from .link_image import link_image, unique_stems

ROOT = "VOCdevkit/VOC2012"
SNIPPET = """\
from torchvision.datasets import VOCDetection

for image, target in VOCDetection("partial_imagenet_voc", year="2012", image_set="train"):
    boxes = [one["bndbox"] for one in target["annotation"].get("object", [])]  # counted from 1"""


def write(dataset: Dataset, folder: Path) -> list[ExportedItem]:
    """Write the images, an XML file for each, the image sets of each split and class, and the classes."""
    root = folder / ROOT
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    exported = []
    items = list(unique_stems(dataset.detection))
    for stem, item in items:
        name = link_image(item, root / "JPEGImages", stem, extension=".jpg")
        (root / "Annotations" / f"{stem}.xml").write_bytes(_xml(item, name))
        exported.append(ExportedItem(f"{ROOT}/JPEGImages/{name}", item))
    _write_image_sets(root / "ImageSets" / "Main", items)
    classes = json.dumps({"labels": dataset.labels}, ensure_ascii=False)
    (root / "dataset_meta.json").write_text(classes, encoding="utf-8")
    return exported


def _xml(item: Item, name: str) -> bytes:
    picture = item.picture
    boxes = tuple(
        replace(box, xmin=box.xmin + 1, ymin=box.ymin + 1, xmax=box.xmax + 1, ymax=box.ymax + 1)
        for box in item.boxes
    )
    annotation = Annotation(item.record.image_code, picture.width, picture.height, boxes)
    return to_xml(annotation, folder=ROOT.rpartition("/")[2], filename=name, picture=picture)


def _write_image_sets(folder: Path, items: Sequence[tuple[str, Item]]) -> None:
    """Write the list of each split, and of both; and for each class which of the images show it."""
    labels = {stem: {box.label for box in item.boxes} for stem, item in items}
    sets = {split.value: [stem for stem, item in items if item.split is split] for split in Split}
    file_names = _file_names(set().union(*labels.values()))
    for name, stems in {**sets, "trainval": list(labels)}.items():
        if not stems:
            continue
        (folder / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
        for label in sorted(set().union(*(labels[stem] for stem in stems))):
            lines = (f"{stem} {1 if label in labels[stem] else -1:2}\n" for stem in stems)
            (folder / f"{file_names[label]}_{name}.txt").write_text("".join(lines), encoding="utf-8")


def _file_names(labels: set[str]) -> Mapping[str, str]:
    """Return a valid file name for each class, equal in all splits."""
    ordered = sorted(labels)
    names = folder_names({f"class_{number}": label for number, label in enumerate(ordered)})
    return dict(zip(ordered, names.values(), strict=True))


FORMAT = Format("voc", write, has_boxes=True, first_id=None, snippet=SNIPPET)
