"""The numbers of a category, or of several in all: what became of URLs, how large images and boxes are.

This module alone knows which sizes are told apart in charts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from ..models.enums import Status
from ..models.rows import Category
from ..results.statistics import Summary
from .page_schema import Shown


@dataclass(frozen=True)
class Scale:
    """What a chart tells apart: `names` has one more than `edges`, which begin all bins but the first."""

    title: str
    edges: tuple[float, ...]
    names: tuple[str, ...]

    def histogram(self, values: Iterable[float]) -> list[int]:
        """Count the values of each bin."""
        counts = [0] * len(self.names)
        for value in values:
            counts[bisect_right(self.edges, value)] += 1
        return counts


def _ranges(edges: Sequence[int]) -> tuple[str, ...]:
    between = (f"{low} to {high - 1}" for low, high in pairwise(edges))
    return (f"under {edges[0]}", *between, f"{edges[-1]} and more")


_SIDES = (64, 128, 256, 384, 512, 768, 1024, 2048)
SIDES = Scale("Longest side in pixels", _SIDES, _ranges(_SIDES))
COUNTS = Scale(
    "Boxes in an image", (1, 2, 3, 4, 5, 10), ("none", "1", "2", "3", "4", "5 to 9", "10 and more")
)
SHARES = Scale(
    "A box's share of its image",
    (0.01, 0.05, 0.1, 0.25, 0.5, 0.75),
    ("under 1 %", "1 to 5 %", "5 to 10 %", "10 to 25 %", "25 to 50 %", "50 to 75 %", "over 75 %"),
)


@dataclass(frozen=True)
class Distinct:
    """How many images, and boxes on them, there are when those of the same bytes count once."""

    images: int
    boxes: int


@dataclass
class CategoryStats:
    """What is known of a category's images in numbers; grows by `add` and `include`.

    Attributes
    ----------
    folder, code, name
        The category's folder, wnid and ImageNet's name; an unknown folder has no wnid.
    summary
        What became of its URLs.
    widths, heights, counts
        Of each image in pixels, and how many boxes it has.
    shares
        Of each box: its area as a part of its image's.
    checksums, drawn
        Of each image, and of each box: by which those that are there twice are known.
    annotated
        Images that have boxes.
    """

    folder: str
    code: str
    name: str
    summary: Summary
    widths: array[int] = field(default_factory=lambda: array("I"))
    heights: array[int] = field(default_factory=lambda: array("I"))
    counts: array[int] = field(default_factory=lambda: array("I"))
    shares: array[float] = field(default_factory=lambda: array("f"))
    checksums: array[int] = field(default_factory=lambda: array("Q"))
    drawn: array[int] = field(default_factory=lambda: array("q"))
    annotated: int = 0

    @classmethod
    def of(cls, category: Category, summary: Summary, images: Iterable[Shown]) -> CategoryStats:
        """Count a category's images."""
        figures = cls(category.folder, category.code, category.name, summary)
        for image in images:
            figures.add(image)
        return figures

    def add(self, image: Shown) -> None:
        """Count an image."""
        self.widths.append(image.width)
        self.heights.append(image.height)
        self.counts.append(len(image.boxes) // 5)
        self.checksums.append(image.checksum)
        if image.boxes:
            self.annotated += 1
            self.shares.extend(_shares(image))
            self.drawn.extend(map(hash, zip(*(image.boxes[part::5] for part in range(5)), strict=True)))

    def include(self, other: CategoryStats) -> None:
        """Count what another has counted."""
        self.summary.include(other.summary)
        self.widths.extend(other.widths)
        self.heights.extend(other.heights)
        self.counts.extend(other.counts)
        self.shares.extend(other.shares)
        self.checksums.extend(other.checksums)
        self.drawn.extend(other.drawn)
        self.annotated += other.annotated

    @property
    def urls(self) -> int:
        """URLs considered."""
        return sum(self.summary.statuses.values())

    @property
    def saved(self) -> int:
        """Images that are there."""
        return len(self.widths)

    @property
    def boxes(self) -> int:
        """Boxes in all."""
        return len(self.shares)

    @property
    def failed(self) -> int:
        """URLs that gave no image."""
        return self.summary.statuses[Status.FAILED]

    @property
    def size(self) -> str:
        """The most frequent size, e.g. `500 × 375`, of several the largest; empty without images."""  # noqa: RUF002
        times = Counter(zip(self.widths, self.heights, strict=True))
        if not times:
            return ""
        width, height = max(times, key=lambda size: (times[size], size[0] * size[1], size))
        return f"{width} × {height}"  # noqa: RUF001

    @property
    def share(self) -> str:
        """The share in the middle of all, e.g. `31 %`; empty without boxes."""
        return f"{_median(self.shares):.0%}".replace("%", " %") if self.boxes else ""

    def distinct(self) -> Distinct:
        """Count images and boxes, those once that lie in several folders."""
        times = Counter(self.checksums)
        boxes = iter(self.drawn)
        once, repeated = 0, set[tuple[int, int]]()
        for checksum, count in zip(self.checksums, self.counts, strict=True):
            here = list(islice(boxes, count))
            if times[checksum] == 1:
                once += count
            else:
                repeated.update((checksum, box) for box in here)
        return Distinct(len(times), once + len(repeated))

    def histograms(self) -> dict[str, list[int]]:
        """Count sizes, boxes and their shares, for charts; by the scales' titles."""
        sides = map(max, self.widths, self.heights)
        return {
            SIDES.title: SIDES.histogram(sides),
            COUNTS.title: COUNTS.histogram(self.counts),
            SHARES.title: SHARES.histogram(self.shares),
        }


def total(figures: Iterable[CategoryStats]) -> CategoryStats:
    """Add up."""
    result = CategoryStats("", "", "", Summary("all"))
    for one in figures:
        result.include(one)
    return result


def _shares(image: Shown) -> list[float]:
    whole, boxes = image.width * image.height, image.boxes
    edges = zip(boxes[1::5], boxes[2::5], boxes[3::5], boxes[4::5], strict=True)
    # xmax and ymax belong to the box
    return [(xmax - xmin + 1) * (ymax - ymin + 1) / whole for xmin, ymin, xmax, ymax in edges]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
