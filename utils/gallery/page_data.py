"""What the page's script is given of every image: a compact JSON, a line for each category.

This module alone knows its layout, which `gallery.js` reads. It is text that may stand in any HTML.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from ..results.reader import Collected, ImageRecord
from .category_stats import COUNTS, SHARES, SIDES, CategoryStats
from .meanings import meaning
from .page_schema import Shown, checksum, is_possible

COLOURS = 16
"""How many there are for labels; the most frequent labels have one of their own."""
MOST_IMAGES = 250_000
"""On one page; browsers take seconds to read more. Of the others the page gives only the numbers."""
_spell = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Labels:
    """The labels of all boxes, by numbers; those of an earlier page come first, with theirs."""

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        self._names = list(earlier)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._times: Counter[int] = Counter()

    def number(self, name: str) -> int:
        """Give a label's number."""
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def use(self, images: Iterable[Shown]) -> None:
        """Count the labels that are on the page."""
        for image in images:
            self._times.update(image.boxes[::5])

    def names(self) -> list[str]:
        """Give the labels by their numbers; one that no box has any more is empty."""
        return [name if number in self._times else "" for number, name in enumerate(self._names)]

    def colours(self) -> list[int]:
        """Give each label the number of its colour.

        The first colours differ most: the most frequent labels have them, in this order, so that a page with
        few labels has only what everybody tells apart.
        """
        colours = [0] * len(self._names)
        by_frequency = sorted(self._times, key=lambda number: (-self._times[number], self._names[number]))
        for rank, number in enumerate(by_frequency):
            colours[number] = rank % COLOURS
        return colours


@dataclass(frozen=True)
class CategoryPage:
    """A category as the page shows it.

    Attributes
    ----------
    stamp
        What its files looked like when it was made.
    """

    figures: CategoryStats
    images: list[Shown]
    stamp: list[int]


def album(collected: Collected, labels: Labels, stamp: list[int]) -> CategoryPage:
    """Make a category's album."""
    images = [_shown(sample, labels) for sample in collected.samples if is_possible(sample.picture)]
    return CategoryPage(CategoryStats.of(collected.category, collected.summary, images), images, stamp)


class Pictures:
    """Spells one album after the other, then what they have in common."""

    def __init__(self, labels: Labels, most: int = MOST_IMAGES) -> None:
        self._labels = labels
        self._room = most
        self._left_out = 0

    def begin(self) -> str:
        """Spell what comes before the first category."""
        return '{"categories":[\n'

    def category(self, album: CategoryPage) -> str:
        """Spell a category, in one line."""
        images = album.images[: self._room]
        self._room -= len(images)
        self._left_out += len(album.images) - len(images)
        self._labels.use(images)
        folder = album.figures.folder
        return _harmless(
            {
                "stamp": album.stamp if len(images) == len(album.images) else [],
                "folder": folder,
                "path": quoted(folder),
                **_numbers(album.figures),
                "images": images,
            }
        )

    def end(self, everything: CategoryStats) -> Iterator[str]:
        """Spell what comes after the last category, in two lines."""
        common = {
            "total": _numbers(everything),
            "labels": self._labels.names(),
            "colours": self._labels.colours(),
            "meanings": {word: meaning(word) for word in sorted(everything.summary.reasons)},
            "scales": {scale.title: scale.names for scale in (SIDES, COUNTS, SHARES)},
            "left_out": self._left_out,
        }
        yield "\n],\n"
        yield f"{_harmless(common).removeprefix('{')}\n"


def quoted(name: str) -> str:
    """Spell the name of a file or folder as a URL wants it, whatever bytes it has."""
    return quote(name, safe="", errors="surrogateescape")


def _shown(sample: ImageRecord, labels: Labels) -> Shown:
    boxes: list[int] = []
    for box in sample.annotation.boxes if sample.annotation else ():
        boxes += (labels.number(box.label), box.xmin, box.ymin, box.xmax, box.ymax)
    picture = sample.picture
    return Shown(
        file=quoted(sample.path.name),
        width=picture.width,
        height=picture.height,
        bytes=picture.bytes,
        url=sample.url,
        boxes=boxes,
        checksum=checksum(picture),
    )


def _numbers(figures: CategoryStats) -> dict[str, object]:
    return {
        "statuses": figures.summary.statuses,
        "reasons": figures.summary.reasons.most_common(),
        "urls": figures.urls,
        "saved": figures.saved,
        "annotated": figures.annotated,
        "boxes": figures.boxes,
        "size": figures.size,
        "share": figures.share,
        "histograms": figures.histograms(),
    }


def _harmless(value: object) -> str:
    """Spell a value so that no text in it ends the element that it stands in."""
    return _spell(value).replace("<", "\\u003c")
