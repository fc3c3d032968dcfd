"""An image and its annotation, side by side on disk: no XML without its image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..annotations import geometry, voc_xml
from ..errors import disk_error
from ..files import write_atomic
from ..models.images import Annotation, Picture
from ..models.tasks import Outcome
from .paths import CategoryFolder

MAX_XML_BYTES = 1_000_000


def pair(folder: CategoryFolder, image: Path, picture: Picture, annotation: Annotation) -> int:
    """Write the XML of an image that lies in its folder, and say how many boxes it has.

    Parameters
    ----------
    annotation
        Fitted to the picture, and labelled with folder names.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    xml = voc_xml.to_xml(annotation, folder=folder.path.name, filename=image.name, picture=picture)
    write_atomic(folder.annotation(image.stem), xml)
    return len(annotation.boxes)


def paired(
    folder: CategoryFolder, outcome: Outcome, annotation: Annotation | None, labels: Mapping[str, str]
) -> Outcome:
    """Write the XML of an image that stands without, if it has an annotation that fits.

    Parameters
    ----------
    annotation
        As in the archive.
    labels
        The folder name of every wnid.

    Raises
    ------
    DiskError, FolderError
        If it cannot be written.
    """
    if not outcome.status.is_saved or annotation is None or outcome.picture is None:
        return outcome
    if outcome.boxes is not None and folder.annotation(outcome.row.image_code).exists():
        return outcome
    fitted = geometry.fit(geometry.relabel(annotation, labels), outcome.picture)
    if fitted.annotation is None:
        return outcome
    try:
        count = pair(folder, folder.path / outcome.file, outcome.picture, fitted.annotation)
    except OSError as error:
        raise disk_error(folder.annotations, error) from error
    return replace(outcome, boxes=count, fitted=fitted.counts)


def boxes_of(folder: CategoryFolder, image: Path, picture: Picture) -> int | None:
    """Say how many boxes the XML of an image has; None if it has none that fits it."""
    path = folder.annotation(image.stem)
    if not path.is_file() or path.stat().st_size > MAX_XML_BYTES:
        return None
    stated = voc_xml.parse(path.read_bytes(), image.stem)
    if stated is None or (stated.width, stated.height) != (picture.width, picture.height):
        return None
    fits = geometry.fit(stated, picture).annotation == stated
    return len(stated.boxes) if fits else None


def remove(folder: CategoryFolder, image: Path) -> None:
    """Take an image and its XML away; the XML first, for it may not be there alone."""
    folder.annotation(image.stem).unlink(missing_ok=True)
    image.unlink(missing_ok=True)
