"""The download report of a category: a CSV with one row for every URL considered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import disk_error, wrap_os_errors
from ..files import write_csv
from ..images import placeholders
from ..images.placeholders import ContentKey
from ..models.rows import Category
from ..models.tasks import Outcome
from ..text import spreadsheet_cell
from . import annotation_writer, journal, own_images
from .exclusions import Exclusions
from .paths import CategoryFolder
from .statistics import Summary


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the report atomically, as UTF-8 with commas and a header.

    Texts are escaped by `spreadsheet_cell`; the journal has them as they are.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_csv(path, COLUMNS, ([column(outcome) for column in COLUMNS.values()] for outcome in outcomes))


def _of_picture(name: str) -> Callable[[Outcome], object]:
    return lambda outcome: getattr(outcome.picture, name) if outcome.picture else ""


COLUMNS: dict[str, Callable[[Outcome], object]] = {
    "image_code": lambda outcome: spreadsheet_cell(outcome.row.image_code),
    "url": lambda outcome: spreadsheet_cell(outcome.row.url),
    "status": lambda outcome: outcome.status.value,
    "reason": lambda outcome: outcome.reason_word,
    "description": lambda outcome: spreadsheet_cell(outcome.description),
    "http_status": lambda outcome: outcome.http_status or "",
    "attempts": lambda outcome: outcome.attempts,
    "seconds": lambda outcome: f"{outcome.seconds:.3f}",
    "file": lambda outcome: spreadsheet_cell(outcome.file),
    "format": lambda outcome: outcome.picture.format.value if outcome.picture else "",
    "width": _of_picture("width"),
    "height": _of_picture("height"),
    "bytes": _of_picture("bytes"),
    "sha256": _of_picture("sha256"),
    "boxes": lambda outcome: "" if outcome.boxes is None else outcome.boxes,
}


class ReportWriter:
    """Writes reports, and keeps their `summaries` by category code."""

    def __init__(self, folder_of: Callable[[Category], CategoryFolder], excluded: Exclusions) -> None:
        self.summaries: dict[str, Summary] = {}
        self._folder_of = folder_of
        self._excluded = excluded

    def write(self, category: Category, outcomes: Iterable[Outcome] | None = None) -> Summary:
        """Write and summarise the report of a category.

        Parameters
        ----------
        outcomes
            The outcome of every URL; None to read them from the journal.

        Raises
        ------
        DiskError, FolderError
            If it cannot be written.
        """
        folder = self._folder_of(category)
        summary = Summary(category.folder, category.code)
        known = journal.read_outcomes(folder.journal) if outcomes is None else outcomes
        try:
            write(folder.report, summary.counting(known))
        except OSError as error:
            raise disk_error(folder.report, error) from error
        summary.counting_own(own_images.read(folder, self._excluded))
        self.summaries[category.code] = summary
        return summary

    def retract(
        self,
        category: Category,
        found: set[ContentKey],
        checkpoint: Callable[[], None] = journal.no_checkpoint,
    ) -> list[Outcome]:
        """Remove the images of a category that are placeholders; returns their former outcomes.

        Parameters
        ----------
        checkpoint
            Called while the journal is read; it may raise an exception to stop before anything is removed.

        Raises
        ------
        DiskError, FolderError
            If an image cannot be removed, or the report cannot be written.
        """
        folder = self._folder_of(category)
        if not folder.journal.exists():
            return []
        log = journal.Journal(folder.journal)
        removed = [one for one in log.outcomes(checkpoint) if placeholders.is_placeholder(one, found)]
        if not removed:
            return []
        try:
            for outcome in removed:
                with wrap_os_errors(folder.path / outcome.file):
                    annotation_writer.remove(folder, folder.path / outcome.file)
                log.append(placeholders.retracted(outcome))
        finally:
            self.write(category, log.outcomes())
        return removed
