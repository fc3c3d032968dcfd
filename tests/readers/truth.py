"""A result folder with everything that readers handle differently, and its expected contents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.export.export_project import Corners, ExportProject, draw, stored
from utils.models.images import ImageFormat

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


def make(path: Path) -> ExportProject:
    """Make the result folder."""
    project = ExportProject(path, NAMES)
    for number in range(24):
        boxes: list[Corners] = [(number, 3, number + 20, 40), (0, 0, 95, 71), (94, 70, 95, 71)]
        project.add(HUSKY, f"{HUSKY}_{number}", None, *boxes[: number % 4])
        project.add(MOUSE, f"{MOUSE}_{number}", None, *boxes[: (number + 2) % 4])
        project.add(BARE, f"{BARE}_{number}")
    odd: Corners = (1, 2, 1_999, 1_331)
    project.add(KLIPPE, f"{KLIPPE}_1", stored(draw(1_001, (2_001, 1_333))), odd, (1_000, 0, 1_001, 1))
    project.add(KLIPPE, f"{KLIPPE}_2", None, (5, 5, 60, 60), kind=ImageFormat.PNG)
    project.add(KLIPPE, f"{KLIPPE}_3", stored(draw(1_003).convert("L")), (5, 5, 60, 60))
    project.add(KLIPPE, f"{KLIPPE}_4", None, (5, 5, 60, 60), kind=ImageFormat.GIF)
    project.add(KLIPPE, f"{KLIPPE}_5", None, (5, 5, 60, 60), kind=ImageFormat.WEBP)
    turned = Image.Exif()
    turned[274] = 6
    project.add(KLIPPE, f"{KLIPPE}_6", stored(draw(1_006), exif=turned), (5, 5, 90, 60))
    project.add(KLIPPE, f"{KLIPPE}_7", None, (5, 5, 60, 60), label=UNKNOWN_LABEL)
    return project


def boxes(project: ExportProject, *, labels: str = "name") -> dict[str, list[SeenBox]]:
    """Return the boxes of each image code, as they were put into the project."""
    codes = {folder: code for code, folder in FOLDERS.items()}
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
    for item in project.dataset().items:
        with Image.open(item.record.path) as image:
            found[item.record.image_code] = image.convert("RGB")
    return found


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
