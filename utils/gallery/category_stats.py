"""Statistics of a category's images, for the charts and tables of the page and the card."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import NamedTuple

from ..models.rows import Category
from ..reasons import Status
from ..results.statistics import Summary
from ..sources.registry import source_of

CHECKSUM_DIGITS = 16
"""Enough to distinguish millions of images."""


class GalleryImage(NamedTuple):
    """An image as the gallery keeps it.

    Attributes
    ----------
    file
        File name, percent-encoded for a URL.
    width, height, bytes
        Size in pixels and bytes.
    url
        Download URL; empty for photos of the user's own.
    boxes
        Five numbers for each box: index of its label, xmin, ymin, xmax and ymax (0-based, inclusive).
    sha256
        Checksum of its bytes.
    """

    file: str
    width: int
    height: int
    bytes: int
    url: str
    boxes: list[int]
    sha256: str


@dataclass(frozen=True)
class Bins:
    """The bins of a histogram; `edges` are the lower bounds of all bins but the first."""

    title: str
    edges: tuple[float, ...]
    names: tuple[str, ...]

    def histogram(self, values: Iterable[float]) -> list[int]:
        """Count the values in each bin."""
        counts = [0] * len(self.names)
        for value in values:
            counts[bisect_right(self.edges, value)] += 1
        return counts


_SIDES = (64, 128, 256, 384, 512, 768, 1024, 2048)
LONGEST_SIDE = Bins(
    "Longest side in pixels",
    _SIDES,
    ("under 64", *(f"{low} to {high - 1}" for low, high in pairwise(_SIDES)), "2048 and more"),
)
BOX_COUNT = Bins(
    "Boxes in an image", (1, 2, 3, 4, 5, 10), ("none", "1", "2", "3", "4", "5 to 9", "10 and more")
)
BOX_SHARE = Bins(
    "A box's share of its image",
    (0.01, 0.05, 0.1, 0.25, 0.5, 0.75),
    ("under 1 %", "1 to 5 %", "5 to 10 %", "10 to 25 %", "25 to 50 %", "50 to 75 %", "over 75 %"),
)


@dataclass
class CategoryStats:
    """Statistics of one category, or the sum of several (see `include`).

    Attributes
    ----------
    folder, code, name
        The category's folder, wnid and ImageNet name; the wnid is empty if `ncodes.csv` has no such folder.
    summary
        Counts of statuses and reasons of its URLs.
    widths, heights, box_counts
        Size in pixels and number of boxes of each image.
    box_shares
        Area of each box as a fraction of the area of its image.
    checksums, box_hashes
        Of each image and each box, to count duplicates once.
    annotated
        Number of images with boxes.
    own
        Number of photos of the user's own among the images.
    origins
        Number of images from each source, by its name in `--source`.
    class_name
        As in `Category`.
    """

    folder: str
    code: str
    name: str
    summary: Summary
    widths: array[int] = field(default_factory=lambda: array("I"))
    heights: array[int] = field(default_factory=lambda: array("I"))
    box_counts: array[int] = field(default_factory=lambda: array("I"))
    box_shares: array[float] = field(default_factory=lambda: array("f"))
    checksums: array[int] = field(default_factory=lambda: array("Q"))
    box_hashes: array[int] = field(default_factory=lambda: array("q"))
    annotated: int = 0
    own: int = 0
    origins: Counter[str] = field(default_factory=Counter)
    class_name: str = ""

    @classmethod
    def of(
        cls, category: Category, summary: Summary, *, images: Iterable[GalleryImage], labels: Sequence[str]
    ) -> CategoryStats:
        """Compute the statistics of a category; `labels` are the names that boxes refer to by index."""
        stats = cls(category.folder, category.code, category.name, summary, class_name=category.class_name)
        for image in images:
            stats.widths.append(image.width)
            stats.heights.append(image.height)
            stats.box_counts.append(len(image.boxes) // 5)
            stats.checksums.append(int(image.sha256[:CHECKSUM_DIGITS], 16))
            stats.annotated += bool(image.boxes)
            if image.url:
                stats.origins[source_of(image.url)] += 1
            else:
                stats.own += 1
            area = image.width * image.height
            for label, xmin, ymin, xmax, ymax in zip(*(image.boxes[at::5] for at in range(5)), strict=True):
                box_area = (xmax - xmin + 1) * (ymax - ymin + 1)  # xmax and ymax are inclusive
                stats.box_shares.append(box_area / area)
                stats.box_hashes.append(hash((labels[label], xmin, ymin, xmax, ymax)))
        return stats

    def include(self, other: CategoryStats) -> None:
        """Add the statistics of another category."""
        self.summary.include(other.summary)
        self.widths.extend(other.widths)
        self.heights.extend(other.heights)
        self.box_counts.extend(other.box_counts)
        self.box_shares.extend(other.box_shares)
        self.checksums.extend(other.checksums)
        self.box_hashes.extend(other.box_hashes)
        self.annotated += other.annotated
        self.own += other.own
        self.origins.update(other.origins)

    @property
    def urls(self) -> int:
        """Number of URLs considered."""
        return sum(self.summary.statuses.values())

    @property
    def saved(self) -> int:
        """Number of images in the folder, own photos included."""
        return len(self.widths)

    @property
    def boxes(self) -> int:
        """Number of boxes."""
        return len(self.box_shares)

    @property
    def failed(self) -> int:
        """Number of URLs that failed."""
        return self.summary.statuses[Status.FAILED]

    @property
    def usual_size(self) -> str:
        """The most frequent size, e.g. `500 × 375` (the largest of several); empty without images."""  # noqa: RUF002
        times = Counter(zip(self.widths, self.heights, strict=True))
        if not times:
            return ""
        width, height = max(times, key=lambda size: (times[size], size[0] * size[1], size))
        return f"{width} × {height}"  # noqa: RUF001

    @property
    def median_share(self) -> str:
        """The median of `box_shares`, e.g. `31 %`; empty without boxes."""
        if not self.boxes:
            return ""
        return f"{sorted(self.box_shares)[self.boxes // 2]:.0%}".replace("%", " %")

    def distinct(self) -> tuple[int, int]:
        """Count images and boxes, with duplicate images, and equal boxes on them, counted once."""
        copies = Counter(self.checksums)
        hashes = iter(self.box_hashes)
        unique, repeated = 0, set[tuple[int, int]]()
        for checksum, count in zip(self.checksums, self.box_counts, strict=True):
            boxes = list(islice(hashes, count))
            if copies[checksum] == 1:
                unique += count
            else:
                repeated.update((checksum, box) for box in boxes)
        return len(copies), unique + len(repeated)

    def histograms(self) -> dict[str, list[int]]:
        """Count images and boxes in the bins of each chart, by the chart's title."""
        return {
            LONGEST_SIDE.title: LONGEST_SIDE.histogram(map(max, self.widths, self.heights)),
            BOX_COUNT.title: BOX_COUNT.histogram(self.box_counts),
            BOX_SHARE.title: BOX_SHARE.histogram(self.box_shares),
        }


def by_class(stats: Iterable[CategoryStats]) -> dict[str, list[CategoryStats]]:
    """Group the categories that have a class, sorted by class."""
    groups: dict[str, list[CategoryStats]] = {}
    for one in stats:
        if one.class_name:
            groups.setdefault(one.class_name, []).append(one)
    return dict(sorted(groups.items()))


def total(stats: Iterable[CategoryStats]) -> CategoryStats:
    """Add up the statistics of several categories."""
    result = CategoryStats("", "", "", Summary("all"))
    for one in stats:
        result.include(one)
    return result
