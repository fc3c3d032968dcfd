"""`index.html`: every image of a result folder with its boxes, in one file that needs no network.

The page is written while the categories pass by, so that only what is short of each is kept. Its policy lets
no script run but ours, which is named by its checksum, and nothing be loaded but files from where it lies.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template

from ..files import atomic_file
from .category_stats import CategoryStats, total
from .ownership import MARK
from .page_data import CategoryPage, Labels, Pictures, quoted

ASSETS = Path(__file__).parent
DATA = "<!-- data -->\n"
"""Where in the page the images' data stands."""
COLUMNS = (
    *("category", "URLs", "saved", "with boxes", "boxes", "most frequent size"),
    *("box’s share", "failed", "because of"),  # noqa: RUF001
)


def write(path: Path, albums: Iterable[CategoryPage], labels: Labels, at: str) -> None:
    """Write the page of categories that come one after another.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with atomic_file(path) as file:
        for piece in _pieces(albums, labels, at):
            file.write(piece.encode(errors="replace"))


def _pieces(albums: Iterable[CategoryPage], labels: Labels, at: str) -> Iterator[str]:
    script, style = _asset("gallery.js"), _asset("gallery.css")
    head, tail = (Template(part) for part in _asset("page.html").split(DATA))
    yield head.substitute(
        mark=MARK, style=style, script_sum=_checksum(f"\n{script}"), style_sum=_checksum(f"\n{style}")
    )
    figures: list[CategoryStats] = []
    yield from _data(albums, Pictures(labels), figures)
    everything = total(figures)
    yield tail.substitute(
        head=f"<tr>{_cells('th scope=col', COLUMNS)}</tr>",
        rows="".join(map(_category_row, figures)),
        all=_cells("th", _texts("all", everything)),
        summary=_summary(figures, everything, at),
        script=script,
    )


def _data(albums: Iterable[CategoryPage], pictures: Pictures, figures: list[CategoryStats]) -> Iterator[str]:
    """Spell the images' data, and remember the figures."""
    yield pictures.begin()
    for album in albums:
        yield ",\n" if figures else ""
        yield pictures.category(album)
        figures.append(album.figures)
    yield from pictures.end(total(figures))


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    """Name a script or style as a policy does; browsers count all that stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _summary(figures: list[CategoryStats], everything: CategoryStats, at: str) -> str:
    counts = (
        (everything.saved, "image", "images"),
        (everything.boxes, "box", "boxes"),
        (len(figures), "category", "categories"),
    )
    said = ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in counts)
    return f'{said} · <span class="date">{at} UTC</span>'


def _category_row(figures: CategoryStats) -> str:
    name, *others = _texts(figures.folder, figures)
    link = f'<a href="#category={quoted(figures.folder)}">{name}</a>'
    known = f"{figures.name} ({figures.code})" if figures.code else "not in ncodes.csv"
    return f'<tr><th scope="row" title="{escape(known)}">{link}</th>{_cells("td", others)}</tr>\n'


def _texts(name: str, figures: CategoryStats) -> list[str]:
    numbers = (figures.urls, figures.saved, figures.annotated, figures.boxes)
    texts = [name, *(f"{number:,}" for number in numbers), figures.size, figures.share]
    return [escape(text) for text in (*texts, f"{figures.failed:,}", figures.summary.failure_reasons)]


def _cells(opening: str, texts: Iterable[str]) -> str:
    closing = opening.partition(" ")[0]
    return "".join(f"<{opening}>{text}</{closing}>" for text in texts)
