"""Text for the screen: counted nouns, shortened lists, and tables that fit a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

COLUMN_GAP = "  "
ELLIPSIS = "…"
LEAST_WIDTH = 6
"""Minimum display width of the shortened column of a table."""


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun: "1 image", "2,000 categories", "0 boxes"."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"


def join_names(names: Sequence[str], limit: int) -> str:
    """Join the first `limit` names, and say how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def display_width(text: str) -> int:
    """Return the columns that a text takes on a terminal: East Asian letters two, combining ones none."""
    if text.isascii():
        return len(text)
    letters = (letter for letter in text if not unicodedata.combining(letter))
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)


def truncate(text: str, width: int) -> str:
    """Cut the end of a text that takes more than `width` columns (at least 1)."""
    if display_width(text) <= width:
        return text
    while text and display_width(text) >= width:
        text = text[:-1]
    return text.rstrip(" ,") + ELLIPSIS


def truncate_middle(text: str, width: int) -> str:
    """Cut the middle of a text that takes more than `width` columns (at least 1); both ends stay."""
    if display_width(text) <= width:
        return text
    start, end = text[: len(text) // 2], text[len(text) // 2 :]
    while display_width(start) > width // 2:
        start = start[:-1]
    while display_width(end) > (width - 1) // 2:
        end = end[1:]
    return f"{start}{ELLIPSIS}{end}"


def format_table(
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int = 1,
    width: int | None = None,
    shorten: Callable[[str, int], str] = truncate,
) -> list[str]:
    """Align the cells of a table.

    Parameters
    ----------
    rows
        Cells; all rows have the same number of them, and the first row is the header.
    text_columns
        The number of columns of text, which are aligned left; the others are aligned right.
    width
        The maximum display width of a line; None for no limit.
    shorten
        The function that shortens the cells of the first column if the table is wider than that.

    Returns
    -------
    list of str
        One line for each row, all of the same display width.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        excess = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) - width
        widths[0] = min(widths[0], max(LEAST_WIDTH, widths[0] - excess))

    def aligned(column: int, cell: str) -> str:
        text = shorten(cell, widths[column]) if column == 0 else cell
        blanks = " " * (widths[column] - display_width(text))
        return text + blanks if column < text_columns else blanks + text

    return [COLUMN_GAP.join(aligned(column, cell) for column, cell in enumerate(row)) for row in rows]
