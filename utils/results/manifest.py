"""`manifest.csv`: the images of a result folder, so that others can get the same set.

It depends on the images alone: no date, path or user is in it, and the rows are sorted. Two folders with the
same images have the same manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from ..files import write_csv
from ..text import spreadsheet_cell


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """An image; the fields are the columns.

    Attributes
    ----------
    category
        The name of its folder.
    url
        Empty if it was not downloaded.
    phash
        Its perceptual hash, 16 hexadecimal digits; empty if it is too flat for one.
    format
        The extension of its file.
    boxes
        The number of boxes in its XML; None without one.
    """

    image_code: str
    category: str
    url: str
    sha256: str
    phash: str
    format: str
    width: int
    height: int
    bytes: int
    boxes: int | None


COLUMNS = tuple(field.name for field in fields(ManifestRow))
_values = attrgetter(*COLUMNS)


def write(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write a manifest atomically.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    ordered = sorted(rows, key=attrgetter("image_code", "category"))
    write_csv(path, COLUMNS, (map(_cell, _values(row)) for row in ordered))


def _cell(value: str | int | None) -> str | int | None:
    return spreadsheet_cell(value) if isinstance(value, str) else value
