"""Text for the screen and for spreadsheets: nouns, lists, tables that fit a terminal, escaped cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import quote

COLUMN_GAP = "  "
ELLIPSIS = "…"
LEAST_WIDTH = 6
"""Minimum display width of the shortened column of a table."""
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Letters that control a terminal or the direction of text, or that take no space: Unicode's control and
format characters, line separators, surrogates, fillers and variation selectors."""
LONGEST_CELL = 32_000
"""Characters; spreadsheets cut longer cells, and Python's csv module rejects much longer ones."""
_SIGNS = r"[=+\-@|\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"  # also of full width, and small ones
_FORMULA = re.compile(rf"\s*{_SIGNS}")
_FORMULA_AFTER_SEPARATOR = re.compile(rf";(?=[\s\"']*{_SIGNS})")


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun: "1 image", "2,000 categories", "0 boxes"."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"


def join_names(names: Sequence[str], limit: int = 5) -> str:
    """Join the first `limit` names, made `printable`, and say how many more there are."""
    more = len(names) - limit
    return ", ".join(map(printable, names[:limit])) + (f" and {more:,} more" if more > 0 else "")


def printable(text: str) -> str:
    """Replace each letter that is `INVISIBLE`, line breaks included, by a question mark."""
    return INVISIBLE.sub("?", text)


def spreadsheet_cell(text: str) -> str:
    """Make a text safe for a cell of a CSV file, whatever separates the cells when it is opened.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe. Percent-encoded are
    letters that are `INVISIBLE`, line breaks and tabs included, and a semicolon before such a formula.
    """
    text = text[:LONGEST_CELL]
    if text[:1].isalnum() and text.isascii() and text.isprintable() and ";" not in text:
        return text  # nearly all
    text = INVISIBLE.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)
    text = _FORMULA_AFTER_SEPARATOR.sub("%3B", text)
    return ("'" + text if _FORMULA.match(text) else text)[:LONGEST_CELL]


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
    """Align the cells of a table, and make them `printable`.

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
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        excess = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) - width
        widths[0] = min(widths[0], max(LEAST_WIDTH, widths[0] - excess))

    def aligned(column: int, cell: str) -> str:
        text = shorten(cell, widths[column]) if column == 0 else cell
        blanks = " " * (widths[column] - display_width(text))
        return text + blanks if column < text_columns else blanks + text

    return [COLUMN_GAP.join(aligned(column, cell) for column, cell in enumerate(row)) for row in rows]
