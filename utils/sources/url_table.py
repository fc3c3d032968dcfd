"""The URL table `imageNetURLs.csv`, with 14.2 million rows.

The table is not loaded: an index (see `url_index`) gives the byte ranges of each category, and only those are
read.
"""

from __future__ import annotations

import contextlib
import logging
import os
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import TOO_MANY_OPEN_FILES, DatasetError, InputError, disk_error
from ..models.rows import UrlRow
from . import url_index
from .url_format import MAX_LINE, WNID, Fields, Layout, read_header
from .url_index import ProgressCallback, Stamp, UrlIndex

NAME = "imageNetURLs.csv"
OTHER_NAME = "imageNetUrls.csv"  # its name in older archives
_BUFFER = 1 << 20  # bytes, to read large parts
_CHUNK = 8192
"""Bytes read at once, about a hundred rows. Each category being read holds them in memory."""
_log = logging.getLogger(__name__)


class UrlTable:
    """The rows of the table by category. Created by `open_table`.

    All methods that read rows raise InputError if the table has changed since it was opened.
    """

    def __init__(self, path: Path, layout: Layout, index: UrlIndex, stamp: Stamp) -> None:
        self.path = path
        self._layout = layout
        self._index = index
        self._stamp = stamp

    def codes(self) -> list[str]:
        """Return the wnids that have rows, in ascending order."""
        return list(self._index.codes())

    def count(self, code: str) -> int:
        """Return the number of rows of a category."""
        return self._index.count(code) if WNID.fullmatch(code) else 0

    def rows(self, code: str) -> Iterator[UrlRow]:
        """Read the rows of a category, lazily, in the order of the table."""
        if not WNID.fullmatch(code):
            return
        needle = code.encode()
        for position, fields in self._read(self._index.ranges(code), lambda row: needle in row):
            if fields.code == code:
                yield UrlRow(position, fields.image_code, fields.url)

    def rows_of(self, image_codes: Collection[str]) -> list[UrlRow]:
        """Read the rows of some images, in the order of the table.

        An image is looked up in the category that its code begins with. Overlapping ranges of many categories
        are read once.
        """
        wanted = frozenset(image_codes)
        codes = {image_code[:9] for image_code in wanted}
        ranges = [span for code in codes if WNID.fullmatch(code) for span in self._index.ranges(code)]
        return [
            UrlRow(position, fields.image_code, fields.url)
            for position, fields in self._read(_merge(ranges), self._layout.prefilter(wanted), _BUFFER)
            if fields.image_code in wanted and fields.image_code[:9] == fields.code
        ]

    def _read(
        self, ranges: Iterable[range], prefilter: Callable[[bytes], bool], chunk: int = _CHUNK
    ) -> Iterator[tuple[int, Fields]]:
        """Yield position and fields of the rows that pass the filter; other rows are not parsed.

        The file is not open between chunks, because hundreds of categories are read concurrently.
        """
        for span in ranges:
            begin = span.start
            while begin < span.stop:
                rows, begin = self._read_chunk(begin, min(span.stop, begin + chunk), prefilter)
                for position, row in rows:
                    if fields := self._layout.parse(row):
                        yield position, fields
        with self._open():
            pass  # detects a change after the last chunk

    def _read_chunk(
        self, position: int, stop: int, prefilter: Callable[[bytes], bool]
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Read the rows that begin before `stop`, with their positions; return the next position, too."""
        rows = []
        with self._open() as file:
            file.seek(position)
            while position < stop and (line := file.readline(MAX_LINE)):
                row = self._layout.read_row(line, file)
                if prefilter(row):
                    rows.append((position, row))
                position = position + len(line) if row is line else file.tell()
        return rows, position

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        """Open the table, and check after reading that it has not changed."""
        try:
            with self.path.open("rb") as file:
                yield file
                is_changed = Stamp.of(os.fstat(file.fileno())) != self._stamp
        except FileNotFoundError as error:
            raise InputError(f"{self.path} was removed during the run. Put it back and run again.") from error
        except OSError as error:
            raise _read_error(self.path, error) from error
        if is_changed:
            raise InputError(f"{self.path} was changed during the run. Run again.")


class NoUrlTable(UrlTable):
    """An empty table, for runs that do not need URLs."""

    def __init__(self, path: Path) -> None:
        no_rows = UrlIndex(array("q"), array("q"), array("q"), array("q"), array("q"))
        super().__init__(path, Layout(0, 1, 2, 3, 0), no_rows, Stamp(0, 0))

    def _read(self, *_args: object) -> Iterator[tuple[int, Fields]]:
        return iter(())


def open_table(path: Path, progress: ProgressCallback | None = None, *, keep: bool = True) -> UrlTable:
    """Open the table. Without a valid index beside it, it is indexed first.

    Parameters
    ----------
    path
        The table; `imageNetUrls.csv` is accepted in place of `imageNetURLs.csv`.
    progress
        Called with bytes done and bytes in total while the table is being indexed.
    keep
        Whether a new index is saved beside the table.

    Raises
    ------
    InputError
        If there is no such table, or it has no valid header.
    """
    path = _locate(path)
    progress = progress or (lambda _done, _total: None)
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            layout = read_header(file, path)
            stamp = Stamp.of(os.fstat(file.fileno()))
            index = url_index.load(path, stamp)
            if index is None:
                progress(0, stamp.size)
                index = url_index.build(file, layout, progress)
                progress(stamp.size, stamp.size)
                if Stamp.of(os.fstat(file.fileno())) != stamp:
                    raise InputError(
                        f"{path} was changed while it was read. Wait until it is complete, and run again."
                    )
                if keep:
                    _save(index, path, stamp)
    except OSError as error:
        raise _read_error(path, error) from error
    return UrlTable(path, layout, index, stamp)


def _locate(path: Path) -> Path:
    other = path.with_name(OTHER_NAME)
    if path.name == NAME and not path.exists() and other.exists():
        path = other
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the URL table in it, e.g. {path / NAME}.")
    if not path.exists():
        raise InputError(
            f"There is no URL table {path}. Run download_imagenet_prerequisites.py, or use --url_data."
        )
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device, which cannot be indexed. Use --url_data FILE.")
    return path


def _read_error(path: Path, error: OSError) -> DatasetError:
    if error.errno in TOO_MANY_OPEN_FILES:
        return disk_error(path, error)
    return InputError(f"{path} cannot be read: {error.strerror}.")


def _save(index: UrlIndex, path: Path, stamp: Stamp) -> None:
    try:
        url_index.save(index, path, stamp)
    except OSError as error:  # such as a read-only folder: the next run has to index again
        _log.warning("The index of %s cannot be saved beside it (%s).", path, error.strerror)


def _merge(ranges: list[range]) -> list[range]:
    """Sort ranges and join those that touch or overlap."""
    merged: list[range] = []
    for span in sorted(ranges, key=lambda span: span.start):
        if merged and span.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return merged
