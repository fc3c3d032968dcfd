"""Lists of categories: a table that fits the terminal, or CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..text import COLUMN_GAP, ELLIPSIS, display_width, format_table, spreadsheet_cell, truncate

COLUMNS = ("code", "name", "urls", "annotated", "subcategories", "path", "match")
CLASS = "class"
"""The column that lists have only if one of their rows has a class."""
HEADER = ("code", "name", "URLs", "boxed", "below")
LEGEND = "boxed: images in the archives of boxes (some may have no URL); below: subcategories on all levels"
LEGEND_CLASS = "; class: the name of the category in exports"
LEGEND_BELOW = "; +: a subcategory of a category that was found"
SUBCATEGORY = "subcategory"
"""The `match` of a category that is listed because it is below a match."""

NARROWEST = 40  # columns; narrower terminals are taken to be as wide as this
LEAST_NAME, WIDEST_NAME, LEAST_PATH, WIDEST_CLASS = 18, 48, 28, 20  # columns
_PATH_SEPARATOR = " > "


@dataclass(frozen=True)
class Row:
    """A category of the list.

    Attributes
    ----------
    urls
        Rows of the URL table; None if there is no table.
    annotated
        Images with bounding boxes; None if there is no folder of annotations.
    subcategories
        Categories of ncodes.csv below it.
    path
        Names from the broadest category down to this one.
    match
        Why it is listed: the value of a `search.Fit`, `SUBCATEGORY`, or "" if it was named by the user.
    class_name
        As in `Category`.
    heading
        The heading of its group in the table; "" without groups.
    """

    code: str
    name: str
    urls: int | None
    annotated: int | None
    subcategories: int
    path: tuple[str, ...]
    match: str = ""
    class_name: str = ""
    heading: str = ""


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV with a header; unknown numbers are empty."""
    has_classes = _have_classes(rows)
    cells = [
        [
            *(row.code, row.name, row.urls, row.annotated, row.subcategories),
            *(_PATH_SEPARATOR.join(row.path), row.match),
            *[row.class_name] * has_classes,
        ]
        for row in rows
    ]
    return csv_text([*COLUMNS, *[CLASS] * has_classes], cells)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> str:
    """Return CSV with a header, without the last line break.

    None is an empty cell, and no cell starts a formula in a spreadsheet.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(
        [spreadsheet_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return text.getvalue().removesuffix("\n")


def as_table(rows: Sequence[Row], width: int | None) -> str:
    """Return a table of at least one row.

    Names and paths are shortened to fit a terminal of `width` columns (None: paths are whole). On a narrow
    terminal each path takes a line of its own, and classes are left out if names would become too short.
    """
    has_classes = _have_classes(rows)
    header_cells = (*HEADER[:2], *[CLASS] * has_classes, *HEADER[2:])
    cells = [header_cells, *(_cells(row, has_classes=has_classes) for row in rows)]
    code_width = max(display_width(code) for code, *_ in cells)
    longest_path = max(display_width(_short_path(row.path)) for row in rows)
    room, beside, name_width = 0, True, WIDEST_NAME
    if width is not None:
        room = max(width, NARROWEST) - 1  # some terminals wrap a line that fills them
        without_names = format_table([(code, *counts) for code, _, *counts in cells])
        spare = room - display_width(without_names[0]) - 2 * len(COLUMN_GAP)
        beside = spare >= LEAST_NAME + LEAST_PATH
        name_width = min(WIDEST_NAME, max(LEAST_NAME, spare * 2 // 5, spare - longest_path))
        if not beside:
            name_width = max(1, spare + len(COLUMN_GAP))
            if has_classes and name_width < LEAST_NAME:
                return as_table([replace(row, class_name="") for row in rows], width)
    names_cut = [(code, truncate(name, name_width), *counts) for code, name, *counts in cells]
    header, *lines = format_table(names_cut, text_columns=2 + has_classes)
    indent = len(header) + len(COLUMN_GAP) if beside else code_width + len(COLUMN_GAP)
    path_width = None if width is None else room - indent
    separator = COLUMN_GAP if beside else "\n" + " " * indent
    paths = [_short_path(row.path, path_width) for row in rows]
    table = [f"{header}{separator}path" if beside else header]
    heading = ""
    for row, line, path in zip(rows, lines, paths, strict=True):
        if row.heading != heading:
            heading = row.heading
            table.append(f"{heading}:")
        table.append(f"{line}{separator}{path}")
    return "\n".join(table)


def legend(rows: Sequence[Row]) -> str:
    """Explain the headers and signs of the table."""
    is_any_below = any(row.match == SUBCATEGORY for row in rows)
    return LEGEND + LEGEND_CLASS * _have_classes(rows) + LEGEND_BELOW * is_any_below


def wrapped(text: str, width: int | None, *, indent: int = 0) -> str:
    """Break a text between words to fit a terminal of `width` columns (None: no limit).

    Parameters
    ----------
    indent
        The number of blanks before the second and further lines.
    """
    if width is None:
        return text
    line = max(width, NARROWEST) - 1
    return textwrap.fill(text, line, subsequent_indent=" " * indent, break_on_hyphens=False)


def _have_classes(rows: Sequence[Row]) -> bool:
    return any(row.class_name for row in rows)


def _cells(row: Row, *, has_classes: bool) -> tuple[str, ...]:
    counts = ("" if count is None else str(count) for count in (row.urls, row.annotated, row.subcategories))
    name = ("+ " if row.match == SUBCATEGORY else "") + row.name
    classes = [truncate(row.class_name, WIDEST_CLASS)] * has_classes
    return (row.code, name, *classes, *counts)


def _short_path(path: Sequence[str], width: int | None = None) -> str:
    """Join a path; to fit `width`, leave out its middle, then its beginning, then cut the last name."""
    ways = [list(path)]
    ways += [[path[0], ELLIPSIS, *path[start:]] for start in range(2, len(path) - 1)]
    ways += [[ELLIPSIS, *path[start:]] for start in range(max(1, len(path) - 2), len(path))]
    joined = [_PATH_SEPARATOR.join(way) for way in ways]
    fitting = (text for text in joined if width is None or display_width(text) <= width)
    return next(fitting, None) or truncate(path[-1], width or 1)
