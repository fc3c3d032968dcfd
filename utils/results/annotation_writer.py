"""Writes, checks and removes the XML of saved images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..annotations import geometry, voc_xml
from ..errors import wrap_os_errors
from ..files import is_file, read_bytes, write_atomic
from ..models.images import Annotation, Picture
from ..models.tasks import Outcome
from .paths import CategoryFolder

MAX_XML_BYTES = 1_000_000


def write_if_missing(
    folder: CategoryFolder, outcome: Outcome, annotation: Annotation | None, labels: Mapping[str, str]
) -> Outcome:
    """Write the XML of a saved image that has none, if its annotation fits.

    Parameters
    ----------
    annotation
        As in the archive.
    labels
        The folder name of every wnid.

    Returns
    -------
    Outcome
        With the new boxes; the same object if nothing was written.

    Raises
    ------
    DiskError, FolderError
        If it cannot be written.
    """
    if not outcome.status.is_saved or annotation is None or outcome.picture is None:
        return outcome
    path = folder.annotation(outcome.row.image_code)
    if outcome.boxes is not None and is_file(path):
        return outcome
    fitted = geometry.fit(geometry.relabel(annotation, labels), outcome.picture)
    if fitted.annotation is None:
        return outcome
    name = Path(outcome.file).name
    xml = voc_xml.to_xml(fitted.annotation, folder=folder.path.name, filename=name, picture=outcome.picture)
    with wrap_os_errors(folder.annotations):
        write_atomic(path, xml)
    return replace(outcome, boxes=len(fitted.annotation.boxes), fitted=fitted.counts)


def count_boxes(folder: CategoryFolder, image: Path, picture: Picture) -> int | None:
    """Count the boxes in the XML of an image; None if there is no XML that fits it."""
    path = folder.annotation(image.stem)
    if not is_file(path) or path.stat().st_size > MAX_XML_BYTES:
        return None
    stated = voc_xml.parse(read_bytes(path), image.stem)
    if stated is None or (stated.width, stated.height) != (picture.width, picture.height):
        return None
    fits = geometry.fit(stated, picture).annotation == stated
    return len(stated.boxes) if fits else None


def remove(folder: CategoryFolder, image: Path) -> None:
    """Remove an image and its XML; the XML first, so that no XML is left without an image."""
    folder.annotation(image.stem).unlink(missing_ok=True)
    image.unlink(missing_ok=True)
