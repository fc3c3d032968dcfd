"""Writes the reports of categories from their journals, and summarises them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import disk_error, wrap_os_errors
from ..images import placeholders
from ..images.placeholders import ContentKey
from ..models.rows import Category
from ..models.tasks import Outcome
from . import annotation_writer, journal, report
from .paths import CategoryFolder
from .statistics import Summary


class ReportWriter:
    """Writes reports, and keeps their `summaries` by category code."""

    def __init__(self, folder_of: Callable[[Category], CategoryFolder]) -> None:
        self.summaries: dict[str, Summary] = {}
        self._folder_of = folder_of

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
            report.write(folder.report, summary.counting(known))
        except OSError as error:
            raise disk_error(folder.report, error) from error
        self.summaries[category.code] = summary
        return summary

    def retract(
        self, category: Category, found: set[ContentKey], checkpoint: Callable[[], None] = journal.pass_by
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
