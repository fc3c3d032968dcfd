"""Format of the URL table: its header, and the fields of a line.

The columns `img_code,img_url,code` may be in any order, among others, with or without quotation marks, in
UTF-8 or Latin-1. A row that cannot be parsed does not affect its neighbours.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from ..errors import InputError

COLUMNS = ("img_code", "img_url", "code")
HEADER = b"img_code,img_url,code\n"
WNID = re.compile(r"n[0-9]{8}")
MAX_HEADER = 65536  # bytes; limits what is read of a file without line ends
MAX_JOINED_LINES = 4  # further lines of a quoted field with line breaks
MAX_LINE = 32_500
"""Bytes kept of a line. The longest valid URL fits, in any encoding. A longer URL stays invalid when cut
to this length, and fits into a spreadsheet cell."""

_KEPT_END = 256  # bytes at the end of a longer line that are kept, because the last column is the code
_OPENING_QUOTE = re.compile(rb'(?:^|,)[ \t]*"')
_ROW_END = re.compile(rb',[ \t"]*n[0-9]{8}[ \t"]*\r?\n?\Z')
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip file", b"BZh": "a bzip2 file"}
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class LineReader(Protocol):
    """The part of a binary file that `Layout.read_row` needs."""

    def readline(self, size: int, /) -> bytes:
        """Read the next line, at most `size` bytes."""

    def tell(self) -> int:
        """Return the current position."""

    def seek(self, offset: int, /) -> int:
        """Set the position."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a row. `code` is a wnid; the other two are not validated."""

    image_code: str
    url: str
    code: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of the columns, from 0, the number of columns, and the offset of the first row in bytes."""

    image_code: int
    url: int
    code: int
    width: int
    first_row: int

    @property
    def code_is_last(self) -> bool:
        """Whether the code is the last column, so that the end of a line contains its category."""
        return self.code == self.width - 1

    def parse(self, row: bytes) -> Fields | None:
        """Parse a row, or return None if it has no valid code."""
        text = decode(row).rstrip("\r\n")
        if '"' in text:
            quoted = self._select(_csv_fields(text))
            if quoted is not None:
                return quoted
        return self._select(text.split(","), ' \t"')

    def read_row(self, line: bytes, file: LineReader) -> bytes:
        """Return the whole row that begins with `line`, the line just read from `file`.

        A quoted field may contain line breaks. The next lines are joined only if the result is a valid row;
        otherwise the quotation mark is part of the field, and `line` is returned. A line longer
        than `MAX_LINE` loses its middle.
        """
        if len(line) >= MAX_LINE and not line.endswith(b"\n"):
            return _cut_middle(line, file)
        if b'"' not in line or not self._has_open_quote(line):
            return line
        next_line, row = file.tell(), line
        for _ in range(MAX_JOINED_LINES):
            joined = file.readline(MAX_LINE)
            row += joined
            if len(row) > MAX_LINE:
                break
            if row.count(b'"') % 2 == 0 and self._is_valid_csv(row):
                return row
            if self.code_is_last and _ROW_END.search(joined):
                break
        file.seek(next_line)
        return line

    def prefilter(self, image_codes: Collection[str]) -> Callable[[bytes], bool]:
        """Return a fast test that accepts all rows of these images, and perhaps others."""
        if self.image_code != 0:
            return bool  # accepts all rows, none of which is empty
        wanted = frozenset(code.encode(errors="replace") for code in image_codes)
        return lambda row: row.partition(b",")[0].strip(b' \t"') in wanted

    def _has_open_quote(self, line: bytes) -> bool:
        if line.count(b'"') % 2 == 0 or not _OPENING_QUOTE.search(line):
            return False
        return not (self.code_is_last and _ROW_END.search(line))

    def _is_valid_csv(self, row: bytes) -> bool:
        fields = _csv_fields(decode(row).rstrip("\r\n"), strict=True)
        return len(fields) == self.width and self._select(fields) is not None

    def _select(self, fields: list[str], stripped: str = " \t") -> Fields | None:
        """Select the three columns; surplus commas belong to the URL, which is often not quoted."""
        surplus = len(fields) - self.width
        if surplus < 0:
            if not self.code_is_last or len(fields) < 2:
                return None
            fields = fields[:-1] + [""] * -surplus + fields[-1:]
            surplus = 0

        def column(position: int) -> str:
            return fields[position if position < self.url else position + surplus].strip(stripped)

        url = ",".join(fields[self.url : self.url + surplus + 1]).strip(" \t")
        code = column(self.code)
        return Fields(column(self.image_code), url, code) if WNID.fullmatch(code) else None


def decode(line: bytes) -> str:
    """Decode a line as UTF-8, or else as Latin-1; the published list contains both."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def format_row(fields: Fields) -> bytes:
    """Format a row with the columns of `HEADER`; quotation marks are used only where needed."""
    return f"{_quote(fields.image_code)},{_quote(fields.url)},{fields.code}\n".encode()


def parse_header(header: bytes) -> Layout | None:
    """Find the columns in a header line, or return None if one of them is missing."""
    text = decode(header.removeprefix(codecs.BOM_UTF8)).rstrip("\r\n")
    names = [name.strip().lower() for name in _csv_fields(text)]
    if not set(COLUMNS) <= set(names):
        return None
    image_code, url, code = (names.index(column) for column in COLUMNS)
    return Layout(image_code, url, code, len(names), len(header))


def read_header(file: BinaryIO, path: Path) -> Layout:
    """Read the header at the beginning of the table.

    Raises
    ------
    InputError
        If the file has no such header.
    """
    header = file.readline(MAX_HEADER)
    layout = parse_header(header)
    if layout is None:
        raise InputError(f"{path}, line 1: {_header_error(header)}")
    return layout


def _header_error(header: bytes) -> str:
    expected = f"the header {','.join(COLUMNS)} is expected"
    advice = "Create the table again with download_imagenet_prerequisites.py --only urls --force."
    if not header.strip():
        return f"the file is empty, {expected}. {advice}"
    for magic, kind in _ARCHIVES.items():
        if header.startswith(magic):
            return f"this is {kind}. Pass it to download_imagenet_prerequisites.py as --urls_source."
    if header.startswith(_UTF16_BOMS):
        return "this is UTF-16. Save it as CSV (UTF-8)."
    return f"{expected}, but it is {decode(header[:80]).strip()!a}. {advice}"


def _cut_middle(line: bytes, file: LineReader) -> bytes:
    """Skip the rest of a long line; its beginning and end, which name image and category, are kept."""
    end = line
    while not end.endswith(b"\n") and (chunk := file.readline(MAX_LINE)):
        end = end[-_KEPT_END:] + chunk
    return line[: MAX_LINE - _KEPT_END] + end[-_KEPT_END:]


def _csv_fields(text: str, *, strict: bool = False) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True, strict=strict), [])
    except csv.Error:  # an unquoted line break, or a field of more than 128 kB
        return []


def _quote(text: str) -> str:
    if any(special in text for special in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
