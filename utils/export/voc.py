"""Pascal VOC's devkit: VOCdevkit/VOC2012 with JPEGImages, Annotations and ImageSets/Main.

Its coordinates are counted from 1, and readers take 1 off again. Every image is called .jpg, whatever it
is: readers put that name together themselves, and tell the format by the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotations.voc_xml import to_xml
from ..catalog.folder_names import folder_names
from ..models.images import Annotation, Box
from .dataset import Dataset, Item, Placed, Split
from .link_image import put, stems

ROOT = "VOCdevkit/VOC2012"
ALL = "trainval"


def write(dataset: Dataset, folder: Path) -> list[Placed]:
    """Write images, an XML for each, and the lists of each side and class; gives what lies where."""
    root = folder / ROOT
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    placed = []
    named = list(stems(dataset.detection))
    for stem, item in named:
        name = put(item, root / "JPEGImages", stem, ".jpg")
        (root / "Annotations" / f"{stem}.xml").write_bytes(_xml(item, name))
        placed.append(Placed(f"{ROOT}/JPEGImages/{name}", item))
    files = _list_names(item for _, item in named)
    for name, members in _sets(named).items():
        _write_lists(root / "ImageSets" / "Main", name, members, files)
    return placed


def _xml(item: Item, name: str) -> bytes:
    picture = item.sample.picture
    boxes = tuple(_from_one(box) for box in item.boxes)
    annotation = Annotation(item.sample.image_code, picture.width, picture.height, boxes)
    return to_xml(annotation, folder=ROOT.rpartition("/")[2], filename=name, picture=picture)


def _from_one(box: Box) -> Box:
    return replace(box, xmin=box.xmin + 1, ymin=box.ymin + 1, xmax=box.xmax + 1, ymax=box.ymax + 1)


def _sets(named: Sequence[tuple[str, Item]]) -> dict[str, dict[str, set[str]]]:
    """Give the lists: for each image in them the classes that it has boxes of."""
    classes = {stem: {box.label for box in item.boxes} for stem, item in named}
    sides = {side.value: {stem: classes[stem] for stem, item in named if item.side is side} for side in Split}
    return {**{name: members for name, members in sides.items() if members}, ALL: classes}


def _list_names(items: Iterable[Item]) -> dict[str, str]:
    """Say what the lists of each class are called: the same on both sides."""
    labels = sorted({box.label for item in items for box in item.boxes})
    names = folder_names({f"class_{number}": label for number, label in enumerate(labels)})
    return dict(zip(labels, names.values(), strict=True))


def _write_lists(folder: Path, name: str, members: Mapping[str, set[str]], files: Mapping[str, str]) -> None:
    """Write a list of images, and for each class that has boxes whether they are of it."""
    (folder / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in members), encoding="utf-8")
    for label in sorted(set().union(*members.values())):
        lines = (f"{stem} {1 if label in has else -1:2}\n" for stem, has in members.items())
        (folder / f"{files[label]}_{name}.txt").write_text("".join(lines), encoding="utf-8")
