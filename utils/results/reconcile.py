"""What of a category is there already: journal and disk brought into agreement at the start of a run.

A run may have been killed at any moment, and users copy, edit and delete files. So partial files go,
images without a line are judged and adopted, images that were changed are judged anew, and each XML has
its image, which it fits. A thorough inventory judges every image anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..images import placeholders, validation
from ..models.enums import ImageFormat, Status
from ..models.images import Picture
from ..models.rows import UrlRow
from ..models.tasks import Outcome, Response
from ..reasons import Reason, Rejection
from ..urls import IMAGE_CODE, host_of
from . import annotation_writer
from .journal import Journal, pass_by
from .paths import EXTENSIONS, CategoryFolder

GONE = "Its file was removed or spoilt after it was saved; it is fetched again when it is asked for."
ANY_SIZE = 1
"""The shortest side that an image on disk may have: a flag refuses downloads, and removes nothing."""

RowsOf = Callable[[Collection[str]], Iterable[UrlRow]]
"""Finds the rows of image codes in the URL table."""


def _keep_to_yourself(_finding: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class CategoryStore:
    """A category's folder with its journal, and how its images are judged.

    Attributes
    ----------
    thorough
        Whether every image is judged anew, not only those that look changed.
    dry
        Whether nothing on disk is changed, and it is only told what would be; the journal must know it, too.
    tell
        Told what did not hold, a sentence each.
    removed
        The files that were removed, or would be.
    checkpoint
        Called before every URL and every image that is looked at; what it raises ends the taking of stock.
    """

    folder: CategoryFolder
    journal: Journal
    thorough: bool = False
    dry: bool = False
    tell: Callable[[str], None] = _keep_to_yourself
    checkpoint: Callable[[], None] = pass_by
    removed: set[Path] = field(default_factory=set)

    @property
    def name(self) -> str:
        """How the category's folder is called."""
        return self.folder.path.name

    def write(self, outcome: Outcome) -> Outcome:
        """Note an outcome in the journal."""
        self.journal.append(outcome)
        return outcome

    def remove_image(self, path: Path, why: str) -> None:
        """Take an image away with its XML, and say why."""
        self._tell_removed(path, why)
        self.removed.update({path, self.folder.annotation(path.stem)})
        if not self.dry:
            annotation_writer.remove(self.folder, path)

    def remove_file(self, path: Path, why: str) -> None:
        """Take an XML away, or an image whose XML is another's, too; and say why."""
        self._tell_removed(path, why)
        self.removed.add(path)
        if not self.dry:
            path.unlink()

    def _tell_removed(self, path: Path, why: str) -> None:
        happens = "would be" if self.dry else "was"
        self.tell(f"{self.name}/{self.folder.relative(path)} {happens} removed. {why}")


def reconcile(shelf: CategoryStore, rows_of: RowsOf) -> dict[str, Outcome]:
    """Bring journal and disk into agreement.

    Parameters
    ----------
    rows_of
        Asked for images that have no line in the journal; those without a row are left alone.

    Returns
    -------
    dict
        What is known of every URL, by `UrlRow.key`; what stands in it lies on disk and is whole.
    """
    if not shelf.dry:
        shelf.folder.remove_partials()
    on_disk = {shelf.folder.relative(path): path for path in image_files(shelf.folder)}
    standing = shelf.journal.outcomes(shelf.checkpoint)
    known = {outcome.row.key: _confirmed(shelf, outcome, on_disk) for outcome in standing}
    claimed = {outcome.file for outcome in known.values() if outcome.status.is_saved}
    left = {name: path for name, path in on_disk.items() if path not in shelf.removed and path.exists()}
    orphans = {path.stem: path for name, path in left.items() if name not in claimed}
    if orphans:
        known |= {outcome.row.key: outcome for outcome in _adopted(shelf, orphans, known, rows_of)}
    _remove_lonely_annotations(shelf)
    return known


def image_files(folder: CategoryFolder) -> list[Path]:
    """Find the files that are images by their names: an image code, and an image's extension."""
    with os.scandir(folder.images) as entries:
        paths = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    return [path for path in paths if path.suffix.lower() in EXTENSIONS and IMAGE_CODE.fullmatch(path.stem)]


def find(shelf: CategoryStore, row: UrlRow) -> Outcome | None:
    """Judge an image that may lie on disk without a line in the journal; the caller writes that."""
    for image_format in ImageFormat:
        path = shelf.folder.image(row.image_code, image_format)
        if path.is_file():
            return _judged(shelf, path, Outcome(row, Status.DOWNLOADED, answered_by=host_of(row.url)))
    return None


def judge_file(path: Path) -> Picture | Rejection:
    """Judge the bytes of a file as if they had just come from the web; but what was saved may be small."""
    if path.stat().st_size > validation.MAX_BYTES:
        return Rejection(Reason.TOO_LARGE, "It has more than 20 MB.")
    data = path.read_bytes()
    known = placeholders.reject_response(Response(data, http_status=200, final_url=""))
    return known or validation.validate(data, min_side=ANY_SIZE, length_known=True)


def fitting_boxes(shelf: CategoryStore, image: Path, picture: Picture) -> int | None:
    """Say how many boxes the XML of an image has; one that does not fit it is removed."""
    boxes = annotation_writer.boxes_of(shelf.folder, image, picture)
    xml = shelf.folder.annotation(image.stem)
    if boxes is None and xml.exists():
        shelf.remove_file(xml, "It does not fit its image.")
    return boxes


def _confirmed(shelf: CategoryStore, outcome: Outcome, on_disk: dict[str, Path]) -> Outcome:
    """Check that an image which should stand does."""
    shelf.checkpoint()
    if not outcome.status.is_saved:
        return outcome
    path = on_disk.get(outcome.file)
    if path is None:
        shelf.tell(f"{shelf.name}/{outcome.file} is not there any more.")
        return shelf.write(_gone(outcome))
    if _looks_unchanged(path, outcome) and not shelf.thorough:
        return outcome
    judged = _judged(shelf, path, outcome) or _gone(outcome)
    return judged if judged == outcome else shelf.write(judged)


def _looks_unchanged(path: Path, outcome: Outcome) -> bool:
    stat = path.stat()
    size = outcome.picture.bytes if outcome.picture else -1
    return (stat.st_size, stat.st_mtime_ns) == (size, outcome.modified_ns)


def _gone(outcome: Outcome) -> Outcome:
    return replace(
        outcome,
        status=Status.NOT_ATTEMPTED,
        reason=Reason.INTERRUPTED,
        description=GONE,
        file="",
        boxes=None,
        fitted=None,
    )


def _judged(shelf: CategoryStore, path: Path, outcome: Outcome) -> Outcome | None:
    """Judge a file; a good one gets its right name and makes an outcome, any other is removed."""
    picture = judge_file(path)
    if isinstance(picture, Rejection):
        shelf.remove_image(path, picture.sentence)
        return None
    image = path if shelf.dry else path.replace(shelf.folder.image(path.stem, picture.format))
    boxes = fitting_boxes(shelf, image, picture)
    return replace(
        outcome,
        reason=None,
        description="",
        file=shelf.folder.relative(image),
        picture=picture,
        boxes=boxes,
        modified_ns=image.stat().st_mtime_ns,
    )


def _adopted(
    shelf: CategoryStore, orphans: dict[str, Path], known: dict[str, Outcome], rows_of: RowsOf
) -> list[Outcome]:
    """Judge images without a line in the journal; what is good is theirs from now on."""
    standing = {outcome.row.image_code for outcome in known.values() if outcome.status.is_saved}
    adopted = []
    for row in rows_of(orphans.keys()):
        shelf.checkpoint()
        path = orphans.pop(row.image_code, None)
        if path is None:
            continue
        if row.image_code in standing:  # the same image under another extension
            shelf.remove_file(path, "The same image is there under another extension.")
            continue
        before = known.get(row.key) or Outcome(row, Status.DOWNLOADED, answered_by=host_of(row.url))
        outcome = _judged(shelf, path, replace(before, status=Status.DOWNLOADED))
        if outcome:
            adopted.append(shelf.write(outcome))
    return adopted


def _remove_lonely_annotations(shelf: CategoryStore) -> None:
    with_image = {path.stem for path in image_files(shelf.folder)}
    for path in sorted(set(shelf.folder.annotations.glob("*.xml")) - shelf.removed):
        if IMAGE_CODE.fullmatch(path.stem) and path.stem not in with_image:
            shelf.remove_file(path, "Its image is not there.")
