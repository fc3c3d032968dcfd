"""The URL table `imageNetURLs.csv`: 14.2 million rows of which a run reads only what it needs.

Keeper of the table. It is never loaded: an index beside it (see `url_index`) says which bytes hold a
category's rows. What a line means is known to `url_layout`, what makes a row acceptable to `url_rows`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import TOO_MANY_OPEN, DatasetError, InputError, disk_error
from ..models.rows import UrlRow
from . import url_index
from .url_format import LONGEST_LINE, WNID, Fields, Layout, Sieve, read_layout
from .url_index import Advance, Stamp, UrlIndex

NAME = "imageNetURLs.csv"
OTHER_NAME = "imageNetUrls.csv"  # older archives call it so
_BUFFER = 1 << 20  # bytes, while much is read at once
_BYTES_AT_ONCE = 8192
"""Some hundred rows, which each category that is being read holds in memory; Python reads as many ahead."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _PlacedFields:
    position: int
    fields: Fields

    def row(self) -> UrlRow:
        return UrlRow(self.position, self.fields.image_code, self.fields.url)


class UrlTable:
    """The rows of the table, by category. `open_table` makes it.

    Every reading raises InputError if the table was changed, or vanished, since it was opened.
    """

    def __init__(self, path: Path, layout: Layout, index: UrlIndex, stamp: Stamp) -> None:
        self.path = path
        self._layout = layout
        self._index = index
        self._stamp = stamp

    def codes(self) -> list[str]:
        """Give the wnids that have rows, ascending."""
        return list(self._index.codes())

    def count(self, code: str) -> int:
        """Say how many rows a category has."""
        return self._index.count(code) if WNID.fullmatch(code) else 0

    def rows(self, code: str) -> Iterator[UrlRow]:
        """Read the rows of a category, lazily, in the table's order."""
        if not WNID.fullmatch(code):
            return
        needle = code.encode()
        for placed in self._read(self._index.ranges(code), lambda row: needle in row):
            if placed.fields.code == code:
                yield placed.row()

    def rows_of(self, image_codes: Collection[str]) -> list[UrlRow]:
        """Read the rows of these images, in the table's order.

        Each is looked up under the wnid that its code begins with. All ranges are read in one pass,
        so that images spread over hundreds of categories cost one reading of those, at most.
        """
        wanted = frozenset(image_codes)
        codes = {image_code[:9] for image_code in wanted}
        ranges = [piece for code in codes if WNID.fullmatch(code) for piece in self._index.ranges(code)]
        return [
            placed.row()
            for placed in self._read(_merged(ranges), self._layout.sieve(wanted), _BUFFER)
            if placed.fields.image_code in wanted and placed.fields.image_code[:9] == placed.fields.code
        ]

    def _read(
        self, ranges: list[range], sieve: Sieve, at_once: int = _BYTES_AT_ONCE
    ) -> Iterator[_PlacedFields]:
        """Read rows; those that the sieve tells from their bytes not to be wanted cost no parsing.

        No file is open while nobody asks for the next row: hundreds of categories are read side by side.
        """
        for piece in ranges:
            begin = piece.start
            while begin < piece.stop:
                lines, begin = self._read_lines(begin, min(piece.stop, begin + at_once), sieve)
                for position, line in lines:
                    if fields := self._layout.parse(line):
                        yield _PlacedFields(position, fields)
        with self._opened():
            pass  # who reads to the end is told of a change since the last lines were read

    def _read_lines(self, position: int, stop: int, sieve: Sieve) -> tuple[list[tuple[int, bytes]], int]:
        """Read the rows that begin before `stop`, each with its place; says where the next begins."""
        lines = []
        with self._opened() as file:
            file.seek(position)
            while position < stop and (line := file.readline(LONGEST_LINE)):
                row = self._layout.row_at(line, file)
                if sieve(row):
                    lines.append((position, row))
                position = position + len(line) if row is line else file.tell()
        return lines, position

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the table, and look when it has been read whether it is still the same."""
        try:
            with self.path.open("rb") as file:
                yield file
                changed = not self._stamp.fits(os.fstat(file.fileno()))
        except FileNotFoundError as error:
            raise InputError(
                f"{self.path} has vanished during the run. Put it back and run again."
            ) from error
        except OSError as error:
            raise _fault(self.path, error) from error
        if changed:
            raise InputError(f"{self.path} was changed during the run. Run again.")


class NoUrlTable(UrlTable):
    """Stands in for a table where none is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def codes(self) -> list[str]:
        """Give none."""
        return []

    def count(self, code: str) -> int:  # noqa: ARG002  # it has no rows of any category
        """Say 0."""
        return 0

    def rows(self, code: str) -> Iterator[UrlRow]:  # noqa: ARG002
        """Read nothing."""
        return iter(())

    def rows_of(self, image_codes: Collection[str]) -> list[UrlRow]:  # noqa: ARG002
        """Read nothing."""
        return []


def open_table(path: Path, progress: Advance | None = None, *, keep: bool = True) -> UrlTable:
    """Open the table, and index it if no index of it lies beside it.

    Parameters
    ----------
    path
        The table; `imageNetUrls.csv` is found in place of `imageNetURLs.csv`.
    progress
        Called with bytes done and bytes in all while the table is being indexed.
    keep
        Whether an index that had to be made is kept beside the table.

    Raises
    ------
    InputError
        If there is no table, or no header with the columns.
    """
    path = _found(path)
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            layout = read_layout(file, path)
            stamp = Stamp.of(os.fstat(file.fileno()))
            index = url_index.load(path, stamp)
            if index is None:
                index = _built(file, layout, progress or _silent)
                _require_unchanged(file, stamp, path)
                if keep:
                    _save(index, path, stamp)
    except OSError as error:
        raise _fault(path, error) from error
    return UrlTable(path, layout, index, stamp)


def _found(path: Path) -> Path:
    other = path.with_name(OTHER_NAME)
    if path.name == NAME and not path.exists() and other.exists():
        path = other
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the URL table in it, e.g. {path / NAME}.")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is a pipe or a device, which cannot be indexed. Give a file as --url_data.")
    if not path.exists():
        raise InputError(
            f"There is no URL table {path}. Run download_imagenet_prerequisites.py, or give --url_data."
        )
    return path


def _fault(path: Path, error: OSError) -> DatasetError:
    if error.errno in TOO_MANY_OPEN:
        return disk_error(path, error)
    return InputError(f"{path} cannot be read: {error.strerror}.")


def _built(file: BinaryIO, layout: Layout, progress: Advance) -> UrlIndex:
    size = os.fstat(file.fileno()).st_size
    progress(0, size)
    index = url_index.build(file, layout, progress)
    progress(size, size)
    return index


def _require_unchanged(file: BinaryIO, stamp: Stamp, path: Path) -> None:
    if not stamp.fits(os.fstat(file.fileno())):
        raise InputError(f"{path} was changed while it was read. Wait until it is whole, and run again.")


def _save(index: UrlIndex, path: Path, stamp: Stamp) -> None:
    try:
        url_index.save(index, path, stamp)
    except OSError as error:  # a read-only folder: this run works, the next one indexes again
        _log.warning("The index of %s cannot be kept beside it (%s).", path, error.strerror)


def _merged(ranges: list[range]) -> list[range]:
    """Sort ranges and join those that touch or overlap."""
    merged: list[range] = []
    for piece in sorted(ranges, key=lambda piece: piece.start):
        if merged and piece.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, piece.stop))
        else:
            merged.append(piece)
    return merged


def _silent(done: int, total: int) -> None:
    """Say nothing about progress."""
