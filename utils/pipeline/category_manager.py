"""The books of all categories of a run: opened one after another, closed with a report, some opened again.

A category whose folder cannot be worked with costs the others nothing; a full disk costs all of them.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..annotations import voc_xml
from ..errors import DatasetError, DiskError, FolderError
from ..images import placeholders
from ..images.placeholders import ContentKey, DuplicateTracker
from ..models.images import Annotation
from ..models.rows import Category
from ..models.settings import ImageSource
from ..models.tasks import Outcome
from ..results.progress import Progress, Share
from ..results.report_writer import ReportWriter
from ..results.statistics import Summary
from ..text import listed
from .category_job import CategoryJob
from .context import RunContext, counts_saved

MAX_OPEN_CATEGORIES = 256
"""Books open at once; each holds its category's annotations and outcomes in memory."""
MOST_AWAITING_TARS = 2
"""The same, where each waits for a tar to be downloaded, one after another."""
TIME_TO_REPORT = 0.7
"""Seconds that an interrupted run takes for its reports, when all that it knows is in the journals."""
OUTCOMES_AT_ONCE = 256

LATE = "There was not enough time for these reports; they are made whole by the next run:"
MOST_NAMED = 5


class _AbandonedError(Exception):
    """A piece of work was left undone, for the run is to end, and there is no time for it."""


def _never() -> bool:
    """Say that the run may go on."""
    return False


class Screen(Protocol):
    """Where a run prints lines and shows its progress."""

    def print(self, text: str) -> None:
        """Show a line."""

    def category_done(self, summary: Summary) -> None:
        """Show how a category ended."""

    def update(self, progress: Progress) -> None:
        """Show how far the run is."""


class CategoryManager:
    """The books of a run.

    Parameters
    ----------
    stopped
        Asked all the time whether the run is to end early; then long work on a book is abandoned.

    Attributes
    ----------
    open
        By folder name, those of which something is left.
    publisher
        Has the numbers of those that were closed.
    fatal
        What makes it senseless to go on, if anything.
    faults
        What went wrong with single categories, in sentences.
    unreported
        The categories for whose reports there was no time when the run was interrupted.
    """

    def __init__(
        self,
        categories: Sequence[Category],
        store: RunContext,
        *,
        progress: Progress,
        screen: Screen,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        self.open: dict[str, CategoryJob] = {}
        self.publisher = ReportWriter(store.category)
        self.fatal: DatasetError | None = None
        self.faults: list[str] = []
        self.unreported: set[str] = set()
        self._categories = categories
        self._store = store
        self._progress = progress
        self._screen = screen
        self._stopped = stopped
        self._has_time = _never
        self._duplicates = DuplicateTracker()
        self._unopened = deque(categories)
        self._most_open = (
            MOST_AWAITING_TARS if store.settings.source is ImageSource.ARCHIVE else MAX_OPEN_CATEGORIES
        )
        self._shares = {one.code: Share(progress, self._expected(one)) for one in categories}

    @property
    def all_done(self) -> bool:
        """Whether no book is open, and none waits to be opened."""
        return not self.open and not self._unopened

    def open_next(self) -> CategoryJob | None:
        """Open the next book; None if there is none, too many are open, or the run is to end."""
        while self._unopened and len(self.open) < self._most_open and not self._stopped():
            category = self._unopened.popleft()
            with self.isolate_errors(category):
                try:
                    return self._open(category, self._annotations(category))
                except _AbandonedError:
                    self._unopened.appendleft(category)
                    return None
        return None

    def close(self, supply: CategoryJob) -> None:
        """Close a book of which nothing is left, and publish its report."""
        category = supply.category
        if self.open.pop(category.folder, None) is None:
            return
        try:
            with self.isolate_errors(category):
                supply.close()
                self._tell(supply)
                summary = self.publisher.publish(category, self._while_there_is_time(supply.outcomes()))
                self._screen.category_done(summary)
            self._shares[category.code].end()
        except _AbandonedError:
            self.open[category.folder] = supply

    def _tell(self, supply: CategoryJob) -> None:
        """Tell what could not be had of a category; where URLs come first, that is normal life."""
        if supply.problem and self._store.settings.source is ImageSource.ARCHIVE:
            self.faults.append(f"{supply.category.folder}: {supply.problem}")
        elif supply.problem:
            self._screen.print(f"{supply.category.folder}: {supply.problem}")

    def close_all(self, has_time: Callable[[], bool]) -> None:
        """Note in all books what was not reached, as long as there is time, and close them."""
        self._has_time = has_time
        for supply in list(self.open.values()):
            self._leave_rest(supply)
        while self._unopened and has_time():
            self._open_and_leave(self._unopened.popleft())
        self.unreported.update(category.folder for category in self._unopened)
        deadline = time.monotonic() + TIME_TO_REPORT
        self._has_time = lambda: time.monotonic() < deadline
        for supply in list(self.open.values()):
            self.close(supply)
        self.unreported.update(self.open)
        if self.unreported:
            self._screen.print(f"{LATE} {listed(sorted(self.unreported), MOST_NAMED)}")

    def _open_and_leave(self, category: Category) -> None:
        with self.isolate_errors(category):
            try:
                # Reading archives would take too long; who wants only annotated images considered none yet.
                supply = self._open(category, {})
            except _AbandonedError:
                self.unreported.add(category.folder)
                return
            if not self._store.settings.with_annotation:
                self._leave_rest(supply)

    def _leave_rest(self, supply: CategoryJob) -> None:
        with self.isolate_errors(supply.category):
            if not supply.leave_rest(self._has_time):
                self.unreported.add(supply.category.folder)

    def take_placeholders_back(self, *, and_go_on: bool) -> None:
        """Take pictures back that stand for many URLs of their host; open books again that lack some now."""
        found = self._duplicates.placeholders()
        for category in self._categories if found else ():
            # What is left undone for want of time, the next run does.
            with self.isolate_errors(category), contextlib.suppress(_AbandonedError):
                if self._take_back(category, found) and and_go_on and self._may_have_more(category):
                    self._open(category, self._annotations(category), again=True)
        self._duplicates.discard(found)

    @contextlib.contextmanager
    def isolate_errors(self, category: Category) -> Iterator[None]:
        """Let a fault of one category's folder cost no other, and a full disk no report that can be had."""
        try:
            yield
        except FolderError as error:
            if (fault := f"{category.folder}: {error}") not in self.faults:  # each task under way finds it
                self.faults.append(fault)
            if supply := self.open.pop(category.folder, None):
                supply.let_go()
            self._shares[category.code].end()
        except DiskError as error:
            self.fatal = self.fatal or error

    def note(self, category: Category, outcome: Outcome) -> None:
        """Take into account what was written into a journal."""
        self._progress.count(outcome)
        if outcome.status.is_saved or not counts_saved(category, self._store.settings):
            self._shares[category.code].advance()
        if outcome.status.is_saved:
            self._duplicates.add(outcome)
        if outcome.disk_full and not self.fatal:
            self.fatal = DiskError(
                f"{outcome.row.image_code} could not be saved. {outcome.description} "
                "What is saved stays; make room, and run again to go on."
            )

    @property
    def barren(self) -> list[Category]:
        """The categories that wanted images and have none at all."""
        wanting = [one for one in self._categories if one.how_many != 0]
        return [category for category in wanting if not self.images_of(category)]

    @property
    def short(self) -> list[Category]:
        """The categories that have images, but fewer than were to be there."""
        counting = [one for one in self._categories if counts_saved(one, self._store.settings)]
        return [one for one in counting if 0 < self.images_of(one) < one.how_many]

    def images_of(self, category: Category) -> int:
        """Say how many images of the kind that was asked for a category has."""
        summary = self.publisher.summaries.get(category.code, Summary(category.folder))
        return summary.annotated if self._store.settings.with_annotation else summary.images

    def _open(
        self, category: Category, annotations: Mapping[str, Annotation], *, again: bool = False
    ) -> CategoryJob:
        supply = CategoryJob(
            category,
            self._store,
            self.note,
            annotations=annotations,
            again=again,
            checkpoint=self._checkpoint,
        )
        self.open[category.folder] = supply
        if not again:
            self._shares[category.code].advance_before(supply.settled_before())
            for outcome in supply.present():
                self._duplicates.add(outcome)
        return supply

    def _annotations(self, category: Category) -> Mapping[str, Annotation]:
        folder = self._store.settings.annotations_dir
        content = voc_xml.read_archive(folder, category.code)
        if content.problem and folder.is_dir():
            self._screen.print(f"{category.folder}: {content.problem}")
        return content.annotations

    def _take_back(self, category: Category, found: set[ContentKey]) -> bool:
        taken = self.publisher.retract(category, found, self._checkpoint)
        for outcome in taken:
            self._progress.retract(outcome)
        if taken:
            self._screen.print(f"{category.folder}: {len(taken)} {placeholders.RETRACTED_MESSAGE}")
        return bool(taken)

    def _may_have_more(self, category: Category) -> bool:
        """Whether there may be something in place of images that were taken back."""
        settings = self._store.settings
        return counts_saved(category, settings) or settings.source is ImageSource.BOTH

    def _expected(self, category: Category) -> int:
        limit, count = category.how_many, self._store.table.count(category.code)
        from_its_front = limit >= 0 and self._store.settings.source is ImageSource.ARCHIVE
        if from_its_front or counts_saved(category, self._store.settings):
            return limit
        return count if limit < 0 else min(limit, count)

    def _checkpoint(self) -> None:
        """Abandon what is being done if the run is to end, and there is no time for it."""
        if self._stopped() and not self._has_time():
            raise _AbandonedError

    def _while_there_is_time(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for number, outcome in enumerate(outcomes):
            if number % OUTCOMES_AT_ONCE == 0:
                self._checkpoint()
            yield outcome
