"""Read tables with a header row as saved by Excel, LibreOffice, vim or pandas.

Detects encoding and separator, and names the line in error messages. The caller names the columns.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from . import truth_words

SEPARATORS = (",", ";", "\t", "|")
_BLANK = ' \t\r\n"' + "".join(SEPARATORS)
_SEPARATOR_LINE = re.compile("sep=.?", re.IGNORECASE)  # may precede the header, for Excel
# Excel's "CSV UTF-8", its "Unicode text", and the same from a big-endian machine.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODE_PAGES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("mac_roman", "mac_latin2", "mac_cyrillic", "mac_greek", "mac_turkish"),
)
"""Excel's "CSV" has the code page of its Windows or Mac."""
_SAMPLE, _CELLS_TRIED = 2_000_000, 100  # bytes and cells that decide
_ZIP_MAGIC = b"PK\x03\x04"  # .xlsx and .ods files are zip archives
_END = "\x1aend of table"  # appended to the text to detect a quotation mark that is never closed
_MAX_SHOWN = 60  # characters of an invalid value
_MAX_BYTES = 32_000_000  # a table of all 21,845 categories has one million


@dataclass(frozen=True)
class Header:
    """The header that all rows of a table share: file, line, number of columns, position of each column."""

    path: Path
    line: int
    width: int
    columns: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row. `row["column"]` is the stripped value, or "" if the row is too short or the column missing.

    Attributes
    ----------
    line
        The line of the file in which the row begins, from 1.
    """

    header: Header
    line: int
    cells: Sequence[str]

    def __getitem__(self, column: str) -> str:
        try:
            return self.cells[self.header.columns[column]]
        except (KeyError, IndexError):  # an optional column; spreadsheets omit empty cells at the end
            return ""

    def error(self, column: str, advice: str) -> InputError:
        """Return an error that names the file, line, column and value."""
        value = self[column]
        shown = value if len(value) <= _MAX_SHOWN else f"{value[:_MAX_SHOWN]}…"
        place = f"{self.header.path}, line {self.line}, column {column}"
        return InputError(f"{place}: {shown!r} is not allowed; {advice}.")


class DecodedText(NamedTuple):
    """A text, with its byte order mark (empty if there is none) and Python's name of its encoding."""

    bom: bytes
    encoding: str
    text: str


@dataclass(frozen=True)
class UserTable:
    """A table with the format that it was saved in.

    Attributes
    ----------
    columns, optional
        The required columns, and columns that may be missing.
    data
        The bytes of the file: `bom`, then `text` in `encoding`.
    bom
        The byte order mark; empty if there is none.
    encoding
        A Python codec.
    separator
        The character between cells.
    text
        The decoded text, with the original line ends.
    """

    path: Path
    columns: Sequence[str]
    optional: Sequence[str]
    data: bytes
    bom: bytes
    encoding: str
    separator: str
    text: str

    @functools.cached_property
    def header(self) -> Header:
        """The header.

        Raises
        ------
        InputError
            If the table is empty, lacks a required column, or names a column twice.
        """
        first = next(_csv_lines(self.path, self.text, self.separator), None)
        if first is None:
            raise InputError(
                f"{self.path} is empty. Delete it and run download_imagenet_prerequisites.py to create it."
            )
        return _parse_header(self.path, *first, self.columns, self.optional)

    @functools.cached_property
    def rows(self) -> list[TableRow]:
        """The rows that are not blank, in order.

        Raises
        ------
        InputError
            As for `header`, and if the table is malformed or a row has more cells than the header.
        """
        header = self.header
        lines = itertools.islice(_csv_lines(self.path, self.text, self.separator), 1, None)
        rows = [TableRow(header, line, cells) for line, cells in lines]
        for row in rows:
            if any(row.cells[header.width :]):
                raise InputError(
                    f"{self.path}, line {row.line}: it has {len(row.cells)} values, but the header names "
                    f"{header.width} columns. Put a name that contains the separator in quotation marks."
                )
        return rows

    def encode(self, text: str) -> bytes:
        """Encode a text like this table."""
        return self.bom + text.encode(self.encoding)


def read_table(path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> UserTable:
    """Read a table.

    Parameters
    ----------
    path
        A CSV file with a header.
    columns
        The required columns, in lower case with `_` for spaces. In the file, their order, their case, spaces
        in them and further columns make no difference.
    optional
        Columns that may be missing.

    Raises
    ------
    InputError
        If the file cannot be read or decoded. Malformed rows are reported by `UserTable.rows`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist: run download_imagenet_prerequisites.py first, or use --ncode_data FILE."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = "it is a folder" if path.is_dir() else getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({why}). Use --ncode_data FILE.") from error
    return parse_table(path, data, columns, optional=optional)


def parse_table(
    path: Path, data: bytes, columns: Sequence[str], *, optional: Sequence[str] = ()
) -> UserTable:
    """Parse the bytes of a table; `path` is for error messages. See `read_table`."""
    if len(data) > _MAX_BYTES:
        raise InputError(
            f"{path} is larger than {_MAX_BYTES // 10**6} MB, too large for a table of categories. "
            "Use --ncode_data FILE."
        )
    if data.startswith(_ZIP_MAGIC):
        raise InputError(f"{path} is a spreadsheet workbook, not a CSV file. Save it as CSV (UTF-8).")
    decoded = decode(data)
    if decoded is None:
        raise InputError(f"{path} is not a text file. Save it as CSV (UTF-8).")
    bom, encoding, text = decoded
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: the line contains NUL bytes. Save it as CSV (UTF-8).")
    separator = _detect_separator(text, columns)
    return UserTable(path, columns, optional, data, bom, encoding, separator, text)


def decode(data: bytes) -> DecodedText | None:
    """Decode a text file as editors and spreadsheets save it; None if it is no text."""
    bom, encoding = next((one for one in _BOMS if data.startswith(one[0])), (b"", "utf-8"))
    with contextlib.suppress(UnicodeDecodeError):
        return DecodedText(bom, encoding, data[len(bom) :].decode(encoding))
    if not bom:  # text of a code page is hardly ever valid UTF-8
        page = _code_page(data)
        with contextlib.suppress(UnicodeDecodeError):
            return DecodedText(bom, page, data.decode(page))
    return None


def _code_page(data: bytes) -> str:
    """Return the code page in which most of the frequent cells are words for true or false, else cp1252."""
    cells = Counter(cell for cell in re.split(rb'[,;|\t\r\n"]+', data[:_SAMPLE]) if not cell.isascii())
    tried = [cell for cell, _ in cells.most_common(_CELLS_TRIED)]

    def words_found(page: str) -> int:
        return sum(truth_words.parse(cell.decode(page, "replace")) is not None for cell in tried)

    return max(_CODE_PAGES, key=words_found)


def _detect_separator(text: str, columns: Sequence[str]) -> str:
    """Return the separator with which the header has most of the columns."""
    lines = (line for line in io.StringIO(text, newline="") if line.strip(_BLANK))
    first = next(lines, "")
    if _SEPARATOR_LINE.fullmatch(first.strip(_BLANK)):
        first = next(lines, "")

    def columns_found(separator: str) -> int:
        reader = csv.reader([first], delimiter=separator, skipinitialspace=True)
        return len(set(columns).intersection(map(_column_name, next(reader, []))))

    try:
        return max(SEPARATORS, key=columns_found)
    except csv.Error:  # a first line of more than 128 kB, which `rows` reports
        return SEPARATORS[0]


def _column_name(cell: str) -> str:
    return "_".join(cell.casefold().split())


def _csv_lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of the rows that are not blank, each with the line in which the row begins.

    A first row that names the separator is left out.
    """
    source = itertools.chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True)
    line, is_first = 1, True
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                break
            values = [cell.strip() for cell in cells]
            if any(values):
                if not (is_first and _SEPARATOR_LINE.fullmatch("".join(values))):
                    yield line, values
                is_first = False
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unclosed_quote(path, line) from error
    if cells != [_END]:
        raise _unclosed_quote(path, line)


def _unclosed_quote(path: Path, line: int) -> InputError:
    return InputError(f"{path}, line {line}: a quotation mark is opened but never closed. Close it.")


def _parse_header(
    path: Path, line: int, cells: list[str], columns: Sequence[str], optional: Sequence[str]
) -> Header:
    names = [_column_name(cell) for cell in cells]
    present = [*columns, *(column for column in optional if column in names)]
    for column in present:
        if names.count(column) != 1:
            problem = "is missing" if column not in names else "occurs twice"
            raise InputError(
                f"{path}, line {line}: the column {column} {problem}. "
                f"The first line must name the columns {','.join(columns)}, and none twice."
            )
    return Header(path, line, len(cells), {column: names.index(column) for column in present})
