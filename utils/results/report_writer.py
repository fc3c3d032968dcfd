"""What the user reads of a category: its report, made from its journal, and the numbers that go with it."""

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
    """Writes reports, and keeps the numbers of what it wrote: `summaries`, by category code."""

    def __init__(self, folder_of: Callable[[Category], CategoryFolder]) -> None:
        self.summaries: dict[str, Summary] = {}
        self._folder_of = folder_of

    def write(self, category: Category, outcomes: Iterable[Outcome] | None = None) -> Summary:
        """Write a category's report, and count while doing so.

        Parameters
        ----------
        outcomes
            What is known of every URL; None to read it from the journal.

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
        """Take back the images of a category that turned out to be placeholders; returns them as they stood.

        What `checkpoint` raises while the journal is read ends it before anything was done.

        Raises
        ------
        DiskError, FolderError
            If one cannot be removed, or the report cannot be written.
        """
        folder = self._folder_of(category)
        if not folder.journal.exists():
            return []
        book = journal.Journal(folder.journal)
        taken = [one for one in book.outcomes(checkpoint) if placeholders.is_placeholder(one, found)]
        if not taken:
            return []
        try:
            for outcome in taken:
                with wrap_os_errors(folder.path / outcome.file):
                    annotation_writer.remove(folder, folder.path / outcome.file)
                book.append(placeholders.retracted(outcome))
        finally:
            self.write(category, book.outcomes())
        return taken
