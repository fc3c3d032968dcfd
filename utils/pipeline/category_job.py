"""One category's share of a run: what is there, what is still wanted, and which URL is its next.

`how_many` is kept here, in both its meanings: URLs tried (each of the first N rows is considered once), or
images saved (`fill`: further URLs are tried until N are there). For the second, a few more than are
missing are tried side by side, and each asks before it is saved, so that exactly N are there in the end.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotations import geometry
from ..errors import wrap_os_errors
from ..models.enums import Status
from ..models.images import Annotation
from ..models.rows import Candidate, Category
from ..models.tasks import ImageTask, Outcome
from ..reasons import Reason
from ..results import annotation_writer, reconcile
from ..results.journal import Journal, pass_by
from ..results.reconcile import CategoryStore
from ..scheduler.scheduled_task import TaskResult
from ..sources.source_chain import Known, SourceChain
from .context import RunContext, counts_saved
from .known_outcomes import holds, needless, was_cut_short

HEDGE = 2
"""URLs tried at once for each image that is missing, and as many more: half of the URLs are dead."""
NOTED_AT_ONCE = 250
NOT_REACHED = "The run ended before it was reached."

Note = Callable[[Category, Outcome], None]
"""Told every outcome that is written down, with the category it belongs to."""


class CategoryJob:
    """The open books of one category.

    Parameters
    ----------
    annotations
        What the category's archive holds, by image code.
    again
        Whether the books were open before in this run: then only URLs that nobody looked at are tried.
    checkpoint
        Called again and again while the books are opened; what it raises ends that.
    """

    def __init__(
        self,
        category: Category,
        store: RunContext,
        note: Note,
        *,
        annotations: Mapping[str, Annotation],
        again: bool = False,
        checkpoint: Callable[[], None] = pass_by,
    ) -> None:
        self.category = category
        self._store = store
        self._note = note
        self._settings = store.settings
        self._again = again
        folder = store.category(category)
        folder.make()
        journal = Journal(folder.journal)
        self._shelf = CategoryStore(folder, journal, checkpoint=checkpoint)
        if not again:
            journal.begin_run()
        self._known = self._take_stock()
        self._annotations = annotations
        self._pair_what_stands()
        self._standing_codes = {outcome.row.image_code for outcome in self.present()}
        self.standing = sum(self._counts(outcome) for outcome in self._known.values())
        self._limit = category.how_many
        self._active: dict[int, ImageTask] = {}
        known = Known(annotations, journal.standing, self._standing_codes)
        self._offering = SourceChain(category, store, known, is_idle=lambda: not self._active)
        self._interrupted = False
        self._granted: set[int] = set()
        self._asking: deque[int] = deque()
        self._cut_short: list[TaskResult] = []

    @property
    def folder(self) -> Path:
        """Where its images and reports lie."""
        return self._shelf.folder.path

    @property
    def finished(self) -> bool:
        """Whether nothing is under way and nothing more is wanted or to be had."""
        return not self._active and (self._offering.exhausted or not self._wants_more())

    @property
    def problem(self) -> str:
        """Why not everything could be had that there is, in a sentence; empty if it could."""
        return self._offering.problem

    @property
    def filled(self) -> bool:
        """Whether as many images as were wanted are there."""
        return self._by_saved and self.standing >= self._limit

    @property
    def _by_saved(self) -> bool:
        return counts_saved(self.category, self._settings)

    def present(self) -> list[Outcome]:
        """Give the images that stood when the books were opened."""
        return [outcome for outcome in self._known.values() if outcome.status.is_saved]

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what is known of every URL, as the journal has it."""
        return self._shelf.journal.standing()

    def settled_before(self) -> int:
        """Count what earlier runs have settled: images that stand and, where URLs count, dead ones."""
        return sum(
            outcome.status.is_saved or (not self._by_saved and holds(outcome, self._settings))
            for outcome in self._known.values()
        )

    def take(self) -> ImageTask | None:
        """Give the next task; None if there is none at present."""
        candidate = self._next_to_be_tried()
        return self._task(candidate) if candidate else None

    def settle(self, settled: Sequence[TaskResult]) -> None:
        """Note the ends of tasks."""
        for one in settled:
            self._active.pop(one.task.number, None)
            self._granted.discard(one.task.number)
        self._write_all([one.outcome for one in settled])

    def ask(self, number: int) -> None:
        """Take note of a good image that waits to be wanted."""
        self._asking.append(number)

    def recover(self, number: int) -> Outcome | None:
        """Take note that the worker of a task died; gives the outcome if it had saved the image before."""
        if number in self._asking:
            self._asking.remove(number)
        found = reconcile.find(self._shelf, self._active[number].row)
        if found is None:
            self._granted.discard(number)
            return None
        return replace(self._paired(found), attempts=1)

    def grant(self) -> Iterator[int]:
        """Yield the images that may be saved, of those that wait."""
        while self._asking and self.standing + len(self._granted) < self._limit:
            number = self._asking.popleft()
            if number in self._active:
                self._granted.add(number)
                yield number

    def surplus(self) -> list[int]:
        """Give the tasks that are not needed any more; they are forgotten here."""
        if not self.filled or not self._active:
            return []
        numbers = list(self._active)
        self._active.clear()
        self._asking.clear()
        return numbers

    def skip(self, settled: TaskResult) -> None:
        """Note that a task was started, and then not needed."""
        self._write_all([settled.outcome])

    def interrupt(self, settled: TaskResult) -> None:
        """Take in that a task was under way when the run ended; `leave_rest` notes all of them at once."""
        self._active.pop(settled.task.number, None)
        self._cut_short.append(settled)

    def leave_rest(self, has_time: Callable[[], bool]) -> bool:
        """Note the URLs that were under way and, as long as there is time, those that were not reached.

        Returns whether there was time for all of them.
        """
        self._interrupted = True
        self._write_all(self._ends_cut_short())
        if not self._offering.end_early() or self._by_saved:
            return True  # nobody can say which of the others would have been considered
        rest = iter(self._next_to_be_tried, None)
        while not self._offering.exhausted and self._wants_more():
            if not has_time():
                return False
            some = itertools.islice(rest, NOTED_AT_ONCE)
            self._write_all([_not_reached(one) for one in some if not self._is_noted(one)])
        return True

    def close(self) -> None:
        """Close the books; what they say is in the journal."""
        if self.filled and not self._interrupted and any(map(was_cut_short, self._known.values())):
            self._write_all([needless(one) for one in self.outcomes() if was_cut_short(one)])
        self._shelf.folder.remove_partials()  # of workers that were killed while they saved
        self._offering.close(finished=not self._interrupted)
        self._known, self._annotations = {}, {}

    def let_go(self) -> None:
        """Give it up, for its folder cannot be worked with."""
        self._offering.close(finished=False)

    def _ends_cut_short(self) -> list[Outcome]:
        """Say how tasks ended that were under way; the image of one may lie on disk all the same."""
        if not self._cut_short:
            return []
        cut_short, self._cut_short = self._cut_short, []
        with wrap_os_errors(self.folder):
            on_disk = {path.stem for path in reconcile.image_files(self._shelf.folder)}
        ends = []
        for settled in cut_short:
            row = settled.task.row
            found = reconcile.find(self._shelf, row) if row.image_code in on_disk else None
            ends.append(self._paired(found) if found else settled.outcome)
        return ends

    def _wants_more(self) -> bool:
        if not self._by_saved:
            return not self._offering.exhausted
        missing = self._limit - self.standing
        return missing > 0 and len(self._active) < HEDGE * (missing + 1)

    def _next_to_be_tried(self) -> Candidate | None:
        while self._wants_more():
            candidate = self._offering.next()
            if candidate is None:
                return None
            if self._is_to_be_tried(candidate):
                return candidate
        return None

    def _is_noted(self, candidate: Candidate) -> bool:
        known = self._known.get(candidate.row.key)
        return known is not None and known.status is Status.NOT_ATTEMPTED

    def _is_to_be_tried(self, candidate: Candidate) -> bool:
        if candidate.row.image_code in self._standing_codes and (candidate.piece or not candidate.rejection):
            return False  # whichever source its image came from
        known = self._known.get(candidate.row.key)
        if known is not None and (
            holds(known, self._settings) or (self._again and known.status is Status.FAILED)
        ):
            return False
        rejection = candidate.rejection
        if rejection is None:
            return True
        if known is None or known.reason is not rejection.reason:
            self._write_all([Outcome(candidate.row, Status.FAILED, rejection.reason, rejection.sentence)])
        return False

    def _task(self, candidate: Candidate) -> ImageTask:
        annotation = candidate.annotation
        task = ImageTask(
            number=next(self._store.numbers),
            folder=self.category.folder,
            row=candidate.row,
            annotation=geometry.relabel(annotation, self._store.labels) if annotation else None,
            piece=candidate.piece,
            ask_before_saving=self._by_saved,
        )
        self._active[task.number] = task
        return task

    def _write_all(self, outcomes: Sequence[Outcome]) -> None:
        self._shelf.journal.append_all(outcomes)
        for outcome in outcomes:
            self.standing += self._counts(outcome)
            if outcome.status.is_saved:
                self._standing_codes.add(outcome.row.image_code)
            self._note(self.category, outcome)

    def _counts(self, outcome: Outcome) -> bool:
        return outcome.status.is_saved and not (self._settings.with_annotation and outcome.boxes is None)

    def _take_stock(self) -> dict[str, Outcome]:
        with wrap_os_errors(self.folder):
            return reconcile.reconcile(self._shelf, lambda codes: self._store.rows_of(self.category, codes))

    def _pair_what_stands(self) -> None:
        """Give images their XML that stand without: the archive came later, or a crash came before."""
        for key, outcome in self._known.items():
            self._shelf.checkpoint()
            paired = self._paired(outcome)
            if paired is not outcome:
                self._known[key] = self._shelf.write(paired)

    def _paired(self, outcome: Outcome) -> Outcome:
        annotation = self._annotations.get(outcome.row.image_code)
        return annotation_writer.paired(self._shelf.folder, outcome, annotation, self._store.labels)


def _not_reached(candidate: Candidate) -> Outcome:
    return Outcome(candidate.row, Status.NOT_ATTEMPTED, Reason.INTERRUPTED, NOT_REACHED)
