"""Tables with a header as users save them: in Excel, LibreOffice, vim, pandas.

This module alone knows the encodings and separators that these programs write, and how to say where in
such a file something is wrong. It knows no column.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

SEPARATORS = (",", ";", "\t")
# Excel's "CSV UTF-8", its "Unicode text", and the same from a big-endian machine.
_BY_MARK = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_MARK = ("utf-8", "cp1252")  # in this order: hardly any cp1252 text is UTF-8 by chance
_WORKBOOK = b"PK\x03\x04"  # .xlsx and .ods are zip archives
_END = "\x1aend of table"  # appended, so that a quotation mark that is never closed is found
_SHOWN = 60  # characters of a wrong value
_LARGEST = 32_000_000  # bytes; all 21,845 categories have one million


@dataclass(frozen=True)
class Header:
    """What the rows of a table share: the file, how wide it is, and which column stands where."""

    path: Path
    width: int
    columns: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; `row["column"]` is its value, without blanks around it, empty where the row has none.

    Attributes
    ----------
    header
        Of its table.
    line
        Where the row begins in the file, from 1.
    cells
        The values.
    """

    header: Header
    line: int
    cells: Sequence[str]

    def __getitem__(self, column: str) -> str:
        try:
            return self.cells[self.header.columns[column]]
        except IndexError:  # spreadsheets may leave out empty values at the end
            return ""

    def wrong(self, column: str, allowed: str) -> InputError:
        """Make the error that names the file, the line, the column and the value, and says what to do."""
        value = self[column]
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        place = f"{self.header.path}, line {self.line}, column {column}"
        return InputError(f"{place}: {shown!r} is not allowed; {allowed}.")


@dataclass(frozen=True)
class UserTable:
    """A table as it was saved.

    Attributes
    ----------
    path
        Its file.
    wanted
        The columns that it must have.
    data
        The file's bytes: `bom`, then `text` in `encoding`.
    bom
        The mark at the beginning that says the encoding; empty where there is none.
    encoding
        A name that Python knows.
    separator
        Between the cells of a row.
    text
        All of it, with the line ends that it has.
    """

    path: Path
    wanted: Sequence[str]
    data: bytes
    bom: bytes
    encoding: str
    separator: str
    text: str

    @functools.cached_property
    def rows(self) -> list[TableRow]:
        """The rows that are not blank, in order; an InputError if this is no such table (see `read_rows`)."""
        lines = _lines(self.path, self.text, self.separator)
        first = next(lines, None)
        if first is None:
            raise InputError(
                f"{self.path} is empty. Delete it and let download_imagenet_prerequisites.py make it anew."
            )
        header = _header(self.path, *first, self.wanted)
        rows = [TableRow(header, line, cells) for line, cells in lines]
        for row in rows:
            if any(row.cells[header.width :]):
                raise _surplus(row)
        return rows

    def encoded(self, text: str) -> bytes:
        """Spell another text as this one is spelled."""
        return self.bom + text.encode(self.encoding)


def read_rows(path: Path, wanted: Sequence[str]) -> list[TableRow]:
    """Read the rows of a table that are not blank.

    Parameters
    ----------
    path
        A CSV file with a header.
    wanted
        The columns that it must have, in small letters with `_`; their order, case and blanks in the file
        make no difference, nor do further columns.

    Raises
    ------
    InputError
        If the file is not there, is no such table, or a row has more values than the header.
    """
    return read_table(path, wanted).rows


def read_table(path: Path, wanted: Sequence[str]) -> UserTable:
    """Read a table together with how it was saved; see `read_rows`."""
    return table_of(path, _load(path), wanted)


def table_of(path: Path, data: bytes, wanted: Sequence[str]) -> UserTable:
    """Take bytes for the table that lies, or is to lie, at a path; see `read_rows`."""
    _check_size_and_kind(path, data)
    marked = [(bom, encoding) for bom, encoding in _BY_MARK if data.startswith(bom)]
    for bom, encoding in marked or [(b"", encoding) for encoding in _WITHOUT_MARK]:
        text = _decoded(data[len(bom) :], encoding)
        if text is not None:
            _check_nul(path, text)
            return UserTable(path, wanted, data, bom, encoding, _separator(text, wanted), text)
    raise InputError(f"{path} is no text that can be read. Save it as CSV (UTF-8).")


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is not there: run download_imagenet_prerequisites.py first, or say --ncode_data FILE."
        ) from error
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        why = "it is a folder" if path.is_dir() else getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({why}). Say --ncode_data FILE.") from error


def _check_size_and_kind(path: Path, data: bytes) -> None:
    if len(data) > _LARGEST:
        raise InputError(
            f"{path} has more than {_LARGEST // 10**6} MB, more than any table of categories. "
            "Say --ncode_data FILE."
        )
    if data.startswith(_WORKBOOK):
        raise InputError(f"{path} is a spreadsheet's workbook, not a CSV file. Save it as CSV (UTF-8).")


def _check_nul(path: Path, text: str) -> None:
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: there are NUL bytes in it. Save it as CSV (UTF-8).")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _separator(text: str, wanted: Sequence[str]) -> str:
    """Return the separator by which the first line that is not blank has most of the wanted columns."""
    first = next((line for line in io.StringIO(text, newline="") if line.strip(' \t\r\n,;"')), "")

    def hits(separator: str) -> int:
        reader = csv.reader([first], delimiter=separator, skipinitialspace=True)
        return len(set(wanted).intersection(map(_column, next(reader, []))))

    try:
        return max(SEPARATORS, key=hits)
    except csv.Error:  # a first line of more than 128 kB: no header, as its reader will find
        return SEPARATORS[0]


def _column(cell: str) -> str:
    return "_".join(cell.casefold().split())


def _lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line where it begins."""
    source = itertools.chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                break
            values = [cell.strip() for cell in cells]
            if any(values):
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unclosed(path, line) from error
    if cells != [_END]:
        raise _unclosed(path, line)


def _unclosed(path: Path, line: int) -> InputError:
    return InputError(f"{path}, line {line}: a quotation mark that opens there is never closed. Close it.")


def _header(path: Path, line: int, cells: list[str], wanted: Sequence[str]) -> Header:
    names = [_column(cell) for cell in cells]
    for column in wanted:
        if names.count(column) != 1:
            problem = "is missing" if column not in names else "stands there twice"
            raise InputError(
                f"{path}, line {line}: the column {column} {problem}. "
                f"The first line must name the columns {','.join(wanted)}."
            )
    return Header(path, len(cells), {column: names.index(column) for column in wanted})


def _surplus(row: TableRow) -> InputError:
    return InputError(
        f"{row.header.path}, line {row.line}: it has {len(row.cells)} values, but the header names "
        f"{row.header.width} columns. Put a name that holds the separator between quotation marks."
    )
