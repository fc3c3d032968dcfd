"""What the page's script is given of every image: a compact JSON, a line for each category.

This module alone knows its layout, which `gallery.js` reads. It is text that may stand in any HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from zlib import crc32

from ..results.collection import Collected, Sample
from .figures import COUNTS, SHARES, SIDES, Figures, Shown
from .meanings import meaning

COLOURS = 16
"""How many there are for labels; each label has its own as long as they last."""
MOST_IMAGES = 250_000
"""On one page; browsers take seconds to read more. Of the others the page gives only the numbers."""
_spell = json.JSONEncoder(separators=(",", ":")).encode


class Labels:
    """The labels of all boxes, by numbers; those of an earlier page come first, with theirs."""

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        self._names = list(earlier)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._used: set[int] = set()

    def number(self, name: str) -> int:
        """Give a label's number."""
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def use(self, images: Iterable[Shown]) -> None:
        """Note which labels are on the page."""
        for image in images:
            self._used.update(image.boxes[::5])

    def names(self) -> list[str]:
        """Give the labels by their numbers; one that no box has any more is empty."""
        return [name if number in self._used else "" for number, name in enumerate(self._names)]


@dataclass(frozen=True)
class Album:
    """A category as the page shows it.

    Attributes
    ----------
    stamp
        What its files looked like when it was made.
    """

    figures: Figures
    images: list[Shown]
    stamp: list[int]


def album(collected: Collected, labels: Labels, stamp: list[int]) -> Album:
    """Make a category's album."""
    images = [_shown(sample, labels) for sample in collected.samples]
    return Album(Figures.of(collected.category, collected.summary, images), images, stamp)


class Pictures:
    """Spells one album after the other, then what they have in common."""

    def __init__(self, labels: Labels, most: int = MOST_IMAGES) -> None:
        self._labels = labels
        self._room = most
        self._left_out = 0

    def begin(self) -> str:
        """Spell what comes before the first category."""
        return '{"categories":[\n'

    def category(self, album: Album) -> str:
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

    def end(self, everything: Figures) -> Iterator[str]:
        """Spell what comes after the last category, in two lines."""
        labels = self._labels.names()
        common = {
            "total": _numbers(everything),
            "labels": labels,
            "colours": colours(labels),
            "meanings": {word: meaning(word) for word in sorted(everything.summary.reasons)},
            "scales": {scale.title: scale.names for scale in (SIDES, COUNTS, SHARES)},
            "left_out": self._left_out,
        }
        yield "\n],\n"
        yield f"{_harmless(common).removeprefix('{')}\n"


def quoted(name: str) -> str:
    """Spell the name of a file or folder as a URL wants it, whatever bytes it has."""
    return quote(name, safe="", errors="surrogateescape")


def colours(labels: Sequence[str]) -> list[int]:
    """Give each label the number of its colour.

    It comes of the name, so that a label keeps it from run to run; where two would share one, the second
    by the alphabet takes the next that is free.
    """
    chosen: dict[str, int] = {}
    taken: set[int] = set()
    for label in sorted(filter(None, labels)):
        if len(taken) == COLOURS:
            taken.clear()
        colour = crc32(label.encode(errors="surrogatepass")) % COLOURS
        while colour in taken:
            colour = (colour + 1) % COLOURS
        taken.add(colour)
        chosen[label] = colour
    return [chosen.get(label, 0) for label in labels]


def _shown(sample: Sample, labels: Labels) -> Shown:
    boxes: list[int] = []
    for box in sample.annotation.boxes if sample.annotation else ():
        boxes += (labels.number(box.label), box.xmin, box.ymin, box.xmax, box.ymax)
    picture = sample.picture
    return Shown(quoted(sample.path.name), picture.width, picture.height, picture.bytes, sample.url, boxes)


def _numbers(figures: Figures) -> dict[str, object]:
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
