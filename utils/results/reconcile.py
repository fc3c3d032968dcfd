"""Brings the journal of a category and its files into agreement, at the start of a run and for `--verify`.

A run may have been killed at any time, and users copy, edit and delete files. Therefore partial files are
removed, images without a line in the journal are validated and added, changed images are validated again,
and every XML must belong to an image and fit it. Images listed in `excluded.txt` are removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..files import read_bytes
from ..images import placeholders, validation
from ..models.images import EXTENSIONS, Picture
from ..models.rows import UrlRow
from ..models.tasks import Outcome, Response
from ..reasons import Reason, Rejection, Status
from ..text import pluralize
from ..urls import IMAGE_CODE, host_of
from . import annotation_writer
from .exclusions import EXCLUDED_NAME, Exclusions
from .journal import Journal, no_checkpoint
from .paths import CategoryFolder

GONE = "Its file was removed or damaged after it was saved; it is downloaded again when it is needed."
MAX_CHANGES_NAMED = 5
ANY_SIZE = 1
"""Pixels; `--min_side` rejects downloads, but removes no saved image."""

RowsOf = Callable[[Collection[str]], Iterable[UrlRow]]
"""Finds the rows of image codes."""


@dataclass(frozen=True)
class CategoryStore:
    """The files of a category and its journal.

    Attributes
    ----------
    thorough
        Whether all images are validated, not only those that look changed.
    dry
        Whether nothing on disk is changed, only reported.
    exclusions
        The images that are removed because the user does not want them.
    on_problem
        Called with a sentence for each problem.
    on_notice
        Called with a sentence about a change that is no problem.
    on_change
        Called with the file of each valid image whose content is not the recorded one, `<category>/<file>`.
    checkpoint
        Called before every URL and image; it may raise an exception to stop.
    removed
        The files that were removed, or would be.
    """

    folder: CategoryFolder
    journal: Journal
    thorough: bool = False
    dry: bool = False
    exclusions: Exclusions = field(default_factory=Exclusions)
    on_problem: Callable[[str], None] = lambda _finding: None
    on_notice: Callable[[str], None] = lambda _notice: None
    on_change: Callable[[str], None] = lambda _file: None
    checkpoint: Callable[[], None] = no_checkpoint
    removed: set[Path] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The name of the category's folder."""
        return self.folder.path.name

    def write(self, outcome: Outcome) -> Outcome:
        """Record an outcome in the journal, and return it."""
        self.journal.append(outcome)
        return outcome

    def remove_image(self, path: Path, why: str) -> None:
        """Remove an image and its XML; the XML first, so that no XML is left without an image."""
        self._remove([self.folder.annotation(path.stem), path], path, why)

    def remove_file(self, path: Path, why: str) -> None:
        """Remove an XML, or an image whose XML belongs to another file."""
        self._remove([path], path, why)

    def _remove(self, paths: Collection[Path], named: Path, why: str) -> None:
        verb = "would be" if self.dry else "was"
        self.on_problem(f"{self.name}/{self.folder.relative(named)} {verb} removed. {why}")
        self._delete(paths)

    def remove_excluded(self) -> None:
        """Remove the images that the user excludes, with their XML."""
        if not self.exclusions.rejections:
            return
        excluded = [one for one in image_files(self.folder) if self.exclusions.reject(one.stem)]
        for path in excluded:
            self._delete([self.folder.annotation(path.stem), path])
        if excluded:
            verb = "would be" if self.dry else "was" if len(excluded) == 1 else "were"
            images = pluralize(len(excluded), "image")
            self.on_notice(f"{self.name}: {images} listed in {EXCLUDED_NAME} {verb} removed.")

    def _delete(self, paths: Collection[Path]) -> None:
        self.removed.update(paths)
        for path in () if self.dry else paths:
            path.unlink(missing_ok=True)


@dataclass
class ChangeReporter:
    """Prints which images changed since they were downloaded: the first few by name, then how many more.

    Parameters
    ----------
    print_line
        Called with each line.
    """

    print_line: Callable[[str], None]
    _count: int = 0

    def report(self, file: str) -> None:
        """Report an image."""
        self._count += 1
        if self._count <= MAX_CHANGES_NAMED:
            self.print_line(f"{file} changed since it was downloaded; it is valid and kept.")

    def finish(self) -> None:
        """Print how many images were not named."""
        more = self._count - MAX_CHANGES_NAMED
        if more > 0:
            self.print_line(f"{pluralize(more, 'more image')} changed after the download; valid and kept.")


def reconcile(store: CategoryStore, rows_of: RowsOf) -> dict[str, Outcome]:
    """Bring journal and files into agreement.

    Parameters
    ----------
    rows_of
        Called for images without a line in the journal; images without a row are left alone.

    Returns
    -------
    dict
        The last outcome of every URL, by `UrlRow.key`; images that are saved in it exist and are whole.
    """
    if not store.dry:
        store.folder.remove_partials()
    store.remove_excluded()
    on_disk = {store.folder.relative(path): path for path in image_files(store.folder)}
    outcomes = store.journal.outcomes(store.checkpoint)
    known = {outcome.row.key: _check(store, outcome, on_disk) for outcome in outcomes}
    recorded = {outcome.file for outcome in known.values() if outcome.status.is_saved}
    unrecorded = [path for name, path in on_disk.items() if name not in recorded]
    orphans = {path.stem: path for path in unrecorded if path not in store.removed and path.exists()}
    if orphans:
        known |= {outcome.row.key: outcome for outcome in _record_orphans(store, orphans, known, rows_of)}
    _remove_orphaned_annotations(store)
    return known


def image_files(folder: CategoryFolder) -> list[Path]:
    """List the files named like images: an image code and the extension of an image."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder.images) as entries:
        paths = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
        return [one for one in paths if one.suffix.lower() in EXTENSIONS and IMAGE_CODE.fullmatch(one.stem)]
    return []


def validate_file(path: Path, wait: Callable[[], None] = validation.no_wait) -> Picture | Rejection:
    """Validate the bytes of a file like a download, but of any size in pixels."""
    if path.stat().st_size > validation.MAX_BYTES:
        return validation.TOO_LARGE
    data = read_bytes(path)
    placeholder = placeholders.reject_response(Response(data, http_status=200, final_url=""))
    return placeholder or validation.validate(data, min_side=ANY_SIZE, length_known=True, wait=wait)


def fitting_boxes(store: CategoryStore, image: Path, picture: Picture) -> int | None:
    """Count the boxes in the XML of an image; an XML that does not fit the image is removed."""
    boxes = annotation_writer.count_boxes(store.folder, image, picture)
    xml = store.folder.annotation(image.stem)
    if boxes is None and os.path.lexists(xml):
        store.remove_file(xml, "It does not fit its image.")
    return boxes


def _check(store: CategoryStore, outcome: Outcome, on_disk: dict[str, Path]) -> Outcome:
    """Check that an image that is recorded as saved exists, is whole and is not excluded."""
    store.checkpoint()
    decided = store.exclusions.apply(outcome)
    if decided != outcome:
        return store.write(decided)
    if not outcome.status.is_saved:
        return outcome
    path = on_disk.get(outcome.file)
    if path is None:
        store.on_problem(f"{store.name}/{outcome.file} does not exist any more.")
        return store.write(_mark_as_deleted(outcome))
    stat = path.stat()
    recorded = (outcome.picture.bytes if outcome.picture else -1, outcome.modified_ns)
    if (stat.st_size, stat.st_mtime_ns) == recorded and not store.thorough:
        return outcome
    valid = _validate(store, path, outcome)
    if valid and valid.picture and outcome.picture and valid.picture.sha256 != outcome.picture.sha256:
        store.on_change(f"{store.name}/{valid.file}")
    checked = valid or _mark_as_deleted(outcome)
    return checked if checked == outcome else store.write(checked)


def _mark_as_deleted(outcome: Outcome) -> Outcome:
    return outcome.without_image(Status.NOT_ATTEMPTED, Reason.INTERRUPTED, GONE)


def _validate(store: CategoryStore, path: Path, outcome: Outcome) -> Outcome | None:
    """Validate a file: a valid image gets the extension of its format, another file is removed."""
    picture = validate_file(path, store.checkpoint)
    if isinstance(picture, Rejection):
        store.remove_image(path, picture.sentence)
        return None
    image = path if store.dry else path.replace(store.folder.image(path.stem, picture.format))
    boxes = fitting_boxes(store, image, picture)
    return replace(
        outcome,
        reason=None,
        description="",
        file=store.folder.relative(image),
        picture=picture,
        boxes=boxes,
        modified_ns=image.stat().st_mtime_ns,
    )


def _record_orphans(
    store: CategoryStore, orphans: dict[str, Path], known: dict[str, Outcome], rows_of: RowsOf
) -> list[Outcome]:
    """Validate images without a line in the journal, and record the valid ones."""
    saved = {outcome.row.image_code for outcome in known.values() if outcome.status.is_saved}
    recorded = []
    for row in rows_of(orphans.keys()):
        store.checkpoint()
        path = orphans.pop(row.image_code, None)
        if path is None:
            continue
        if row.image_code in saved:
            store.remove_file(path, "The same image exists under another extension.")
            continue
        before = known.get(row.key) or Outcome(row, Status.DOWNLOADED, final_host=host_of(row.url))
        outcome = _validate(store, path, replace(before, status=Status.DOWNLOADED))
        if outcome:
            recorded.append(store.write(outcome))
    return recorded


def _remove_orphaned_annotations(store: CategoryStore) -> None:
    with_image = {path.stem for path in image_files(store.folder)}
    for path in sorted(set(store.folder.annotations.glob("*.xml")) - store.removed):
        if IMAGE_CODE.fullmatch(path.stem) and path.stem not in with_image:
            store.remove_file(path, "Its image does not exist.")
