"""Index of the URL table: the byte ranges and the number of rows of each category.

The index is saved beside the table as `<table>.index`. It contains size and modification time of the table
and a checksum; an index that does not match, or has ranges outside the table, is ignored. A sorted table has
one byte range per category, a shuffled one up to `MAX_RANGES`, by joining the nearest ranges.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from ..files import read_bytes, write_atomic
from .url_format import MAX_LINE, Layout

ProgressCallback = Callable[[int, int], None]  # bytes done, bytes in total
VERSION = 1
SUFFIX = ".index"
MAX_RANGES = 64
PROGRESS_STEP = 4_000_000  # bytes
_BLOCK = 4096  # bytes, about 50 rows; a larger block would often reach into the next category
_IMPOSSIBLE_END = b"\n\n"  # no line ends with this


@dataclass(frozen=True, slots=True)
class Stamp:
    """Size (bytes) and modification time (ns) of a table, to detect changes."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file."""
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class UrlIndex:
    """The categories in ascending order, as five arrays of 64-bit integers.

    Attributes
    ----------
    numbers
        The digits of each wnid, shape (categories,).
    counts
        The number of rows of each category, shape (categories,).
    ends
        The end of the ranges of each category in `starts` and `stops`, shape (categories,).
    starts, stops
        The byte ranges in the table, shape (ranges,).
    """

    numbers: array[int]
    counts: array[int]
    ends: array[int]
    starts: array[int]
    stops: array[int]

    def codes(self) -> Iterator[str]:
        """Return the wnids in ascending order."""
        return (f"n{number:08d}" for number in self.numbers)

    def count(self, code: str) -> int:
        """Return the number of rows of a category."""
        position = self._find(code)
        return 0 if position is None else self.counts[position]

    def ranges(self, code: str) -> list[range]:
        """Return the byte ranges that contain all rows of a category, in ascending order."""
        position = self._find(code)
        if position is None:
            return []
        own = slice(self.ends[position - 1] if position else 0, self.ends[position])
        return [range(*bounds) for bounds in zip(self.starts[own], self.stops[own], strict=True)]

    def is_valid(self, table_size: int) -> bool:
        """Whether the categories are in ascending order, and all ranges in a table of this size in bytes."""
        bounds = zip(self.starts, self.stops, strict=True)
        return (
            all(lower < higher for lower, higher in pairwise((-1, *self.numbers)))
            and all(lower < higher for lower, higher in pairwise((0, *self.ends)))
            and len(self.starts) == (self.ends[-1] if self.ends else 0)
            and all(0 <= start <= stop <= table_size for start, stop in bounds)
            and min(self.counts, default=0) >= 0
        )

    def _find(self, code: str) -> int | None:
        number = int(code[1:])
        position = bisect_left(self.numbers, number)
        return position if position < len(self.numbers) and self.numbers[position] == number else None


class IndexBuilder:
    """Builds an index from the runs of rows of one category, added in the order of the table."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._ranges: dict[str, array[int]] = {}

    def add(self, code: str, run: range, rows: int) -> None:
        """Add a range of bytes that contains `rows` rows of a category."""
        ranges = self._ranges.setdefault(code, array("q"))
        ranges.extend((run.start, run.stop))
        self._counts[code] = self._counts.get(code, 0) + rows
        if len(ranges) > 4 * MAX_RANGES:  # seldom enough that a shuffled table is indexed quickly
            self._ranges[code] = _join_nearest(ranges)

    def finish(self) -> UrlIndex:
        """Return the index."""
        index = UrlIndex(array("q"), array("q"), array("q"), array("q"), array("q"))
        for code in sorted(self._counts):
            ranges = _join_nearest(self._ranges.pop(code))
            index.numbers.append(int(code[1:]))
            index.counts.append(self._counts[code])
            index.starts.extend(ranges[0::2])
            index.stops.extend(ranges[1::2])
            index.ends.append(len(index.starts))
        return index


def _join_nearest(ranges: array[int]) -> array[int]:
    """Join ranges over the narrowest gaps until `MAX_RANGES` are left."""
    gaps = sorted(range(1, len(ranges) - 1, 2), key=lambda gap: ranges[gap + 1] - ranges[gap])
    surplus = max(0, len(gaps) + 1 - MAX_RANGES)
    dropped = {bound for gap in gaps[:surplus] for bound in (gap, gap + 1)}
    return array("q", (offset for bound, offset in enumerate(ranges) if bound not in dropped))


def build(file: BinaryIO, layout: Layout, progress: ProgressCallback) -> UrlIndex:
    """Index a table in one pass.

    Most lines end like the previous one, with the same code, and are not parsed.
    """
    builder, size = IndexBuilder(), os.fstat(file.fileno()).st_size
    code, begin, rows, reported = "", layout.first_row, 0, 0
    end = _IMPOSSIBLE_END
    file.seek(begin)
    while line := file.readline(MAX_LINE):
        if line.endswith(end):
            rows += 1
            if rows == 2:  # in a sorted table, hundreds of rows follow
                rows += _skip_lines(file, end)
            continue
        start = file.tell() - len(line)
        row = layout.read_row(line, file)
        fields = layout.parse(row)
        if fields is None:
            continue  # belongs to no category; readers of the surrounding range skip it
        if fields.code != code:
            if rows:
                builder.add(code, range(begin, start), rows)
            code, begin, rows = fields.code, start, 0
        rows += 1
        end = row[row.rfind(b",") :] if layout.code_is_last else _IMPOSSIBLE_END
        if start - reported >= PROGRESS_STEP:
            reported = start
            progress(reported, size)
    if rows:
        builder.add(code, range(begin, file.tell()), rows)
    return builder.finish()


def _skip_lines(file: BinaryIO, end: bytes) -> int:
    """Skip blocks in which all lines have this end; return the number of lines skipped."""
    rows = 0
    while True:
        block = file.read(_BLOCK)
        lines = block.count(b"\n")
        is_uniform = lines > 0 and block.count(end) == lines
        file.seek((block.rfind(b"\n") + 1 if is_uniform else 0) - len(block), os.SEEK_CUR)
        if not is_uniform:
            return rows
        rows += lines


def index_path(table: Path) -> Path:
    """Return the path of the index of a table."""
    return table.with_name(table.name + SUFFIX)


def save(index: UrlIndex, table: Path, stamp: Stamp) -> None:
    """Write the index beside its table.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    columns = (index.numbers, index.counts, index.ends, index.starts, index.stops)
    body = b"".join(column.tobytes() for column in columns)
    header = _header(stamp, body) | {"categories": len(index.numbers), "ranges": len(index.starts)}
    write_atomic(index_path(table), json.dumps(header).encode() + b"\n" + body)


def load(table: Path, stamp: Stamp) -> UrlIndex | None:
    """Read the index of a table, or return None if there is no valid one."""
    try:
        line, _, body = read_bytes(index_path(table)).partition(b"\n")
        header = json.loads(line)
        sizes = [int(header.pop("categories"))] * 3 + [int(header.pop("ranges"))] * 2
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        return None
    if header != _header(stamp, body) or min(sizes) < 0 or sum(sizes) * 8 != len(body):
        return None
    numbers = array("q", body)
    stops = [sum(sizes[: column + 1]) for column in range(5)]
    index = UrlIndex(*(numbers[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)))
    return index if index.is_valid(stamp.size) else None


def _header(stamp: Stamp, body: bytes) -> dict[str, object]:
    return {
        "format": VERSION,
        "byte_order": sys.byteorder,
        "table_size": stamp.size,
        "table_modified_ns": stamp.modified_ns,
        "checksum": zlib.crc32(body),
    }
