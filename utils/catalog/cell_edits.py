"""Cells of a user's table changed where they stand; every other byte stays as it was.

This module alone knows where in the text of a table a cell lies: between which blanks and quotation marks.
It knows no column.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .user_table import TableRow, UserTable, table_of

Values = Mapping[str, str]
"""The new value of each column that is to be changed in a row: a word without separators and quotes."""

# As csv with skipinitialspace sees a cell: only what begins with a quotation mark is quoted, and what stands
# behind the closing one belongs to the value, too.
_CELL = r' *(?:"(?P<quoted>[^"]*(?:""[^"]*)*)"(?P<rest>[^{0}\r\n]*)|(?P<plain>[^{0}\r\n]*))'


@dataclass(frozen=True, slots=True)
class _Splice:
    """What stands between two places of the text, and is to be replaced."""

    start: int
    end: int
    text: str


def edited(table: UserTable, values: Mapping[int, Values]) -> UserTable:
    """Change cells of a table.

    A cell keeps the blanks around its value and its quotation marks; an empty one gets the value behind its
    blanks. Cells that a row is too short for are appended.

    Parameters
    ----------
    table
        As it is; nothing is written.
    values
        The new values of the rows that begin in these lines.

    Returns
    -------
    UserTable
        As it is to be: its rows have been read back from its bytes, and are the old ones but for `values`.

    Raises
    ------
    InputError
        If they would read back as anything else.
    """
    starts = _line_starts(table.text)
    splices: list[_Splice] = []
    expected = [row.cells for row in table.rows]
    for number, row in enumerate(table.rows):
        if row.line in values:
            by_place = _by_place(row, values[row.line])
            splices += _splices(table, starts[row.line - 1], by_place)
            expected[number] = _with(row.cells, by_place)
    result = _read_back(table, table.encoded(_spliced(table.text, splices)))
    if [row.cells for row in result.rows] != expected:
        raise _refusal(table, "it would say something else")
    return result


def _line_starts(text: str) -> list[int]:
    return list(itertools.accumulate(map(len, io.StringIO(text, newline="")), initial=0))


def _by_place(row: TableRow, values: Values) -> dict[int, str]:
    """Sort a row's new values by where in the row they go."""
    return dict(sorted((row.header.columns[name], value) for name, value in values.items()))


def _splices(table: UserTable, start: int, values: Mapping[int, str]) -> Iterator[_Splice]:
    """Yield what has to be replaced in the row that begins at `start`, from left to right."""
    cells = _cells(table, start)
    width, appended = len(cells), ""
    for place, value in values.items():
        if place < len(cells):
            yield _replacement(cells[place], value)
        else:
            appended += table.separator * (place - width + 1) + value
            width = place + 1
    if appended:
        yield _Splice(cells[-1].end(), cells[-1].end(), appended)


def _cells(table: UserTable, start: int) -> list[re.Match[str]]:
    pattern = re.compile(_CELL.format(table.separator))
    cells = []
    while match := pattern.match(table.text, start):
        cells.append(match)
        if table.text[match.end() : match.end() + 1] != table.separator:
            break
        start = match.end() + 1
    return cells


def _replacement(cell: re.Match[str], value: str) -> _Splice:
    if cell["rest"] and cell["rest"].strip():  # "Tr"ue: it has no inside that could be kept
        start, end = cell.start("quoted") - 1, cell.start("rest") + len(cell["rest"].rstrip())
        return _Splice(start, end, f'"{value}"')
    inside = "plain" if cell["quoted"] is None else "quoted"
    start = cell.end(inside) - len(cell[inside].lstrip())
    return _Splice(start, start + len(cell[inside].strip()), value)


def _spliced(text: str, splices: Sequence[_Splice]) -> str:
    pieces, at = [], 0
    for splice in splices:
        pieces += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*pieces, text[at:]])


def _read_back(table: UserTable, data: bytes) -> UserTable:
    try:
        result = table_of(table.path, data, table.wanted)
        result.rows  # noqa: B018 -- reads them
    except InputError as error:
        raise _refusal(table, f"it could not be read any more ({error})") from error
    return result


def _with(cells: Sequence[str], values: Mapping[int, str]) -> list[str]:
    changed = [*cells, *[""] * (max(values, default=0) + 1 - len(cells))]
    for place, value in values.items():
        changed[place] = value
    return changed


def _refusal(table: UserTable, why: str) -> InputError:
    return InputError(f"{table.path} is left as it was, for with the change {why}. Edit it by hand.")
