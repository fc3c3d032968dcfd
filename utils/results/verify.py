"""A result folder judged again, without downloading: the answer to `--verify`.

It holds for folders that were copied or edited, and for those that other tools made in the same layout:
every image is decoded, compared with journal and XML, and looked at beside all others, for a picture that
stands for many is a placeholder. What does not hold is taken back, or only told if the judgement is dry.
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
from ..models.images import Picture
from ..models.rows import Category, UrlRow
from ..models.tasks import Outcome
from ..reasons import Rejection, Status
from . import reconcile
from .category_folders import require_readable_boxes
from .journal import Journal
from .paths import CategoryFolder
from .reconcile import CategoryStore, RowsOf
from .report_writer import ReportWriter

UNKNOWN_HOST = "unknown"
"""Where images without a line in a journal come from: taken for one host."""


@dataclass
class Verification:
    """A judgement over the folders of several categories.

    Attributes
    ----------
    root
        The result folder.
    rows_of
        Finds images that have no line in a journal in the URL table.
    tell
        Told a sentence for everything that does not hold; they are counted in `findings`.
    dry
        Whether it is only told what does not hold, and nothing on disk is changed.
    faults
        Why the folders of categories could not be judged, by their names.
    """

    root: Path
    rows_of: RowsOf
    tell: Callable[[str], None]
    dry: bool = False
    findings: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    _standing: Counter[str] = field(default_factory=Counter)
    _sightings: dict[str, Counter[ContentKey]] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images stand in the folders that could be judged."""
        return sum(number for name, number in self._standing.items() if name not in self.faults)

    def run(self, categories: Sequence[Category]) -> None:
        """Judge the folders, and take back what does not hold."""
        duplicates = DuplicateTracker()
        strays: list[_Stray] = []
        for category in categories:
            with self._costing_only(category.folder):
                shelf = self._shelf(category)
                for outcome in self._judge(shelf):
                    duplicates.add(outcome)
                for stray in self._judge_strays(shelf):
                    duplicates.add(stray.as_outcome())
                    strays.append(stray)
        self._take_back(categories, strays, duplicates.placeholders())

    @contextlib.contextmanager
    def _costing_only(self, name: str) -> Iterator[None]:
        """Let a fault of one category's folder cost no other."""
        try:
            with wrap_os_errors(self.root / name):
                yield
        except FolderError as error:
            self.faults[name] = f"{name}: {error}"

    def _judge(self, shelf: CategoryStore) -> list[Outcome]:
        """Judge the images of a folder that the journal or the URL table knows; returns those that stand."""
        shelf.journal.begin_run()
        known = reconcile.reconcile(shelf, self.rows_of)
        standing = [outcome for outcome in known.values() if outcome.status.is_saved]
        self._standing[shelf.name] += len(standing)
        if self.dry:  # no journal will know these of all folders
            self._sightings[shelf.name] = Counter(map(placeholders.content_key, standing))
        return standing

    def _judge_strays(self, shelf: CategoryStore) -> Iterator[_Stray]:
        """Judge the images of a folder of which nothing else is known."""
        claimed = {outcome.file for outcome in shelf.journal.outcomes() if outcome.status.is_saved}
        for path in reconcile.image_files(shelf.folder):
            if shelf.folder.relative(path) in claimed or path in shelf.removed:
                continue
            picture = reconcile.validate_file(path)
            if isinstance(picture, Rejection):
                shelf.remove_image(path, picture.sentence)
            else:
                reconcile.fitting_boxes(shelf, path, picture)
                self._standing[shelf.name] += 1
                yield _Stray(shelf, path, picture)

    def _take_back(
        self, categories: Sequence[Category], strays: Sequence[_Stray], found: set[ContentKey]
    ) -> None:
        publisher = ReportWriter(self._folder)
        for category in categories:
            if category.folder not in self.faults:
                with self._costing_only(category.folder):
                    self._take_back_in(category, publisher, found)
        for stray in strays:
            name = stray.shelf.name
            if name not in self.faults and placeholders.is_placeholder(stray.as_outcome(), found):
                with self._costing_only(name):
                    stray.shelf.remove_image(stray.path, "Several others are the same picture.")
                    self._standing[name] -= 1

    def _take_back_in(self, category: Category, publisher: ReportWriter, found: set[ContentKey]) -> None:
        if self.dry:
            taken = sum(self._sightings[category.folder][sighting] for sighting in found)
        else:
            taken = len(publisher.retract(category, found))
            publisher.write(category)
        if taken:
            happens = "would be " if self.dry else ""
            self._find(f"{category.folder}: {taken} {happens}{placeholders.RETRACTED_MESSAGE}.")
        self._standing[category.folder] -= taken

    def _folder(self, category: Category) -> CategoryFolder:
        return CategoryFolder(self.root / category.folder)

    def _shelf(self, category: Category) -> CategoryStore:
        folder = self._folder(category)
        if self.dry:
            require_readable_boxes(folder)
        else:
            folder.make()
        journal = Journal(folder.journal, read_only=self.dry)
        return CategoryStore(folder, journal, thorough=True, dry=self.dry, tell=self._find)

    def _find(self, finding: str) -> None:
        self.findings += 1
        self.tell(finding)


@dataclass(frozen=True)
class _Stray:
    """A good image of which neither a journal nor the URL table knows anything."""

    shelf: CategoryStore
    path: Path
    picture: Picture

    def as_outcome(self) -> Outcome:
        """Make an outcome of it, with its path in the place of its URL."""
        row = UrlRow(0, self.path.stem, str(self.path))
        return Outcome(row, Status.ALREADY_PRESENT, picture=self.picture, final_host=UNKNOWN_HOST)
