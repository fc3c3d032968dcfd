"""The images that stand in a result folder, category by category, for those who show them or hand them on.

It changes nothing, and asks only what lies on disk: journals say which images stand, XML files their boxes.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotations import voc_xml
from ..errors import FolderError, wrap_os_errors
from ..models.images import Annotation, Picture
from ..models.rows import Category
from ..models.tasks import Outcome
from . import journal
from .annotation_writer import MAX_XML_BYTES
from .category_folders import categories_in, require_readable_boxes
from .paths import CategoryFolder
from .statistics import Summary


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image that stands, with its boxes.

    Attributes
    ----------
    folder
        The name of the category's folder that it lies in: its class.
    path
        Where it lies.
    image_code
        Its name in ImageNet; begins with the wnid under which ImageNet lists it.
    url
        Where it came from.
    picture
        Its format, size and checksum.
    annotation
        Its boxes, labelled by folder names, 0-based and inclusive; None if it has none.
    """

    folder: str
    path: Path
    image_code: str
    url: str
    picture: Picture
    annotation: Annotation | None


@dataclass(frozen=True)
class Collected:
    """A category as it stands in the result folder: its numbers, and its images in the URL table's order.

    If its folder cannot be read, `fault` says why, and there is nothing else.
    """

    category: Category
    summary: Summary
    samples: tuple[ImageRecord, ...]
    fault: str = ""


def collect(
    root: Path, everything: Sequence[Category], among: Container[str] | None = None
) -> Iterator[Collected]:
    """Read a result folder, one category after the other, by the names of their folders.

    Parameters
    ----------
    everything
        The rows of `ncodes.csv`; folders that it does not know are read as well.
    among
        The codes of the categories that are read; None for all.

    Raises
    ------
    DiskError
        If the disk does not give what it holds; a fault of one folder costs no more than its category.
    """
    for category, folder in places(root, everything):
        if among is None or category.code in among:
            yield _read_or_fault(category, folder)


def places(root: Path, everything: Sequence[Category]) -> Iterator[tuple[Category, CategoryFolder]]:
    """Find the categories that `collect` reads, and their folders."""
    for category in categories_in(root, everything):
        folder = CategoryFolder(root / category.folder)
        if folder.images.is_dir() and folder.journal.exists():
            yield category, folder


def read(category: Category, folder: CategoryFolder) -> Collected:
    """Read a category as it stands in its folder.

    Raises
    ------
    DiskError, FolderError
        If it cannot be read.
    """
    summary = Summary(category.folder, category.code)
    with wrap_os_errors(folder.path):
        outcomes = summary.counting(journal.read_outcomes(folder.journal))
        return Collected(category, summary, tuple(_samples(folder, outcomes)))


def _read_or_fault(category: Category, folder: CategoryFolder) -> Collected:
    """Read a category, boxes included, or say why that cannot be."""
    try:
        require_readable_boxes(folder)
        return read(category, folder)
    except FolderError as error:
        summary = Summary(category.folder, category.code)
        return Collected(category, summary, (), fault=f"{category.folder}: {error}")


def _samples(folder: CategoryFolder, outcomes: Iterable[Outcome]) -> Iterator[ImageRecord]:
    there = _names(folder.images)
    for outcome in outcomes:
        if not outcome.status.is_saved or not outcome.picture:
            continue
        path = folder.path / outcome.file
        if path.name in there:
            annotation = _annotation(folder, path.stem) if outcome.boxes is not None else None
            row = outcome.row
            yield ImageRecord(folder.path.name, path, row.image_code, row.url, outcome.picture, annotation)


def _names(folder: Path) -> frozenset[str]:
    """Name the files of a folder: one question in place of one for each file."""
    with os.scandir(folder) as entries:
        return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def _annotation(folder: CategoryFolder, image_code: str) -> Annotation | None:
    """Read an image's XML; None if it was removed or spoilt since."""
    path = folder.annotation(image_code)
    try:
        data = path.read_bytes()
    except OSError:
        return None  # the next run sees it, and makes it anew
    return voc_xml.parse(data, image_code) if len(data) <= MAX_XML_BYTES else None
