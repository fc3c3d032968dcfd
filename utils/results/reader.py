"""Reads the saved images of a result folder, by category, for exports and the gallery.

It changes nothing. Which images are saved is read from the journals, and their boxes from the XML files.
Images listed in `excluded.txt` since the last run of their category are left out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotations import geometry, voc_xml
from ..errors import FolderError, wrap_os_errors
from ..files import read_bytes
from ..models.images import Annotation, Picture
from ..models.rows import Category
from ..models.tasks import Outcome
from . import exclusions, journal, own_images
from .annotation_writer import MAX_XML_BYTES
from .exclusions import Exclusions
from .own_images import OwnImage
from .paths import CategoryFolder
from .statistics import Summary


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A saved image with its boxes.

    Attributes
    ----------
    folder
        Name of the category's folder, which is the class of the image.
    path
        The image file.
    image_code
        ImageNet's name of the image; it begins with the wnid under which ImageNet lists it.
    url
        Download URL.
    picture
        Format, size and checksum.
    annotation
        Boxes, labelled by folder names, 0-based and inclusive; None if the image has none.
    is_own
        Whether it is a photo of the user's own: its image code is its name, and its URL is empty.
    """

    folder: str
    path: Path
    image_code: str
    url: str
    picture: Picture
    annotation: Annotation | None
    is_own: bool = False


@dataclass(frozen=True)
class CategoryContents:
    """The statistics and images of a category: the saved ones in the order of the URL table, then own photos.

    If the folder cannot be read, `fault` is the reason, and the rest is empty.
    """

    category: Category
    summary: Summary
    images: tuple[ImageRecord, ...]
    fault: str = ""


def find_categories(root: Path, everything: Sequence[Category]) -> list[Category]:
    """List the categories that have a folder of images, by folder name.

    Parameters
    ----------
    everything
        The rows of `ncodes.csv`; a folder that is not in it becomes a category without a code.
    """
    by_folder = {category.folder: category for category in everything}
    names = [path.name for path in sorted(root.glob("*")) if _has_images(CategoryFolder(path))]
    return [by_folder.get(name) or Category(code="", name=name, folder=name) for name in names]


def _has_images(folder: CategoryFolder) -> bool:
    try:
        folder.images.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # an error is reported when the folder is read
    return True


def readable_folders(root: Path, everything: Sequence[Category]) -> Iterator[tuple[Category, CategoryFolder]]:
    """Find the categories that have images and a journal, or photos of the user's own, and their folders."""
    for category in find_categories(root, everything):
        folder = CategoryFolder(root / category.folder)
        if folder.images.is_dir() and (folder.journal.exists() or any(own_images.files(folder))):
            yield category, folder


def read_categories(
    root: Path, everything: Sequence[Category], codes: Container[str]
) -> Iterator[CategoryContents]:
    """Read the categories with these codes, one after another; an unreadable folder affects only its own.

    Raises
    ------
    InputError
        If `excluded.txt` is invalid.
    DiskError
        If the disk fails.
    """
    excluded = exclusions.read(root)
    for category, folder in readable_folders(root, everything):
        if category.code in codes:
            try:
                check_annotations_readable(folder)
                yield read_category(category, folder, excluded)
            except FolderError as error:
                summary = Summary(category.folder, category.code)
                yield CategoryContents(category, summary, (), fault=f"{category.folder}: {error}")


def read_category(category: Category, folder: CategoryFolder, excluded: Exclusions) -> CategoryContents:
    """Read a category from its folder, without the images that are excluded.

    Raises
    ------
    DiskError, FolderError
        If it cannot be read.
    """
    folder.check()
    summary = Summary(category.folder, category.code)
    with wrap_os_errors(folder.path):
        recorded = journal.read_outcomes(folder.journal) if folder.journal.exists() else ()
        saved = _images(folder, summary.counting(map(excluded.apply, recorded)))
        own = summary.counting_own(own_images.read(folder, excluded))
        return CategoryContents(category, summary, (*saved, *_own_images(folder, own)))


def check_annotations_readable(folder: CategoryFolder) -> None:
    """Check that the folder of XML files can be read, if there is one.

    Raises
    ------
    DiskError, FolderError
        If it cannot.
    """
    with wrap_os_errors(folder.path), contextlib.suppress(FileNotFoundError):
        os.scandir(folder.annotations).close()


def _images(folder: CategoryFolder, outcomes: Iterable[Outcome]) -> Iterator[ImageRecord]:
    with os.scandir(folder.images) as entries:  # one system call instead of one for each image
        files = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    for outcome in outcomes:
        path = folder.path / outcome.file
        if outcome.status.is_saved and outcome.picture and path.name in files:
            annotation = _annotation(folder, path.stem) if outcome.boxes is not None else None
            row = outcome.row
            yield ImageRecord(folder.path.name, path, row.image_code, row.url, outcome.picture, annotation)


def _own_images(folder: CategoryFolder, images: Iterable[OwnImage]) -> Iterator[ImageRecord]:
    for image in images:
        name = image.path.stem
        annotation = _annotation(folder, name)
        if annotation:
            stored = geometry.to_stored(annotation, image.picture, image.orientation)
            annotation = geometry.fit(stored, image.picture).annotation
        yield ImageRecord(folder.path.name, image.path, name, "", image.picture, annotation, is_own=True)


def _annotation(folder: CategoryFolder, image_code: str) -> Annotation | None:
    """Read the XML file of an image; None if it was removed or damaged."""
    try:
        data = read_bytes(folder.annotation(image_code), MAX_XML_BYTES)
    except OSError:
        return None  # the next run restores it
    return voc_xml.parse(data, image_code)
