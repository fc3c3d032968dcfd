"""How the URL table is spelled: its header, and from a line's bytes to its fields.

This module alone knows the table's format: `img_code,img_url,code` in any order, among other columns,
with or without quotes, in UTF-8 or Latin-1, line by line.
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

Sieve = Callable[[bytes], bool]
COLUMNS = ("img_code", "img_url", "code")
HEADER = b"img_code,img_url,code\n"
WNID = re.compile(r"n[0-9]{8}")
LONGEST_HEADER = 65536  # bytes; a gigabyte without a line's end must not be read for it
MOST_JOINED_LINES = 4  # how many further lines a quoted field may span
LONGEST_LINE = 32_500
"""Bytes. The longest URL that can be asked for fits, in any encoding; what is kept of a longer line is still
too long to be asked for, and fits a cell of a spreadsheet."""

_KEPT_END = 256  # bytes of a line that is too long: its last column is the code
_OPENING_QUOTE = re.compile(rb'(?:^|,)[ \t]*"')
_ROW_END = re.compile(rb',[ \t"]*n[0-9]{8}[ \t"]*\r?\n?\Z')
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip file", b"BZh": "a bzip2 file"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines(Protocol):
    """A file, as far as it takes to read a line ahead and go back."""

    def readline(self, size: int, /) -> bytes:
        """Read the next line, or as much of it as `size` says, in bytes."""

    def tell(self) -> int:
        """Say where the next line is read."""

    def seek(self, place: int, /) -> int:
        """Go back to where it was."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What one line says; the code is a wnid, the other two are unchecked."""

    image_code: str
    url: str
    code: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns stand, counted from 0, and where the first row begins, in bytes."""

    image_code: int
    url: int
    code: int
    width: int
    first_row: int

    @property
    def code_is_last(self) -> bool:
        """Whether a line ends with its code, so that its end alone tells its category."""
        return self.code == self.width - 1

    def parse(self, line: bytes) -> Fields | None:
        """Read one row, or None if it names no category and so belongs to none."""
        text = decoded(line).rstrip("\r\n")
        if '"' in text:
            quoted = self._pick(_csv_fields(text))
            if quoted is not None:
                return quoted
        return self._pick(text.split(","), ' \t"')

    def row_at(self, line: bytes, file: Lines) -> bytes:
        """Give the whole row that `line`, just read from `file`, begins; `line` itself if that is all.

        A quoted field may hold line ends. The further lines are taken only if they make a row of it;
        if not, the quote is a stray one and costs only its own line. Of a line without an end within
        `LONGEST_LINE` the middle is left out.
        """
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            return _without_middle(line, file)
        if b'"' not in line or not self._is_open(line):
            return line
        behind, row = file.tell(), line
        for _ in range(MOST_JOINED_LINES):
            further = file.readline(LONGEST_LINE)
            row += further
            if len(row) > LONGEST_LINE:
                break
            if row.count(b'"') % 2 == 0 and self._is_strict(row):
                return row
            if self.code_is_last and _ROW_END.search(further):
                break
        file.seek(behind)
        return line

    def sieve(self, image_codes: Collection[str]) -> Sieve:
        """Make a quick test that lets every row of these images pass, and few others."""
        if self.image_code != 0:
            return bool  # no row is empty
        wanted = frozenset(code.encode(errors="replace") for code in image_codes)
        return lambda row: row.partition(b",")[0].strip(b' \t"') in wanted

    def _is_open(self, line: bytes) -> bool:
        if line.count(b'"') % 2 == 0 or not _OPENING_QUOTE.search(line):
            return False
        return not (self.code_is_last and _ROW_END.search(line))

    def _is_strict(self, row: bytes) -> bool:
        fields = _csv_fields(decoded(row).rstrip("\r\n"), strict=True)
        return len(fields) == self.width and self._pick(fields) is not None

    def _pick(self, fields: list[str], stray: str = " \t") -> Fields | None:
        """Take our columns; commas too many belong to the URL, which is often left unquoted."""
        surplus = len(fields) - self.width
        if surplus < 0:
            if not self.code_is_last or len(fields) < 2:
                return None
            fields = fields[:-1] + [""] * -surplus + fields[-1:]
            surplus = 0

        def column(place: int) -> str:
            return fields[place if place < self.url else place + surplus].strip(stray)

        url = ",".join(fields[self.url : self.url + surplus + 1]).strip(" \t")
        code = column(self.code)
        return Fields(column(self.image_code), url, code) if WNID.fullmatch(code) else None


def decoded(line: bytes) -> str:
    """Decode a line as UTF-8, or else as Latin-1: the real list mixes them."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def row_bytes(fields: Fields) -> bytes:
    """Spell a row in the table's own format; quotes only where they are needed."""
    return f"{_cell(fields.image_code)},{_cell(fields.url)},{fields.code}\n".encode()


def header_layout(header: bytes) -> Layout | None:
    """Find our columns in a header line, or None if one of them is missing."""
    text = decoded(header.removeprefix(codecs.BOM_UTF8)).rstrip("\r\n")
    names = [name.strip().lower() for name in _csv_fields(text)]
    if not set(COLUMNS) <= set(names):
        return None
    image_code, url, code = (names.index(column) for column in COLUMNS)
    return Layout(image_code, url, code, len(names), len(header))


def read_layout(file: BinaryIO, path: Path) -> Layout:
    """Read the header of the table, from its beginning.

    Raises
    ------
    InputError
        If it is none.
    """
    header = file.readline(LONGEST_HEADER)
    layout = header_layout(header)
    if layout is None:
        raise InputError(f"{path}, line 1: {_header_fault(header)}")
    return layout


def _header_fault(header: bytes) -> str:
    expected = f"the header {','.join(COLUMNS)} is expected"
    advice = "Make the table anew with download_imagenet_prerequisites.py --only urls --force."
    if not header.strip():
        return f"the file is empty, {expected}. {advice}"
    for magic, kind in _ARCHIVES.items():
        if header.startswith(magic):
            return f"this is {kind}. Give it to download_imagenet_prerequisites.py as --urls_source."
    if header.startswith(_UTF16):
        return "this is UTF-16. Save it as CSV (UTF-8)."
    return f"{expected}, but it is {decoded(header[:80]).strip()!a}. {advice}"


def _without_middle(line: bytes, file: Lines) -> bytes:
    """Step over the rest of a line; its beginning and its end are kept, for they name image and category."""
    end = line
    while not end.endswith(b"\n") and (further := file.readline(LONGEST_LINE)):
        end = end[-_KEPT_END:] + further
    return line[: LONGEST_LINE - _KEPT_END] + end[-_KEPT_END:]


def _csv_fields(text: str, *, strict: bool = False) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True, strict=strict), [])
    except csv.Error:  # a bare line end outside quotes, or a field of more than 128 kB: read without csv
        return []


def _cell(text: str) -> str:
    if any(special in text for special in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
