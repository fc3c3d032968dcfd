"""Parquet files with the columns `image` (`bytes`, `path`) and `label`, as the Hub's."""

from __future__ import annotations

import contextlib
import functools
import os
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.fast_pickle import FastPickle
from ..models.rows import LocalImage
from ..text import pluralize
from . import ilsvrc
from .members import Kind, Member, parse_stem
from .reader import MAX_READ_BYTES, READ_ERRORS, Reader

MAGIC = b"PAR1"
BYTES, PATH, LABEL = "image.bytes", "image.path", "label"
MAX_CACHED_BYTES = 100_000_000
_TEST_PREFIX = "ILSVRC2012_test_"
"""Of the test images, whose categories are not published."""


@dataclass(frozen=True, slots=True)
class ParquetImage(FastPickle, LocalImage):
    """An image in a parquet file; one worker reads the images of a row group, if possible."""

    path: Path
    row_group: int
    row: int

    @property
    def group(self) -> int:
        """The same number for all images of a row group, and consecutive ones for consecutive groups."""
        return zlib.crc32(os.fsencode(self.path)) + self.row_group

    def read(self) -> bytes:
        """Read the row group, unless it was read before.

        Raises
        ------
        OSError, EOFError, ValueError
            If it cannot be read, or the row has no image.
        """
        with _value_errors():
            cell = _row_groups().get(self.path, self.row_group)[self.row].as_py()
        if not isinstance(cell, bytes):
            raise EOFError("the row has no image")  # noqa: TRY004  # the file is damaged
        return cell[:MAX_READ_BYTES]


class RowGroups:
    """The images of the row groups that were read last."""

    def __init__(self) -> None:
        self._columns: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    def get(self, path: Path, number: int) -> Any:
        """Return the column of a row group; see `ParquetImage.read`."""
        key = (path, number)
        if key not in self._columns:
            import pyarrow.parquet

            with pyarrow.parquet.ParquetFile(path) as file:
                table = file.read_row_group(number, columns=[BYTES], use_threads=False)
            self._columns[key] = table.column("image").combine_chunks().field("bytes")
            while len(self._columns) > 1 and self._size() > MAX_CACHED_BYTES:
                self._columns.popitem(last=False)
        self._columns.move_to_end(key)
        return self._columns[key]

    def _size(self) -> int:
        return sum(column.nbytes for column in self._columns.values())


@functools.cache
def _row_groups() -> RowGroups:
    return RowGroups()


class ParquetReader(Reader):
    """A parquet file."""

    layout = ("parquet file", "parquet files")
    has_row_groups = True

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Whether it has the columns of images.

        Raises
        ------
        OSError, ValueError
            If its footer is damaged.
        """
        if not start.startswith(MAGIC):
            return False
        import pyarrow.parquet

        with _value_errors(), pyarrow.parquet.ParquetFile(path) as file:
            names = _columns(file)
        return {BYTES, LABEL} <= names or {BYTES, PATH} <= names

    def scan(self) -> Iterator[Member]:
        """Yield the images; only paths and labels are read."""
        left_out = 0
        try:
            for place, cells in self._rows():
                path = str((cells.get("image") or {}).get("path") or "").rpartition("/")[2]
                if member := _member(path, cells.get("label"), place):
                    yield member
                else:
                    left_out += not path.startswith(_TEST_PREFIX)
        except READ_ERRORS as error:
            self.add_error(error, f"it is damaged ({type(error).__name__})")
        if left_out:
            self.add_problem(f"left out: {pluralize(left_out, 'row')} without image code or category")

    def image(self, member: Member) -> ParquetImage:
        """Return a member as workers read it."""
        return ParquetImage(self.path, *member.place[:2])

    def _rows(self) -> Iterator[tuple[tuple[int, int, int], dict[str, Any]]]:
        """Yield the place and the cells of each row, without images."""
        import pyarrow.parquet

        with _value_errors(), pyarrow.parquet.ParquetFile(self.path) as file:
            columns = [name for name in (PATH, LABEL) if name in _columns(file)]
            for group in range(file.metadata.num_row_groups):
                rows = file.read_row_group(group, columns=columns, use_threads=False).to_pylist()
                yield from (((group, row, 0), cells) for row, cells in enumerate(rows))


def _member(path: str, label: object, place: tuple[int, int, int]) -> Member | None:
    """Return the image of a row; None if its name is no image code, or it has no category."""
    image_code, code = parse_stem(path.rpartition(".")[0])
    code = code or ilsvrc.code_of_label(label)
    return Member(Kind.IMAGE, code, image_code, path, place) if image_code and code else None


def _columns(file: Any) -> set[str]:
    return {file.schema.column(number).path for number in range(len(file.schema))}


@contextlib.contextmanager
def _value_errors() -> Iterator[None]:
    """Raise other errors of a file that is damaged or was replaced as ValueError."""
    try:
        yield
    except (AttributeError, LookupError, NotImplementedError, TypeError) as error:
        raise ValueError("the file is damaged, or was replaced") from error
