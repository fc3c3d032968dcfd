"""`index.html`: all images of a result folder with their boxes, in one file that needs no network.

The page is written while the categories are read, so that only one of them is in memory. Its security policy
allows only our script, by its checksum, and only files next to the page. The script (`gallery.js`) reads the
images from a JSON element of the page, with a line for each category.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ..files import atomic_file
from ..reasons import meaning
from ..text import pluralize
from .category_page import CategoryPage, url_quoted
from .category_stats import BOX_COUNT, BOX_SHARE, LONGEST_SIDE, CategoryStats, GalleryImage, by_class, total
from .state import MAX_IMAGES

ASSETS = Path(__file__).parent
DATA = "<!-- data -->\n"
"""The place of the JSON in `page.html`."""
COLOURS = 16
"""Colours of labels in `gallery.js`."""
COLUMNS = (
    *("category", "URLs", "saved", "with boxes", "boxes", "most frequent size"),
    *("box’s share", "failed", "because of"),  # noqa: RUF001
)
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def write(path: Path, pages: Iterable[CategoryPage], at: str) -> None:
    """Write the page.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with atomic_file(path) as file:
        for part in _parts(pages, at):
            file.write(part.encode(errors="replace"))


def _parts(pages: Iterable[CategoryPage], at: str) -> Iterator[str]:
    script, style = _asset("gallery.js"), _asset("gallery.css")
    head, tail = (Template(part) for part in _asset("page.html").split(DATA))
    yield head.substitute(style=style, script_sum=_checksum(f"\n{script}"), style_sum=_checksum(f"\n{style}"))
    data = _PageData()
    stats: list[CategoryStats] = []
    yield '{"categories":[\n'
    for page in pages:
        yield ",\n" if stats else ""
        yield data.category(page)
        stats.append(page.stats)
    whole = total(stats)
    yield f"\n],\n{data.common(whole, stats).removeprefix('{')}\n"
    counts = (
        pluralize(whole.saved, "image"),
        pluralize(whole.boxes, "box"),
        pluralize(len(stats), "category"),
    )
    yield tail.substitute(
        head=f"<tr>{_cells('th scope=col', COLUMNS)}</tr>",
        rows="".join(map(_category_row, stats)),
        all=_cells("th", _texts("all", whole)),
        summary=f'{", ".join(counts)} · <span class="date">{at} UTC</span>',
        script=script,
    )


class _PageData:
    """Formats the JSON for the script; labels are numbered in the order of their first box on the page."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._boxes: Counter[str] = Counter()
        self._room = MAX_IMAGES
        self._left_out = 0

    def category(self, page: CategoryPage) -> str:
        """Format a category, in one line."""
        images = page.images[: self._room]
        self._room -= len(images)
        self._left_out += len(page.images) - len(images)
        folder = page.stats.folder
        return _html_safe(
            {
                "folder": folder,
                "path": url_quoted(folder),
                "class": page.stats.class_name,
                **_numbers(page.stats),
                "images": [self._image(image, page.labels) for image in images],
            }
        )

    def _image(self, image: GalleryImage, labels: list[str]) -> tuple[object, ...]:
        boxes = image.boxes.copy()
        for offset in range(0, len(boxes), 5):
            label = labels[boxes[offset]]
            boxes[offset] = self._numbers.setdefault(label, len(self._numbers))
            self._boxes[label] += 1
        return (image.file, image.width, image.height, image.bytes, image.url, boxes)

    def common(self, whole: CategoryStats, stats: Iterable[CategoryStats]) -> str:
        """Format what follows the last category, in one line."""
        # The first colours differ most: the most frequent labels get them.
        ranked = sorted(self._boxes, key=lambda label: (-self._boxes[label], label))
        colours = {label: rank % COLOURS for rank, label in enumerate(ranked)}
        return _html_safe(
            {
                "total": _numbers(whole),
                "classes": {name: _numbers(total(of_class)) for name, of_class in by_class(stats).items()},
                "labels": list(self._numbers),
                "colours": [colours[label] for label in self._numbers],
                "meanings": {word: meaning(word) for word in sorted(whole.summary.reasons)},
                "scales": {bins.title: bins.names for bins in (LONGEST_SIDE, BOX_COUNT, BOX_SHARE)},
                "left_out": self._left_out,
            }
        )


def _numbers(stats: CategoryStats) -> dict[str, Any]:
    return {
        "statuses": stats.summary.statuses,
        "reasons": stats.summary.reasons.most_common(),
        "urls": stats.urls,
        "saved": stats.saved,
        "own": stats.own,
        "annotated": stats.annotated,
        "boxes": stats.boxes,
        "size": stats.usual_size,
        "share": stats.median_share,
        "histograms": stats.histograms(),
    }


def _html_safe(value: object) -> str:
    """Format JSON in which no text can end the script element around it."""
    return _to_json(value).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    """Format the checksum of a script or style for the policy; it covers all between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _category_row(stats: CategoryStats) -> str:
    name, *others = _texts(stats.folder, stats)
    link = f'<a href="#category={url_quoted(stats.folder)}">{name}</a>'
    title = f"{stats.name} ({stats.code})" if stats.code else "not in ncodes.csv"
    if stats.class_name:
        link += f" · {escape(stats.class_name)}"
        title += f", class {stats.class_name}"  # long names are cut
    return f'<tr><th scope="row" title="{escape(title)}">{link}</th>{_cells("td", others)}</tr>\n'


def _texts(name: str, stats: CategoryStats) -> list[str]:
    numbers = (stats.urls, stats.saved, stats.annotated, stats.boxes)
    texts = [name, *(f"{number:,}" for number in numbers), stats.usual_size, stats.median_share]
    return [escape(text) for text in (*texts, f"{stats.failed:,}", stats.summary.failure_reasons)]


def _cells(opening: str, texts: Iterable[str]) -> str:
    closing = opening.partition(" ")[0]
    return "".join(f"<{opening}>{text}</{closing}>" for text in texts)
