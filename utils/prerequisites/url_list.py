"""Converts a published list of URLs to the URL table and its index, in one pass.

A list has lines of image code, tab and URL, or the columns of the URL table in any order.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import DiskError, OneSourceError
from ..files import create_file
from ..sources import url_index
from ..sources.url_format import HEADER, MAX_JOINED_LINES, MAX_LINE, Layout, decode, format_row, parse_header
from ..sources.url_index import IndexBuilder, Stamp

BAD_LINES_NAME = "imageNetURLs_bad_lines.txt"
MAX_BAD_LINES = 100_000  # the real list has far fewer

_LINE = re.compile(
    rb"[ \t]*(n[0-9]{8})(_[0-9]{1,12})[ ]*\t[ \t]*([^\r\n\t ](?:[^\r\n]*[^\r\n\t ])?)[\r\n\t ]*"
)
_PLAIN_LINE = re.compile(rb'(n[0-9]{8})(_[0-9]{1,12})\t([^,"\x00- \x7f-\xff]+)\n')
_PLAIN_ROW = re.compile(rb'n[0-9]{8}_[0-9]{1,12},[^,"\x00- \x7f-\xff]+,(n[0-9]{8})\n')
_LIST_START = re.compile(rb"(?:^|\n)[ \t]*n[0-9]{8}_[0-9]+[ ]*\t")
_BAD_LINE_BYTES = 300
_PROGRESS_STEP = 1 << 16  # rows
_BUFFER = 1 << 20

_Rows = Iterator[tuple[bytes, bytes]]  # the wnid, and the row in the layout of the table


@dataclass(frozen=True)
class ListCounts:
    """The rows of a list, and its malformed lines."""

    rows: int
    bad_lines: int


class _BadLines:
    """Writes malformed lines to a file, and counts them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def add(self, line: bytes) -> None:
        """Write the start of a line; blank lines are ignored."""
        if line.strip():
            self.count += 1
            if self.count > MAX_BAD_LINES:
                raise OneSourceError(f"more than {MAX_BAD_LINES:,} of its lines are malformed")
            self._file.write(line.rstrip(b"\r\n")[:_BAD_LINE_BYTES] + b"\n")


class _RewindableLines:
    """The lines of a stream that cannot seek; `seek` can go back by a few lines."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._recent: deque[bytes] = deque(maxlen=MAX_JOINED_LINES + 1)
        self._rewound: deque[bytes] = deque()
        self._number = 0

    def readline(self, size: int, /) -> bytes:
        line = self._rewound.popleft() if self._rewound else self._stream.readline(size)
        self._number += 1
        self._recent.append(line)
        return line

    def tell(self) -> int:
        return self._number

    def seek(self, number: int, /) -> int:
        while self._number > number:
            self._rewound.appendleft(self._recent.pop())
            self._number -= 1
        return number


def convert(
    stream: io.BufferedReader, table: Path, *, min_rows: int = 1, on_progress: Callable[[], None]
) -> ListCounts:
    """Write table and index from a list, atomically.

    Parameters
    ----------
    stream
        The list.
    table
        The path of the table; an existing one is replaced when the new one is complete.
    min_rows
        A list with fewer rows is rejected.
    on_progress
        Called after every 65,536 rows.

    Raises
    ------
    OneSourceError
        If it is not a list of URLs, or damaged.
    DiskError
        If the table cannot be written.
    """
    new, new_bad = (table.with_name(f".{name}.part") for name in (table.name, BAD_LINES_NAME))
    try:
        with create_file(new, _BUFFER) as file, create_file(new_bad) as bad_file:
            bad = _BadLines(bad_file)
            rows = _parse_rows(stream, bad)
            index = _write(rows, file, on_progress).finish()
        count = sum(index.counts)
        if count < min_rows:
            raise OneSourceError(f"it has only {count:,} rows ({min_rows:,} expected)")
        new.replace(table)
        table.with_name(BAD_LINES_NAME).unlink(missing_ok=True)
        if bad.count:
            new_bad.replace(table.with_name(BAD_LINES_NAME))
        url_index.save(index, table, Stamp.of(table.stat()))
    except OSError as error:
        raise DiskError(f"{table} cannot be written: {error.strerror}.") from error
    finally:
        new.unlink(missing_ok=True)
        new_bad.unlink(missing_ok=True)
    return ListCounts(count, bad.count)


def _write(rows: _Rows, file: BinaryIO, on_progress: Callable[[], None]) -> IndexBuilder:
    """Write rows, and index the runs of rows of one category."""
    builder, last, first_row = IndexBuilder(), b"", 0
    start = position = file.write(HEADER)
    count = 0
    for code, row in rows:
        if code != last:
            if last:
                builder.add(last.decode(), range(start, position), count - first_row)
            last, start, first_row = code, position, count
        file.write(row)
        position += len(row)
        count += 1
        if not count % _PROGRESS_STEP:
            on_progress()
    if not count:
        raise OneSourceError("it has no rows")
    builder.add(last.decode(), range(start, position), count - first_row)
    return builder


def _parse_rows(stream: io.BufferedReader, bad: _BadLines) -> _Rows:
    """Recognise the kind of list by its start, and skip the mark of UTF-8 that Windows programs write."""
    if stream.peek(MAX_LINE).startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    start = stream.peek(MAX_LINE)[:MAX_LINE]
    layout = parse_header(start[: start.find(b"\n") + 1 or None])
    if layout is not None:
        stream.readline(MAX_LINE)
        return _csv_rows(stream, layout, bad)
    if _LIST_START.search(start):
        return _txt_rows(stream, bad)
    raise OneSourceError(
        "it is not a list of URLs: it has neither lines of image code, tab and URL nor the columns "
        "img_code,img_url,code"
    )


def _txt_rows(stream: io.BufferedReader, bad: _BadLines) -> _Rows:
    """Parse lines of image code, tab and URL; quotes have no meaning."""
    for line in iter(partial(stream.readline, MAX_LINE), b""):
        plain = _PLAIN_LINE.fullmatch(line)
        if plain:  # nearly all lines, in half the time
            code, number, url = plain.groups()
            yield code, b"%b%b,%b,%b\n" % (code, number, url, code)
            continue
        found = _LINE.fullmatch(line if line.isascii() else decode(line).encode())
        if found is None:
            bad.add(line)
            continue
        code, number, url = found.groups()
        if b"," in url or b'"' in url:
            url = b'"%b"' % url.replace(b'"', b'""')
        yield code, b"%b%b,%b,%b\n" % (code, number, url, code)


def _csv_rows(stream: io.BufferedReader, layout: Layout, bad: _BadLines) -> _Rows:
    lines = _RewindableLines(stream)
    is_table = (layout.image_code, layout.url, layout.code, layout.width) == (0, 1, 2, 3)
    for line in iter(partial(lines.readline, MAX_LINE), b""):
        plain = is_table and _PLAIN_ROW.fullmatch(line)
        if plain:  # nearly all rows of such a table, in a third of the time
            yield plain[1], line
            continue
        row = layout.read_row(line, lines)
        fields = layout.parse(row)
        if fields is None:
            bad.add(row)
        else:
            yield fields.code.encode(), format_row(fields)
