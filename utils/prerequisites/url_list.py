"""A list of URLs as it is published -> the URL table and its index, in one pass.

This module alone knows the published form, lines of `<image code><tab><URL>`. A list that has the
table's columns already is taken over row by row.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import DiskError, OneSourceError
from ..sources import url_index
from ..sources.url_format import (
    HEADER,
    MAX_JOINED_LINES,
    MAX_LINE,
    Layout,
    decode,
    format_row,
    parse_header,
)
from ..sources.url_index import IndexBuilder, Stamp

BAD_LINES_NAME = "imageNetURLs_bad_lines.txt"
MOST_BAD_LINES = 100_000  # the real list has far fewer

_LINE = re.compile(rb"[ \t]*(n[0-9]{8})(_[0-9]{1,12})[ ]*\t[ \t]*([^\r\n]*[^\r\n\t ])[\r\n\t ]*")
_PLAIN_LINE = re.compile(rb'(n[0-9]{8})(_[0-9]{1,12})\t([^,"\x00- \x7f-\xff]+)\n')
_PLAIN_ROW = re.compile(rb'n[0-9]{8}_[0-9]{1,12},[^,"\x00- \x7f-\xff]+,(n[0-9]{8})\n')
_TELLING = re.compile(rb"(?:^|\n)[ \t]*n[0-9]{8}_[0-9]+[ ]*\t")
_SHOWN = 300  # bytes of a bad line that are kept
_SAY_EVERY = 1 << 16  # rows
_BUFFER = 1 << 20

_Rows = Iterator[tuple[bytes, bytes]]  # the wnid, and the row as the table spells it


@dataclass(frozen=True)
class ListCounts:
    """What a list held: rows taken over, and lines that are none."""

    rows: int
    bad_lines: int


class BadLines:
    """Keeps the lines that are no rows, in a side file that is there only if there are any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.count = 0

    def __enter__(self) -> BadLines:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: bytes) -> None:
        """Keep a line, or its beginning; blank ones are none."""
        if not line.strip():
            return
        if self._file is None:
            self._file = self._path.open("wb")
        self.count += 1
        if self.count > MOST_BAD_LINES:
            raise OneSourceError(f"more than {MOST_BAD_LINES} of its lines are no rows")
        self._file.write(line.rstrip(b"\r\n")[:_SHOWN] + b"\n")


class _Rewindable:
    """The lines of a stream that cannot seek; the last few can be read again."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._recent: deque[bytes] = deque(maxlen=MAX_JOINED_LINES + 1)
        self._again: deque[bytes] = deque()
        self._number = 0

    def readline(self, size: int, /) -> bytes:
        line = self._again.popleft() if self._again else self._stream.readline(size)
        self._number += 1
        self._recent.append(line)
        return line

    def tell(self) -> int:
        return self._number

    def seek(self, place: int, /) -> int:
        while self._number > place:
            self._again.appendleft(self._recent.pop())
            self._number -= 1
        return place


def convert(stream: io.BufferedReader, table: Path, *, least: int = 1, say: Callable[[], None]) -> ListCounts:
    """Write the table and its index from a list; nothing is there under their names until all is.

    Parameters
    ----------
    stream
        The list.
    table
        Where to; an older table is replaced when the new one is whole.
    least
        Rows; a list with fewer is not what it should be.
    say
        Called now and then, to show progress.

    Raises
    ------
    OneSourceError
        If the list is none, or damaged.
    DiskError
        If the table cannot be written.
    """
    new, new_bad = (table.with_name(f".{name}.part") for name in (table.name, BAD_LINES_NAME))
    try:
        with BadLines(new_bad) as bad, new.open("wb", buffering=_BUFFER) as file:
            rows = _rows(stream, bad)
            index = _write(rows, file, say).finish()
        count = sum(index.counts)
        if count < least:
            raise OneSourceError(f"it holds {count:,} rows only, of {least:,} at least")
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


def _write(rows: _Rows, file: BinaryIO, say: Callable[[], None]) -> IndexBuilder:
    """Write rows, noting the runs of one category for the index."""
    builder, last, first_row = IndexBuilder(), b"", 0
    begin = position = file.write(HEADER)
    count = 0
    for code, row in rows:
        if code != last:
            if last:
                builder.add(last.decode(), range(begin, position), count - first_row)
            last, begin, first_row = code, position, count
        file.write(row)
        position += len(row)
        count += 1
        if not count % _SAY_EVERY:
            say()
    if not count:
        raise OneSourceError("it holds no rows")
    builder.add(last.decode(), range(begin, position), count - first_row)
    return builder


def _rows(stream: io.BufferedReader, bad: BadLines) -> _Rows:
    """Tell by its beginning which kind of list this is."""
    beginning = stream.peek(MAX_LINE)[:MAX_LINE]
    layout = parse_header(beginning[: beginning.find(b"\n") + 1 or None])
    if layout is not None:
        stream.readline(MAX_LINE)
        return _csv_rows(stream, layout, bad)
    if _TELLING.search(beginning):
        return _txt_rows(stream, bad)
    raise OneSourceError(
        "it is no list of URLs: neither lines of image code, tab, URL nor a table with the columns "
        "img_code,img_url,code"
    )


def _txt_rows(stream: io.BufferedReader, bad: BadLines) -> _Rows:
    """Read lines as published; their quotes mean nothing."""
    for line in iter(partial(stream.readline, MAX_LINE), b""):
        plain = _PLAIN_LINE.fullmatch(line)
        if plain:  # nearly every line, in half the time that the others take
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


def _csv_rows(stream: io.BufferedReader, layout: Layout, bad: BadLines) -> _Rows:
    lines = _Rewindable(stream)
    as_ours = (layout.image_code, layout.url, layout.code, layout.width) == (0, 1, 2, 3)
    for line in iter(partial(lines.readline, MAX_LINE), b""):
        plain = as_ours and _PLAIN_ROW.fullmatch(line)
        if plain:  # nearly every row of such a table: a third of the time that parsing takes
            yield plain[1], line
            continue
        row = layout.read_row(line, lines)
        fields = layout.parse(row)
        if fields is None:
            bad.add(row)
        else:
            yield fields.code.encode(), format_row(fields)
