"""The index of the URL table: which bytes hold a category's rows, and how many rows those are.

This module alone knows the side file `<table>.index`. It names the table's size and time; an index
that belongs to another table, or that is garbled, is no index. A sorted table gives one range of bytes
per category; a shuffled one as many as `MOST_RANGES`, the nearest joined.
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
from pathlib import Path
from typing import BinaryIO

from ..files import write_atomic
from .url_format import LONGEST_LINE, Layout

Advance = Callable[[int, int], None]  # bytes done, bytes in all
VERSION = 1
SUFFIX = ".index"
MOST_RANGES = 64
PROGRESS_STEP = 4_000_000  # bytes
_BLOCK = 4096  # bytes, some 50 rows: more would often reach into the next category
_NO_LINE_ENDS_SO = b"\n\n"


@dataclass(frozen=True, slots=True)
class Stamp:
    """By which a changed table is told: its size in bytes and its time in nanoseconds."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Take it from a file's status."""
        return cls(status.st_size, status.st_mtime_ns)

    def fits(self, status: os.stat_result) -> bool:
        """Whether a file has not changed since."""
        return status.st_size == self.size and status.st_mtime_ns == self.modified_ns


@dataclass(frozen=True, slots=True)
class UrlIndex:
    """Categories in ascending order, as five columns of 64-bit numbers.

    Attributes
    ----------
    numbers
        The eight digits of each wnid.
    counts
        Rows of each.
    ends
        Where each one's ranges end within `starts` and `stops`.
    starts, stops
        The ranges, in bytes from the table's beginning.
    """

    numbers: array[int]
    counts: array[int]
    ends: array[int]
    starts: array[int]
    stops: array[int]

    def codes(self) -> Iterator[str]:
        """Give the wnids, ascending."""
        return (f"n{number:08d}" for number in self.numbers)

    def count(self, code: str) -> int:
        """Say how many rows a category has."""
        place = self._place(code)
        return 0 if place is None else self.counts[place]

    def ranges(self, code: str) -> list[range]:
        """Give the ranges of bytes that hold all rows of a category, ascending."""
        place = self._place(code)
        if place is None:
            return []
        mine = slice(self.ends[place - 1] if place else 0, self.ends[place])
        return [range(*pair) for pair in zip(self.starts[mine], self.stops[mine], strict=True)]

    def _place(self, code: str) -> int | None:
        number = int(code[1:])
        place = bisect_left(self.numbers, number)
        return place if place < len(self.numbers) and self.numbers[place] == number else None


class IndexBuilder:
    """Collects an index from the runs of rows that a table is made of, in the table's order."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._ranges: dict[str, array[int]] = {}

    def add(self, code: str, run: range, rows: int) -> None:
        """Note a run of bytes that holds `rows` rows of a category."""
        ranges = self._ranges.setdefault(code, array("q"))
        ranges.extend((run.start, run.stop))
        self._counts[code] = self._counts.get(code, 0) + rows
        if len(ranges) > 4 * MOST_RANGES:  # now and then, so that a shuffled table costs little time
            self._ranges[code] = _nearest_joined(ranges)

    def finish(self) -> UrlIndex:
        """Give the index of everything noted."""
        index = UrlIndex(array("q"), array("q"), array("q"), array("q"), array("q"))
        for code in sorted(self._counts):
            ranges = _nearest_joined(self._ranges.pop(code))
            index.numbers.append(int(code[1:]))
            index.counts.append(self._counts[code])
            index.starts.extend(ranges[0::2])
            index.stops.extend(ranges[1::2])
            index.ends.append(len(index.starts))
        return index


def _nearest_joined(ranges: array[int]) -> array[int]:
    """Join ranges over the narrowest gaps until `MOST_RANGES` are left."""
    gaps = sorted(range(1, len(ranges) - 1, 2), key=lambda place: ranges[place + 1] - ranges[place])
    surplus = max(0, len(gaps) + 1 - MOST_RANGES)
    dropped = {edge for place in gaps[:surplus] for edge in (place, place + 1)}
    return array("q", (edge for place, edge in enumerate(ranges) if place not in dropped))


def build(file: BinaryIO, layout: Layout, progress: Advance) -> UrlIndex:
    """Read a whole table once and index it, however long its lines are.

    Most lines end as the line before; looking for that end is all that they cost.
    """
    builder, size = IndexBuilder(), os.fstat(file.fileno()).st_size
    code, begin, rows, said = "", layout.first_row, 0, 0
    end = _NO_LINE_ENDS_SO
    file.seek(begin)
    while line := file.readline(LONGEST_LINE):
        if line.endswith(end):
            rows += 1
            if rows == 2:  # in a sorted table some hundreds follow
                rows += _step_over(file, end)
            continue
        start = file.tell() - len(line)
        row = layout.row_at(line, file)
        fields = layout.parse(row)
        if fields is None:
            continue  # belongs to no category: whoever reads the run around it steps over it
        if fields.code != code:
            if rows:
                builder.add(code, range(begin, start), rows)
            code, begin, rows = fields.code, start, 0
        rows += 1
        end = row[row.rfind(b",") :] if layout.code_is_last else _NO_LINE_ENDS_SO
        if start - said >= PROGRESS_STEP:
            said = start
            progress(said, size)
    if rows:
        builder.add(code, range(begin, file.tell()), rows)
    return builder.finish()


def _step_over(file: BinaryIO, end: bytes) -> int:
    """Go on for as long as whole blocks hold nothing but lines that end so; say how many those were."""
    rows = 0
    while True:
        block = file.read(_BLOCK)
        lines = block.count(b"\n")
        is_alike = lines > 0 and block.count(end) == lines
        file.seek((block.rfind(b"\n") + 1 if is_alike else 0) - len(block), os.SEEK_CUR)
        if not is_alike:
            return rows
        rows += lines


def index_path(table: Path) -> Path:
    """Say where the index of a table lies."""
    return table.with_name(table.name + SUFFIX)


def save(index: UrlIndex, table: Path, stamp: Stamp) -> None:
    """Write the index beside its table.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    body = b"".join(column.tobytes() for column in _columns(index))
    head = _head(stamp, body) | {"categories": len(index.numbers), "ranges": len(index.starts)}
    write_atomic(index_path(table), json.dumps(head).encode() + b"\n" + body)


def load(table: Path, stamp: Stamp) -> UrlIndex | None:
    """Read the index of a table, or None if there is none that belongs to it and is whole."""
    try:
        head_line, _, body = index_path(table).read_bytes().partition(b"\n")
        head = json.loads(head_line)
        sizes = [head.pop("categories")] * 3 + [head.pop("ranges")] * 2
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    if head != _head(stamp, body) or sum(sizes) * 8 != len(body):
        return None
    numbers = array("q", body)
    stops = [sum(sizes[: place + 1]) for place in range(5)]
    return UrlIndex(*(numbers[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)))


def _columns(index: UrlIndex) -> list[array[int]]:
    return [index.numbers, index.counts, index.ends, index.starts, index.stops]


def _head(stamp: Stamp, body: bytes) -> dict[str, object]:
    return {
        "format": VERSION,
        "byte_order": sys.byteorder,
        "table_size": stamp.size,
        "table_modified_ns": stamp.modified_ns,
        "checksum": zlib.crc32(body),
    }
