"""Validates a result folder again, without downloads (`--verify`).

The folder may have been copied or edited, or made by another tool in the same layout. Every image is decoded,
and compared with its journal line and its XML file. Images that occur several times are placeholders, if they
meet the same criteria as in a run. Invalid files are removed, or only reported in a dry run.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import FolderError, wrap_os_errors
from ..images import placeholders
from ..images.placeholders import ContentKey, DuplicateTracker
from ..models.rows import Category, UrlRow
from ..models.tasks import Outcome
from ..reasons import Rejection, Status
from . import reconcile
from .exclusions import Exclusions
from .journal import Journal
from .paths import CategoryFolder
from .reader import check_annotations_readable
from .reconcile import CategoryStore, ChangeReporter, RowsOf
from .report import ReportWriter

UNKNOWN_HOST = "unknown"
"""The host of images without a line in a journal; they count as images of one host."""


@dataclass
class Verification:
    """Validates the folders of several categories.

    Attributes
    ----------
    root
        The result folder.
    rows_of
        Finds the rows of the URL table for images without a line in a journal.
    exclusions
        The images that are removed although they are valid.
    print_line
        Called with a message for each invalid file, which `findings` counts, and with notices, e.g. about
        changed images.
    dry
        Whether invalid files are only reported.
    faults
        Messages about folders that could not be read or written, by name.
    """

    root: Path
    rows_of: RowsOf
    print_line: Callable[[str], None]
    exclusions: Exclusions = field(default_factory=Exclusions)
    dry: bool = False
    findings: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    _valid: Counter[str] = field(default_factory=Counter)
    _recorded: dict[str, Counter[ContentKey]] = field(default_factory=dict)
    _unrecorded: list[tuple[CategoryStore, Path, Outcome]] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Number of valid images in the folders that could be verified."""
        return sum(number for name, number in self._valid.items() if name not in self.faults)

    def run(self, categories: Sequence[Category]) -> None:
        """Validate the folders, and remove what is invalid."""
        duplicates = DuplicateTracker()
        changes = ChangeReporter(self.print_line)
        for category in categories:
            with self._isolate_errors(category.folder):
                store = self._open(category, changes.report)
                for outcome in (*self._validate_recorded(store), *self._validate_unrecorded(store)):
                    duplicates.add(outcome)
        changes.finish()
        self._remove_placeholders(categories, duplicates.placeholders())

    @contextlib.contextmanager
    def _isolate_errors(self, name: str) -> Iterator[None]:
        """Record an error of one category's folder, so that others are verified."""
        try:
            with wrap_os_errors(self.root / name):
                yield
        except FolderError as error:
            self.faults[name] = f"{name}: {error}"

    def _open(self, category: Category, on_change: Callable[[str], None]) -> CategoryStore:
        folder = CategoryFolder(self.root / category.folder)
        if self.dry:
            folder.check()
            check_annotations_readable(folder)
        else:
            folder.make()
        journal = Journal(folder.journal, read_only=self.dry)
        return CategoryStore(
            folder,
            journal,
            thorough=True,
            dry=self.dry,
            exclusions=self.exclusions,
            on_problem=self._report,
            on_notice=self.print_line,
            on_change=on_change,
        )

    def _report(self, finding: str) -> None:
        self.findings += 1
        self.print_line(finding)

    def _validate_recorded(self, store: CategoryStore) -> list[Outcome]:
        """Validate the images that are in the journal or in the URL table; returns the valid ones."""
        store.journal.begin_run()
        known = reconcile.reconcile(store, self.rows_of)
        valid = [outcome for outcome in known.values() if outcome.status.is_saved]
        self._valid[store.name] += len(valid)
        if self.dry:  # a dry run does not write to the journal, from which they are read later
            self._recorded[store.name] = Counter(map(placeholders.content_key, valid))
        return valid

    def _validate_unrecorded(self, store: CategoryStore) -> Iterator[Outcome]:
        """Validate all other images, and make outcomes of the valid ones, with paths instead of URLs."""
        recorded = {outcome.file for outcome in store.journal.outcomes() if outcome.status.is_saved}
        for path in reconcile.image_files(store.folder):
            if store.folder.relative(path) in recorded or path in store.removed:
                continue
            picture = reconcile.validate_file(path)
            if isinstance(picture, Rejection):
                store.remove_image(path, picture.sentence)
                continue
            reconcile.fitting_boxes(store, path, picture)
            self._valid[store.name] += 1
            row = UrlRow(0, path.stem, str(path))
            outcome = Outcome(row, Status.ALREADY_PRESENT, picture=picture, final_host=UNKNOWN_HOST)
            self._unrecorded.append((store, path, outcome))
            yield outcome

    def _remove_placeholders(self, categories: Sequence[Category], found: set[ContentKey]) -> None:
        """Remove the images that turned out to be placeholders, and write the reports."""
        reports = ReportWriter(lambda category: CategoryFolder(self.root / category.folder), self.exclusions)
        for category in categories:
            name = category.folder
            if name in self.faults:
                continue
            with self._isolate_errors(name):
                if self.dry:
                    count = sum(self._recorded[name][key] for key in found)
                else:
                    count = len(reports.retract(category, found))
                    reports.write(category)
                if count:
                    verb = "would be " if self.dry else ""
                    self._report(f"{name}: {count} {verb}{placeholders.RETRACTED_MESSAGE}.")
                self._valid[name] -= count
        for store, path, outcome in self._unrecorded:
            if store.name not in self.faults and placeholders.is_placeholder(outcome, found):
                with self._isolate_errors(store.name):
                    store.remove_image(path, "Several other files have the same content.")
                    self._valid[store.name] -= 1
