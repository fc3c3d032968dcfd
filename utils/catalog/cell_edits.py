"""Edit cells of a user's table in place, or append a column; every other byte of the file is kept."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .user_table import TableRow, UserTable, parse_table

Values = Mapping[str, str]
"""New values of a row by column; without blanks at their ends, and without line breaks."""

# A cell as `csv` with `skipinitialspace` reads it: quoted only if it begins with a quotation mark; text after
# the closing quotation mark belongs to the value, too.
_CELL = r' *(?:"(?P<quoted>[^"]*(?:""[^"]*)*)"(?P<rest>[^{0}\r\n]*)|(?P<plain>[^{0}\r\n]*))'


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replacement of `text[start:end]`."""

    start: int
    end: int
    replacement: str


def edit_cells(table: UserTable, values: Mapping[int, Values]) -> UserTable:
    """Change cells of a table.

    Blanks and quotation marks around a value are kept, and quotation marks are added if the value needs them.
    In an empty cell the value is placed after the blanks. Cells missing at the end of a row are appended.

    Parameters
    ----------
    table
        The table; its file is not written.
    values
        The new values, by the line in which the row begins.

    Returns
    -------
    UserTable
        The edited table, parsed from its new bytes: its rows are the old ones with `values`.

    Raises
    ------
    InputError
        If the encoding of the table lacks a letter, or if the edited table would read back differently.
    """
    line_starts = _line_starts(table)
    edits: list[_Edit] = []
    expected = [row.cells for row in table.rows]
    for index, row in enumerate(table.rows):
        if row.line in values:
            columns = row.header.columns
            by_position = dict(sorted((columns[name], value) for name, value in values[row.line].items()))
            edits += _row_edits(table, line_starts[row.line - 1], by_position)
            expected[index] = _with_values(row, by_position)
    return _edited(table, edits, expected)


def append_column(table: UserTable, name: str) -> UserTable:
    """Append an empty column to a table.

    The cells of each row, and of the header, are quoted as the one in its first required column.

    Parameters
    ----------
    table
        The table; its file is not written.
    name
        One of the optional columns of the table, which it lacks.

    Returns
    -------
    UserTable
        The edited table, parsed from its new bytes.

    Raises
    ------
    InputError
        If the edited table would read back differently.
    """
    line_starts = _line_starts(table)
    first = table.header.columns[table.columns[0]]
    edits = []
    for line in [table.header.line, *(row.line for row in table.rows)]:
        cells = _match_cells(table, line_starts[line - 1])
        value = name if line == table.header.line else ""
        is_quoted = first < len(cells) and cells[first]["quoted"] is not None
        cell = f'"{value}"' if is_quoted else value
        edits.append(_Edit(cells[-1].end(), cells[-1].end(), table.separator + cell))
    return _edited(table, edits, [[*row.cells, ""] for row in table.rows])


def _line_starts(table: UserTable) -> list[int]:
    return list(itertools.accumulate(map(len, io.StringIO(table.text, newline="")), initial=0))


def _edited(table: UserTable, edits: Sequence[_Edit], expected: Sequence[Sequence[str]]) -> UserTable:
    """Apply edits, and compare the cells of the result with those expected."""
    try:
        data = table.encode(_apply(table.text, edits))
    except UnicodeEncodeError as error:
        letter = error.object[error.start : error.end]
        raise InputError(
            f"{table.path} was not changed, because its encoding ({table.encoding}) has no {letter!r}. Save "
            "it as CSV (UTF-8) first."
        ) from error
    try:
        result = parse_table(table.path, data, table.columns, optional=table.optional)
        cells = [row.cells for row in result.rows]
    except InputError as error:
        raise _edit_error(table, f"it could not be read any more ({error})") from error
    if cells != expected:
        raise _edit_error(table, "other cells would change")
    return result


def _row_edits(table: UserTable, start: int, values: Mapping[int, str]) -> Iterator[_Edit]:
    """Yield the edits of the row that begins at `start`, from left to right."""
    cells = _match_cells(table, start)
    width, appended = len(cells), ""
    for position, value in values.items():
        if position < len(cells):
            yield _cell_edit(cells[position], value, table.separator)
        else:
            cell = _quoted(value) if _needs_quotes(value, table.separator) else value
            appended += table.separator * (position - width + 1) + cell
            width = position + 1
    if appended:
        yield _Edit(cells[-1].end(), cells[-1].end(), appended)


def _match_cells(table: UserTable, start: int) -> list[re.Match[str]]:
    pattern = re.compile(_CELL.format(table.separator))
    cells = []
    while match := pattern.match(table.text, start):
        cells.append(match)
        if table.text[match.end() : match.end() + 1] != table.separator:
            break
        start = match.end() + 1
    return cells


def _cell_edit(cell: re.Match[str], value: str, separator: str) -> _Edit:
    if cell["rest"] and cell["rest"].strip():  # such as "Tr"ue: replace it as a whole
        start, end = cell.start("quoted") - 1, cell.start("rest") + len(cell["rest"].rstrip())
        return _Edit(start, end, _quoted(value))
    if cell["quoted"] is None and _needs_quotes(value, separator):  # the cell must begin with the mark
        return _Edit(cell.start("plain"), cell.end("plain"), _quoted(value))
    group = "plain" if cell["quoted"] is None else "quoted"
    start = cell.end(group) - len(cell[group].lstrip())
    end = start + len(cell[group].strip())
    return _Edit(start, end, value if group == "plain" else value.replace('"', '""'))


def _needs_quotes(value: str, separator: str) -> bool:
    return separator in value or '"' in value


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _with_values(row: TableRow, values: Mapping[int, str]) -> list[str]:
    cells = [*row.cells, *[""] * (max(values, default=0) + 1 - len(row.cells))]
    for position, value in values.items():
        cells[position] = value
    return cells


def _apply(text: str, edits: Sequence[_Edit]) -> str:
    pieces, position = [], 0
    for edit in edits:
        pieces += [text[position : edit.start], edit.replacement]
        position = edit.end
    return "".join([*pieces, text[position:]])


def _edit_error(table: UserTable, why: str) -> InputError:
    return InputError(f"{table.path} was not changed, because with the change {why}. Edit it by hand.")
