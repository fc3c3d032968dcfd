"""A result folder with all that readers may stumble over, and what is true of it."""

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
STRANGER = 'a: "b" & <c>'
"""A label that no category has."""


@dataclass(frozen=True)
class Seen:
    """A box as a reader gives it: its label, and its edges in pixels."""

    label: str
    left: float
    top: float
    right: float
    bottom: float

    def is_near(self, other: Seen) -> bool:
        """Say whether two are the same to half a pixel."""
        ours, theirs = ((one.left, one.top, one.right, one.bottom) for one in (self, other))
        apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        return self.label == other.label and apart <= 0.5


def make(path: Path) -> ExportProject:
    """Make the folder."""
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
    project.add(KLIPPE, f"{KLIPPE}_7", None, (5, 5, 60, 60), label=STRANGER)
    return project


def boxes(project: ExportProject, *, labels: str = "name") -> dict[str, list[Seen]]:
    """Say which boxes each image has, by its image code: read off what the project was made of."""
    codes = {folder: code for code, folder in FOLDERS.items()}
    found: dict[str, list[Seen]] = {}
    for item in project.dataset().items:
        for box in item.record.annotation.boxes if item.record.annotation else ():
            label = codes.get(box.label, box.label) if labels == "code" else box.label
            seen = Seen(label, box.xmin, box.ymin, box.xmax + 1, box.ymax + 1)
            found.setdefault(item.record.image_code, []).append(seen)
        found.setdefault(item.record.image_code, [])
    return found


def pictures(project: ExportProject) -> dict[str, Image.Image]:
    """Give every picture as it is stored, by its image code."""
    found = {}
    for item in project.dataset().items:
        with Image.open(item.record.path) as image:
            found[item.record.image_code] = image.convert("RGB")
    return found


def assert_same(read: dict[str, list[Seen]], true: dict[str, list[Seen]]) -> None:
    """See that a reader found the same images with the same boxes, to half a pixel."""
    assert read.keys() == true.keys()
    for code, seen in read.items():
        assert_same_boxes(seen, true[code])


def assert_same_boxes(read: Sequence[Seen], true: Iterable[Seen]) -> None:
    """See that a reader found the same boxes, in whatever order."""
    left = list(read)
    for box in true:
        near = [one for one in left if one.is_near(box)]
        assert near, (box, left)
        left.remove(near[0])
    assert not left
