"""The categories of a run: opens jobs, closes them with a report, and reopens some.

A category whose folder cannot be used does not affect others; a full disk ends the run.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..errors import MAKE_ROOM, DatasetError, DiskError, FolderError
from ..images import placeholders
from ..images.placeholders import ContentKey, DuplicateTracker
from ..models.images import Annotation
from ..models.rows import Category
from ..models.tasks import Outcome
from ..reasons import Reason
from ..results.progress import CategoryProgress, Progress
from ..results.reconcile import ChangeReporter
from ..results.report import ReportWriter
from ..results.staging import NOT_WRITTEN
from ..results.statistics import MOST_CATEGORIES, Summary
from ..text import join_names, pluralize
from .category_job import CategoryJob
from .context import RunContext

REPORTING_TIME = 0.7
"""Seconds that an interrupted run takes for its reports; the journals are complete without them."""
CHECK_INTERVAL = 256
"""Rows of a report between two checkpoints."""
LATE_REPORTS = "There was no time for these reports; the next run completes them:"
MAX_NAMED = 5


class _AbandonedError(Exception):
    """A step was abandoned because the run was interrupted."""


class Screen(Protocol):
    """Shows a run to the user."""

    def print(self, text: str) -> None:
        """Show a line."""

    def category_done(self, summary: Summary) -> None:
        """Show the result of a category."""

    def update(self, progress: Progress) -> None:
        """Show the progress."""


class CategoryManager:
    """The categories of a run.

    Parameters
    ----------
    stopped
        Whether the run was interrupted; called repeatedly. Long steps are then abandoned.

    Attributes
    ----------
    open
        The open jobs, by folder name.
    reports
        Writes reports, and keeps the statistics of closed categories.
    fatal
        The error that ends the run, if any.
    faults
        Errors of single categories, in sentences.
    unwritten
        The number of images that could not be written, by error, then by category.
    without_boxes
        Categories for which there is no archive of boxes; they are reported one by one if they are few.
    unreported
        Categories without an up-to-date report, because an interrupted run had no time.
    """

    def __init__(
        self,
        categories: Sequence[Category],
        context: RunContext,
        *,
        progress: Progress,
        screen: Screen,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.open: dict[str, CategoryJob] = {}
        self.reports = ReportWriter(context.folder_of, context.exclusions)
        self.fatal: DatasetError | None = None
        self.faults: list[str] = []
        self.unreported: set[str] = set()
        self.without_boxes: list[str] = []
        self.unwritten: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._categories = categories
        self._context = context
        self._progress = progress
        self._screen = screen
        self._stopped = stopped
        self._has_time: Callable[[], bool] = lambda: False
        self._recorded: Counter[str] = Counter()  # outcomes of this run, by category code
        self._duplicates = DuplicateTracker()
        self._changes = ChangeReporter(screen.print)
        self._unopened = deque(categories)
        self._progress_of = {one.code: CategoryProgress(progress, self._expected(one)) for one in categories}

    @property
    def all_done(self) -> bool:
        """Whether no job is open and none is left to open."""
        return not self.open and not self._unopened

    @property
    def is_ordered(self) -> bool:
        """Whether a category yields candidates only after those of others."""
        return any(source.is_ordered for source in self._context.sources)

    def open_next(self) -> CategoryJob | None:
        """Open the next job; None if there is none, too many are open, or the run was interrupted."""
        max_open = self._context.sources[0].max_open
        while self._unopened and len(self.open) < max_open and not self._stopped():
            category = self._unopened.popleft()
            with self.isolate_errors(category):
                try:
                    return self._open(category, self._read_annotations(category))
                except _AbandonedError:
                    self._unopened.appendleft(category)
                    return None
        return None

    def close(self, job: CategoryJob) -> None:
        """Close a job that is finished, and write its report."""
        category = job.category
        if self.open.pop(category.folder, None) is None:
            return
        try:
            with self.isolate_errors(category):
                job.close()
                if job.problem:
                    self._report_problem(f"{category.folder}: {job.problem}")
                summary = self.reports.write(category, self._with_checkpoints(job.outcomes()))
                if self._recorded[category.code]:
                    self._screen.category_done(summary)
            self._progress_of[category.code].end()
        except _AbandonedError:
            self.open[category.folder] = job

    def close_all(self, has_time: Callable[[], bool]) -> None:
        """Record the URLs that were not reached, as long as there is time, and close all jobs."""
        self._has_time = has_time
        for job in list(self.open.values()):
            self._record_unreached(job)
        while self._unopened and has_time():
            category = self._unopened.popleft()
            with self.isolate_errors(category):
                try:
                    # Reading archives of boxes would take too long; if only annotated images are wanted,
                    # none of the category was considered.
                    job = self._open(category, {})
                except _AbandonedError:
                    self.unreported.add(category.folder)
                    continue
                if not self._context.settings.with_annotation:
                    self._record_unreached(job)
        self.unreported.update(category.folder for category in self._unopened)
        deadline = time.monotonic() + REPORTING_TIME
        self._has_time = lambda: time.monotonic() < deadline
        for job in list(self.open.values()):
            self.close(job)
        self.unreported.update(self.open)
        self._changes.finish()
        if self.unreported:
            self._screen.print(f"{LATE_REPORTS} {join_names(sorted(self.unreported), MAX_NAMED)}")

    def remove_placeholders(self, *, reopen: bool) -> None:
        """Remove pictures that a host sent for many URLs; with `reopen`, replace them by other images."""
        found = self._duplicates.placeholders()
        for category in self._categories if found else ():
            # If there is no time, the next run removes them.
            with self.isolate_errors(category), contextlib.suppress(_AbandonedError):
                if self._retract(category, found) and reopen and self._may_have_more(category):
                    self._open(category, self._read_annotations(category), again=True)
        self._duplicates.discard(found)

    @contextlib.contextmanager
    def isolate_errors(self, category: Category) -> Iterator[None]:
        """Record errors: one of a category's folder ends only that category, a full disk ends the run."""
        try:
            yield
        except FolderError as error:
            if (fault := f"{category.folder}: {error}") not in self.faults:  # every task of it raises
                self.faults.append(fault)
            if job := self.open.pop(category.folder, None):
                job.abort()
            self._progress_of[category.code].end()
        except DiskError as error:
            self.fatal = self.fatal or error

    @property
    def has_new(self) -> bool:
        """Whether anything was recorded in this run."""
        return bool(self._recorded)

    @property
    def without_images(self) -> list[Category]:
        """The categories without images, except those with `how_many` 0."""
        return [one for one in self._categories if one.how_many != 0 and not self.images_of(one)]

    @property
    def incomplete(self) -> list[Category]:
        """The categories that have images, but fewer than `how_many`, if images saved are counted."""
        counting = [one for one in self._categories if self._context.counts_saved(one)]
        return [one for one in counting if 0 < self.images_of(one) < one.how_many]

    def images_of(self, category: Category) -> int:
        """Count the images of a category; with `--with_annotation`, only those with boxes."""
        summary = self.reports.summaries.get(category.code, Summary(category.folder))
        return summary.annotated if self._context.settings.with_annotation else summary.images

    def unwritten_sentences(self) -> list[str]:
        """Return a sentence for each error of `unwritten`."""
        return [
            f"{pluralize(folders.total(), 'image')} of {join_names(sorted(folders), MAX_NAMED)} "
            f"could not be written: {why}"
            for why, folders in self.unwritten.items()
        ]

    def _record(self, category: Category, outcome: Outcome) -> None:
        """Count an outcome that was written to a journal."""
        self._recorded[category.code] += 1
        self._progress.count(outcome)
        if outcome.status.is_saved or not self._context.counts_saved(category):
            self._progress_of[category.code].advance()
        if outcome.status.is_saved:
            self._duplicates.add(outcome)
        if outcome.reason is Reason.DISK_ERROR:
            self.unwritten[outcome.description.removeprefix(NOT_WRITTEN)][category.folder] += 1
        if outcome.disk_full and (self.fatal is None or isinstance(self.fatal, DiskError)):
            self.fatal = DiskError(" ".join([*self.unwritten_sentences(), MAKE_ROOM]))

    def _open(
        self, category: Category, annotations: Mapping[str, Annotation], *, again: bool = False
    ) -> CategoryJob:
        job = CategoryJob(
            category,
            self._context,
            self._record,
            annotations=annotations,
            again=again,
            on_notice=self._screen.print,
            checkpoint=self._checkpoint,
            on_change=self._changes.report,
        )
        self.open[category.folder] = job
        if not again:
            self._progress_of[category.code].advance_before(job.done_before())
            self._progress.present += len(job.saved_before())
            for outcome in job.saved_before():
                self._duplicates.add(outcome)
                self._context.delivering_hosts.add(outcome.final_host)
        return job

    def _read_annotations(self, category: Category) -> Mapping[str, Annotation]:
        content = self._context.read_annotations(category)
        if content.problem:
            if content.is_missing and len(self._categories) > MOST_CATEGORIES:
                self.without_boxes.append(category.folder)
            else:
                self._screen.print(f"{category.folder}: {content.problem}")
        return content.annotations

    def _record_unreached(self, job: CategoryJob) -> None:
        with self.isolate_errors(job.category):
            if not job.record_unreached(self._has_time):
                self.unreported.add(job.category.folder)

    def _report_problem(self, problem: str) -> None:
        """Report the failure of a source; it is an error only if there is no other source."""
        if len(self._context.sources) == 1:
            self.faults.append(problem)
        else:
            self._screen.print(problem)

    def _retract(self, category: Category, found: set[ContentKey]) -> bool:
        retracted = self.reports.retract(category, found, self._checkpoint)
        for outcome in retracted:
            self._progress.retract(outcome)
        if retracted:
            self._recorded[category.code] += len(retracted)
            self._screen.print(f"{category.folder}: {len(retracted)} {placeholders.RETRACTED_MESSAGE}")
        return bool(retracted)

    def _may_have_more(self, category: Category) -> bool:
        """Whether other candidates may replace images that were removed."""
        return self._context.counts_saved(category) or len(self._context.sources) > 1

    def _expected(self, category: Category) -> int:
        if only := self._context.listed.codes(category.code):
            return len(only)
        if self._context.counts_saved(category):
            return category.how_many
        return self._context.sources[0].expected(category)

    def _checkpoint(self) -> None:
        """Abandon the current step if the run was interrupted and there is no time left."""
        if self._stopped() and not self._has_time():
            raise _AbandonedError

    def _with_checkpoints(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for number, outcome in enumerate(outcomes):
            if number % CHECK_INTERVAL == 0:
                self._checkpoint()
            yield outcome
