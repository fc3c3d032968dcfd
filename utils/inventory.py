"""What of a category is there already: journal and disk brought into agreement at the start of a run.

A run may have been killed at any moment, and users copy, edit and delete files. So partial files go,
images without a line are judged and adopted, images that were changed are judged anew, and each XML has
its image.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from . import images, pairing
from .journal import Journal
from .models import ImageFormat, Outcome, Picture, Reason, Refusal, Status, UrlRow
from .storage import EXTENSIONS, CategoryFolder
from .url_rows import IMAGE_CODE

GONE = "Its file was removed or spoilt after it was saved; it is fetched again when it is asked for."


@dataclass(frozen=True)
class Shelf:
    """A category's folder with its journal, and how its images are judged."""

    folder: CategoryFolder
    journal: Journal
    min_side: int

    def write(self, outcome: Outcome) -> Outcome:
        """Note an outcome in the journal."""
        self.journal.append(outcome)
        return outcome


def take_stock(shelf: Shelf, rows_of: Callable[[Collection[str]], Iterable[UrlRow]]) -> dict[str, Outcome]:
    """Bring journal and disk into agreement.

    Parameters
    ----------
    rows_of
        Finds the rows of image codes in the URL table, for images that have no line in the journal.

    Returns
    -------
    dict
        What is known of every URL, by `UrlRow.key`; what stands in it lies on disk and is whole.
    """
    shelf.folder.remove_partials()
    on_disk = _images(shelf.folder)
    known = {outcome.row.key: _confirmed(shelf, outcome, on_disk) for outcome in shelf.journal.standing()}
    claimed = {outcome.file for outcome in known.values() if outcome.status.stands}
    orphans = {path.stem: path for path in on_disk.values() if shelf.folder.relative(path) not in claimed}
    if orphans:
        known |= {outcome.row.key: outcome for outcome in _adopted(shelf, orphans, known, rows_of)}
    _remove_lonely_annotations(shelf.folder, known.values())
    return known


def adopt(shelf: Shelf, row: UrlRow) -> Outcome | None:
    """Judge an image that may lie on disk without a line in the journal, and note it if it is good."""
    for image_format in ImageFormat:
        path = shelf.folder.image(row.image_code, image_format)
        if path.exists():
            return _judged(shelf, path, Outcome(row, Status.DOWNLOADED))
    return None


def _images(folder: CategoryFolder) -> dict[str, Path]:
    """Find the files that may be images of ours, by name relative to the category's folder."""
    with os.scandir(folder.images) as entries:
        paths = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    ours = [path for path in paths if path.suffix in EXTENSIONS and IMAGE_CODE.fullmatch(path.stem)]
    return {folder.relative(path): path for path in ours}


def _confirmed(shelf: Shelf, outcome: Outcome, on_disk: dict[str, Path]) -> Outcome:
    """Check that an image which should stand does."""
    if not outcome.status.stands:
        return outcome
    path = on_disk.get(outcome.file)
    if path is not None:
        stat = path.stat()
        unchanged = stat.st_mtime_ns == outcome.modified_ns
        if unchanged and outcome.picture and stat.st_size == outcome.picture.bytes:
            return outcome
        judged = _judged(shelf, path, outcome)
        if judged:
            return judged
        del on_disk[outcome.file]
    return shelf.write(
        replace(
            outcome,
            status=Status.NOT_ATTEMPTED,
            reason=Reason.INTERRUPTED,
            description=GONE,
            file="",
            boxes=None,
        )
    )


def _judged(shelf: Shelf, path: Path, outcome: Outcome) -> Outcome | None:
    """Judge a file; a good one is noted under `outcome`, any other is removed."""
    picture = _picture(path, shelf.min_side)
    if picture is None:
        pairing.remove(shelf.folder, path)
        return None
    same = outcome.picture is not None and outcome.picture.sha256 == picture.sha256
    if not same:  # boxes of another picture do not fit this one; they are made anew
        shelf.folder.annotation(path.stem).unlink(missing_ok=True)
    return shelf.write(
        replace(
            outcome,
            status=outcome.status,
            reason=None,
            description="",
            file=shelf.folder.relative(path),
            picture=picture,
            boxes=outcome.boxes if same else None,
            modified_ns=path.stat().st_mtime_ns,
        )
    )


def _picture(path: Path, min_side: int) -> Picture | None:
    """Judge a file's bytes; None if they are no image, or one of another format than its name says."""
    if path.stat().st_size > images.MAX_BYTES:
        return None
    judged = images.judge(path.read_bytes(), min_side=min_side, length_known=True)
    if isinstance(judged, Refusal) or judged.format.value != path.suffix[1:]:
        return None
    return judged


def _adopted(
    shelf: Shelf,
    orphans: dict[str, Path],
    known: dict[str, Outcome],
    rows_of: Callable[[Collection[str]], Iterable[UrlRow]],
) -> list[Outcome]:
    standing = {outcome.row.image_code for outcome in known.values() if outcome.status.stands}
    adopted = []
    for row in rows_of(orphans.keys()):
        path = orphans.pop(row.image_code, None)
        if path is None:
            continue
        if row.image_code in standing:  # the same image under another extension
            path.unlink()
            continue
        outcome = _judged(
            shelf,
            path,
            replace(known.get(row.key) or Outcome(row, Status.DOWNLOADED), status=Status.DOWNLOADED),
        )
        if outcome:
            adopted.append(outcome)
    return adopted


def _remove_lonely_annotations(folder: CategoryFolder, known: Iterable[Outcome]) -> None:
    with_image = {outcome.row.image_code for outcome in known if outcome.status.stands}
    for path in folder.annotations.glob("*.xml"):
        if IMAGE_CODE.fullmatch(path.stem) and path.stem not in with_image:
            path.unlink()
