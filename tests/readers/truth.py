"""A result folder with everything that readers handle differently, and its expected contents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.export.export_project import Corners, ExportProject, draw, stored
from utils.export.formats import FORMATS
from utils.models.images import ImageFormat

ORIENTATION = 0x0112
"""The EXIF tag."""
VAL_FRACTION = 0.3
HUSKY, MOUSE, KLIPPE, BARE = "n00000001", "n00000002", "n00000003", "n00000004"
NAMES = {
    HUSKY: "Siberian husky",
    MOUSE: "mouse, computer mouse, it's",
    KLIPPE: "Älvsborgs-fästning å 城",
    BARE: "yes",
}
FOLDERS = {
    HUSKY: "Siberian_husky",
    MOUSE: "mouse,_computer_mouse,_it's",
    KLIPPE: "Älvsborgs-fästning_å_城",
    BARE: "yes",
}
UNKNOWN_LABEL = 'a: "b" & <c>'
"""A label of no category."""


@dataclass(frozen=True)
class SeenBox:
    """A box as a reader returns it: its label, and its edges in pixels."""

    label: str
    left: float
    top: float
    right: float
    bottom: float

    def is_near(self, other: SeenBox) -> bool:
        """Return whether two boxes are equal to half a pixel."""
        ours, theirs = ((one.left, one.top, one.right, one.bottom) for one in (self, other))
        apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        return self.label == other.label and apart <= 0.5


@cache
def odd_images() -> Sequence[tuple[bytes, bytes]]:
    """Make images that readers handle differently, each with one of the same pixels that all read alike."""
    seeds = count(1_000)
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    found = []
    for kind in ImageFormat:
        plain = stored(draw(next(seeds)), kind)
        found.append((plain, plain))
    for kind in (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF):
        image = draw(next(seeds))
        found.append((stored(image, kind, exif=turned), stored(image, kind)))
    for kind in (ImageFormat.JPEG, ImageFormat.PNG):
        plain = stored(draw(next(seeds)), kind)
        found.append((plain + b"\0behind", plain))
        gray = stored(draw(next(seeds)).convert("L"), kind)
        found.append((gray, gray))
    for image, kind in (
        (draw(next(seeds), (2_001, 1_333)), ImageFormat.JPEG),
        (draw(next(seeds)).convert("CMYK"), ImageFormat.JPEG),
        (draw(next(seeds)).quantize(16), ImageFormat.PNG),
    ):
        data = stored(image, kind)
        found.append((data, data))
    values = np.asarray(draw(next(seeds)).convert("L"))
    sixteen_bits = Image.fromarray(values.astype(np.uint16) * 256 + 200)
    found.append((stored(sixteen_bits, ImageFormat.PNG), stored(Image.fromarray(values), ImageFormat.PNG)))
    return found


def make(path: Path) -> ExportProject:
    """Make a result folder with all kinds of images, boxes and labels."""
    project = ExportProject(path, NAMES)
    for number in range(24):
        boxes: list[Corners] = [(number, 3, number + 20, 40), (0, 0, 95, 71), (94, 70, 95, 71)]
        project.add(HUSKY, f"{HUSKY}_{number}", None, *boxes[: number % 4])
        project.add(MOUSE, f"{MOUSE}_{number}", None, *boxes[: (number + 2) % 4])
        project.add(BARE, f"{BARE}_{number}")
    for number, (odd, plain) in enumerate(odd_images()):
        with Image.open(io.BytesIO(plain)) as image:
            right, bottom = image.width - 3, image.height - 2
        project.add(KLIPPE, f"{KLIPPE}_{number}", odd, (1, 2, right, bottom), (5, 0, 6, 1))
    for number in range(1_000, 1_003):
        project.add(KLIPPE, f"{KLIPPE}_{number}", None, (5, 5, 60, 60), label=UNKNOWN_LABEL)
    return project


def make_small_classes(path: Path) -> ExportProject:
    """Make a result folder with classes of one, two and five images."""
    project = ExportProject(path, {HUSKY: "one", MOUSE: "two", KLIPPE: "five"})
    for code, images in {HUSKY: 1, MOUSE: 2, KLIPPE: 5}.items():
        for number in range(images):
            project.add(code, f"{code}_{number}", None, (number, 3, number + 20, 40))
    return project


def make_boxes_on_one_side(path: Path) -> ExportProject:
    """Make a result folder with only one image that has boxes."""
    project = ExportProject(path, {HUSKY: "Siberian husky", BARE: "bare"})
    project.add(HUSKY, f"{HUSKY}_0", None, (1, 2, 30, 40), (0, 0, 95, 71))
    for number in range(1, 12):
        project.add(HUSKY, f"{HUSKY}_{number}")
        project.add(BARE, f"{BARE}_{number}")
    return project


def make_grown(path: Path) -> ExportProject:
    """Make a result folder to which a category was added after an export, with the first class name."""
    project = ExportProject(path, {MOUSE: "mouse", KLIPPE: "tench"})
    for number in range(8):
        project.add(MOUSE, f"{MOUSE}_{number}", None, (number, 3, number + 20, 40))
        project.add(KLIPPE, f"{KLIPPE}_{number}", None, (1, 2, 30, 40))
    for name in FORMATS:
        project.export(name, val_fraction=VAL_FRACTION)
    project.names[HUSKY] = "aardvark"
    for number in range(6):
        project.add(HUSKY, f"{HUSKY}_{number}", None, (number, 3, number + 20, 40))
    return project


PROJECTS = {
    "all kinds": make,
    "small classes": make_small_classes,
    "boxes on one side": make_boxes_on_one_side,
    "grown": make_grown,
}
"""Functions that make a result folder."""


def class_numbers(project: ExportProject, *, of_boxes: bool) -> dict[str, int]:
    """Return the number from 0 of each class of images, or of each class of images and boxes."""
    names = {category.folder for category in project.categories}
    if of_boxes:
        names |= {box.label for of_image in boxes(project).values() for box in of_image}
    return {name: number for number, name in enumerate(sorted(names))}


def classes(project: ExportProject) -> dict[str, str]:
    """Return the class of each image code."""
    folders = {category.code: category.folder for category in project.categories}
    return {code: folders[code.partition("_")[0]] for code in pictures(project)}


def boxes(project: ExportProject, *, labels: str = "name") -> dict[str, list[SeenBox]]:
    """Return the boxes of each image code, as they were put into the project."""
    codes = {category.folder: category.code for category in project.categories}
    found: dict[str, list[SeenBox]] = {}
    for item in project.dataset().items:
        for box in item.record.annotation.boxes if item.record.annotation else ():
            label = codes.get(box.label, box.label) if labels == "code" else box.label
            seen = SeenBox(label, box.xmin, box.ymin, box.xmax + 1, box.ymax + 1)
            found.setdefault(item.record.image_code, []).append(seen)
        found.setdefault(item.record.image_code, [])
    return found


def pictures(project: ExportProject) -> dict[str, Image.Image]:
    """Return the stored pixels of each image code."""
    found = {}
    plain = dict(odd_images())
    for item in project.dataset().items:
        data = item.record.path.read_bytes()
        with Image.open(io.BytesIO(plain.get(data, data))) as image:
            found[item.record.image_code] = image.convert("RGB")
    return found


def ids(folder: Path) -> dict[str, int]:
    """Return the number of each class in `labels.csv` of an export."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return {row["label"]: int(row["id"]) for row in csv.DictReader(file)}


def assert_same_pixels(read: Mapping[str, NDArray[np.uint8]], project: ExportProject) -> None:
    """Check that a reader found the stored pixels of all images, in RGB; decoders of JPEG differ slightly."""
    true = pictures(project)
    assert read.keys() == true.keys()
    for code, image in true.items():
        stored_pixels = np.asarray(image, dtype=int)
        assert read[code].shape == stored_pixels.shape, code
        assert np.abs(read[code].astype(int) - stored_pixels).mean() < 1.5, code


def assert_same(read: dict[str, list[SeenBox]], true: dict[str, list[SeenBox]]) -> None:
    """Check that a reader found the same images with the same boxes, to half a pixel."""
    assert read.keys() == true.keys()
    for code, seen in read.items():
        assert_same_boxes(seen, true[code])


def assert_same_boxes(read: Sequence[SeenBox], true: Iterable[SeenBox]) -> None:
    """Check that a reader found the same boxes, in any order."""
    left = list(read)
    for box in true:
        near = [one for one in left if one.is_near(box)]
        assert near, (box, left)
        left.remove(near[0])
    assert not left
