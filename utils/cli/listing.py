"""Categories set out for reading: as a table that fits the terminal, or as CSV.

This module alone knows the columns of both, and what is left out where there is no room.
"""

from __future__ import annotations

import csv
import io
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ..catalog.names import shown

COLUMNS = ("code", "name", "urls", "annotated", "subcategories", "path", "match")
HEADER = ("code", "name", "URLs", "boxed", "below")
LEGEND = "boxed: images in the archives of boxes (some may have no URL); below: subcategories on all levels"
LEGEND_BELOW = "; +: a subcategory of what was found"
SUBCATEGORY = "subcategory"
"""The match of what was not found itself, but lies below what was."""

NARROWEST = 40  # columns; a terminal that says it has fewer is not believed
LEAST_NAME, LEAST_PATH = 18, 28  # columns; where there is less room, a path goes onto a line of its own
WIDEST_NAME = 48
_GAP = "  "
_LEFT_OUT = "..."
_BETWEEN = " > "
_DEEPER = "+ "


@dataclass(frozen=True)
class Row:
    """What is told of a category.

    Attributes
    ----------
    urls
        Rows of the URL table; None if there is none.
    annotated
        Images with bounding boxes; None if there is no folder of annotations.
    subcategories
        Categories of the table below it.
    path
        The names from the broadest category down to this one.
    match
        Why it is listed: the word of a `finding.Fit`, `SUBCATEGORY`, or "" if it was asked for by name.
    """

    code: str
    name: str
    urls: int | None
    annotated: int | None
    subcategories: int
    path: tuple[str, ...]
    match: str = ""


def as_csv(rows: Sequence[Row]) -> str:
    """Spell rows as CSV with a header, nothing shortened; what is not known is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        numbers = [row.urls, row.annotated, row.subcategories]
        writer.writerow([row.code, row.name, *numbers, _BETWEEN.join(row.path), row.match])
    return text.getvalue()


def as_table(rows: Sequence[Row], width: int | None) -> str:
    """Set rows, at least one, in a table.

    Parameters
    ----------
    width
        Of the terminal, in columns; None if nothing needs to be shortened for one.
    """
    cells = [HEADER, *(_cells(row) for row in rows)]
    needed = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    longest_path = max(_width(_shortened(row.path, None)) for row in rows)
    layout = _layout(needed, longest_path, width)
    paths = ["path" if layout.beside else "", *(_shortened(row.path, layout.path) for row in rows)]
    before_path = _GAP if layout.beside else "\n" + " " * (layout.columns[0] + len(_GAP))
    lines = [
        f"{_line(line, layout.columns)}{before_path}{path}" if path else _line(line, layout.columns)
        for line, path in zip(cells, paths, strict=True)
    ]
    return "\n".join(lines)


def legend(rows: Sequence[Row]) -> str:
    """Say what the table's words and signs mean."""
    return LEGEND + (LEGEND_BELOW if any(row.match == SUBCATEGORY for row in rows) else "")


def wrapped(text: str, width: int | None) -> str:
    """Break a sentence between its words where the terminal ends."""
    return text if width is None else textwrap.fill(text, max(width, NARROWEST) - 1, break_on_hyphens=False)


@dataclass(frozen=True)
class _Layout:
    """How wide the columns before the path are, and the path (None: as wide as it is); and where it goes."""

    columns: list[int]
    path: int | None
    beside: bool


def _layout(needed: list[int], longest_path: int, width: int | None) -> _Layout:
    code, name, *numbers = needed
    if width is None:
        return _Layout([code, min(name, WIDEST_NAME), *numbers], None, beside=True)
    room = max(width, NARROWEST) - 1  # some terminals wrap a line that fills them
    spare = room - code - sum(numbers) - len(needed) * len(_GAP)
    if spare >= LEAST_NAME + LEAST_PATH:
        name = min(name, WIDEST_NAME, max(LEAST_NAME, spare * 2 // 5, spare - longest_path))
        return _Layout([code, name, *numbers], spare - name, beside=True)
    name = min(name, max(spare + len(_GAP), 1))
    return _Layout([code, name, *numbers], room - code - len(_GAP), beside=False)


def _cells(row: Row) -> tuple[str, ...]:
    numbers = ("" if number is None else str(number) for number in (row.urls, row.annotated))
    name = (_DEEPER if row.match == SUBCATEGORY else "") + shown(row.name)
    return (row.code, name, *numbers, str(row.subcategories))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Set the cells of a line below those of the others: texts to the left, numbers to the right."""
    fitted = [_cut(cell, width) for cell, width in zip(cells, widths, strict=True)]
    blanks = [" " * (width - _width(cell)) for cell, width in zip(fitted, widths, strict=True)]
    texts = [cell + blank for cell, blank in zip(fitted[:2], blanks[:2], strict=True)]
    numbers = [blank + cell for cell, blank in zip(fitted[2:], blanks[2:], strict=True)]
    return _GAP.join([*texts, *numbers])


def _shortened(path: Sequence[str], width: int | None) -> str:
    """Spell a path; where it is too long, leave out its middle, then its beginning, its end at last."""
    names = [shown(name) for name in path]
    ways = [names]
    ways += [[names[0], _LEFT_OUT, *names[start:]] for start in range(2, len(names) - 1)]
    ways += [[_LEFT_OUT, *names[start:]] for start in range(max(1, len(names) - 2), len(names))]
    spelled = [_BETWEEN.join(way) for way in ways]
    fitting = (text for text in spelled if width is None or _width(text) <= width)
    return next(fitting, None) or _cut(names[-1], width or 0)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while text and _width(text) > width - len(_LEFT_OUT):
        text = text[:-1]
    return (text.rstrip(" ,") + _LEFT_OUT)[:width]


def _width(text: str) -> int:
    """Say how many columns of a terminal a text takes: letters of East Asia take two, combining ones none."""
    if text.isascii():
        return len(text)
    letters = (letter for letter in text if not unicodedata.combining(letter))
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)
