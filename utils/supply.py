"""One category's share of a run: what is there, what is still wanted, and which URL is its next.

`how_many` is kept here, in both its meanings: URLs tried (each of the first N rows is considered once), or
images saved (`fill`: further URLs are tried until N are there). For the second, a few more than are
missing are tried side by side, and each asks before it is saved, so that exactly N are there in the end.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import boxes, inventory, pairing
from .candidates import Candidate, candidates
from .errors import disk_error
from .inventory import Shelf
from .journal import Journal
from .journey import Settled
from .models import Annotation, Category, ImageTask, Lasting, Outcome, Reason, Settings, Status
from .storage import CategoryFolder
from .url_table import UrlTable
from .worker import deciding_flag

HEDGE = 2
"""URLs tried at once for each image that is missing, and as many more: half of the URLs are dead."""
NOT_REACHED = "The run ended before it was reached."


@dataclass(frozen=True)
class Store:
    """What all categories of a run share.

    Attributes
    ----------
    folder
        The result folder.
    labels
        The folder name of every wnid, which is its label in an XML, too.
    numbers
        Where tasks get their numbers from.
    """

    settings: Settings
    folder: Path
    table: UrlTable
    labels: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def category(self, category: Category) -> CategoryFolder:
        """Say where a category's images go."""
        return CategoryFolder(self.folder / category.folder)


Note = Callable[[Category, Outcome], None]
"""Told every outcome that is written down, with the category it belongs to."""


class Supply:
    """The open books of one category.

    Parameters
    ----------
    annotations
        What the category's archive holds, by image code.
    again
        Whether the books were open before in this run: then only URLs that nobody looked at are tried.
    """

    def __init__(
        self,
        category: Category,
        store: Store,
        note: Note,
        *,
        annotations: Mapping[str, Annotation],
        again: bool = False,
    ) -> None:
        self.category = category
        self._store = store
        self._note = note
        self._settings = store.settings
        self._again = again
        folder = store.category(category)
        folder.make()
        self._shelf = Shelf(folder, Journal(folder.journal), self._settings.min_side)
        if not again:
            self._shelf.journal.begin_run()
        self._known = self._take_stock()
        self._annotations = annotations
        self._pair_what_stands()
        self.standing = sum(self._counts(outcome) for outcome in self._known.values())
        self._candidates = candidates(
            category, store.table, self._annotations, only_annotated=self._settings.with_annotation
        )
        self._limit = how_many(category, self._settings)
        self._considered = 0
        self._exhausted = False
        self._active: dict[int, ImageTask] = {}
        self._granted: set[int] = set()
        self._asking: deque[int] = deque()

    @property
    def finished(self) -> bool:
        """Whether nothing is under way and nothing more is wanted or to be had."""
        return not self._active and (self._exhausted or not self._wants_more())

    @property
    def filled(self) -> bool:
        """Whether as many images as were wanted are there."""
        return self._by_saved and self.standing >= self._limit

    @property
    def _by_saved(self) -> bool:
        return counts_saved(self.category, self._settings)

    def present(self) -> list[Outcome]:
        """Give the images that stood when the books were opened."""
        return [outcome for outcome in self._known.values() if outcome.status.stands]

    def settled_before(self) -> int:
        """Count what earlier runs have settled: images that stand and, where URLs count, dead ones."""
        return sum(
            outcome.status.stands or (not self._by_saved and self._stays(outcome))
            for outcome in self._known.values()
        )

    def take(self) -> ImageTask | None:
        """Give the next task; None if there is none at present."""
        while self._wants_more():
            candidate = next(self._candidates, None)
            if candidate is None:
                self._exhausted = True
                return None
            self._considered += 1
            if self._is_to_be_tried(candidate):
                return self._task(candidate)
        return None

    def settle(self, number: int, outcome: Outcome) -> None:
        """Note the end of a task."""
        self._active.pop(number, None)
        self._granted.discard(number)
        self._write(outcome)

    def ask(self, number: int) -> None:
        """Take note of a good image that waits to be wanted."""
        self._asking.append(number)

    def recover(self, number: int) -> Outcome | None:
        """Take note that the worker of a task died; gives the outcome if it had saved the image before."""
        if number in self._asking:
            self._asking.remove(number)
        found = inventory.find(self._shelf, self._active[number].row)
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

    def skip(self, settled: Settled) -> None:
        """Note that a task was started, and then not needed."""
        self._write(settled.outcome)

    def interrupt(self, settled: Settled) -> None:
        """Note that a task was under way when the run ended; its image may lie on disk all the same."""
        self._active.pop(settled.task.number, None)
        found = inventory.find(self._shelf, settled.task.row)
        self._write(self._paired(found) if found else settled.outcome)

    def leave_rest(self, has_time: Callable[[], bool]) -> None:
        """Note the URLs that were to be tried, but not reached, as long as there is time for it."""
        if self._by_saved:
            return  # nobody can say which of them would have been considered
        while has_time():
            task = self.take()
            if task is None:
                return
            outcome = Outcome(task.row, Status.NOT_ATTEMPTED, Reason.INTERRUPTED, NOT_REACHED)
            self.settle(task.number, outcome)

    def close(self) -> None:
        """Close the books; what they say is in the journal."""
        self._shelf.folder.remove_partials()  # of workers that were killed while they saved
        self._known, self._annotations, self._candidates = {}, {}, iter(())

    def _wants_more(self) -> bool:
        if not self._by_saved:
            return self._limit < 0 or self._considered < self._limit
        missing = self._limit - self.standing
        return missing > 0 and len(self._active) < HEDGE * (missing + 1)

    def _is_to_be_tried(self, candidate: Candidate) -> bool:
        known = self._known.get(candidate.row.key)
        if known is not None and (self._stays(known) or (self._again and known.status is Status.FAILED)):
            return False
        if candidate.refusal is None:
            return True
        refusal = candidate.refusal
        outcome = Outcome(candidate.row, Status.FAILED, refusal.reason, refusal.sentence)
        if known is None or known.reason is not refusal.reason:
            self._write(outcome)
        return False

    def _stays(self, known: Outcome) -> bool:
        """Whether what an earlier run found holds without trying again."""
        if known.status.stands:
            return True
        if known.status is not Status.FAILED or known.reason is None or self._settings.retry_failed:
            return False
        if known.lasting is Lasting.BY_FLAG:
            return known.judged_with == self._flag_now(known.reason)
        return known.lasting is Lasting.FOR_GOOD

    def _flag_now(self, reason: Reason) -> str:
        settings = self._settings
        in_force = {
            Reason.OPTED_OUT: settings.honour_opt_out,
            Reason.ANNOTATION_MISMATCH: settings.with_annotation,
        }
        return deciding_flag(reason, min_side=settings.min_side) if in_force.get(reason, True) else ""

    def _task(self, candidate: Candidate) -> ImageTask:
        annotation = candidate.annotation
        task = ImageTask(
            number=next(self._store.numbers),
            folder=self.category.folder,
            row=candidate.row,
            annotation=boxes.relabel(annotation, self._store.labels) if annotation else None,
            ask_before_saving=self._by_saved,
        )
        self._active[task.number] = task
        return task

    def _write(self, outcome: Outcome) -> None:
        self._shelf.journal.append(outcome)
        self.standing += self._counts(outcome)
        self._note(self.category, outcome)

    def _counts(self, outcome: Outcome) -> bool:
        return outcome.status.stands and not (self._settings.with_annotation and outcome.boxes is None)

    def _take_stock(self) -> dict[str, Outcome]:
        try:
            return inventory.take_stock(self._shelf, self._store.table.rows_of)
        except OSError as error:
            raise disk_error(self._shelf.folder.path, error) from error

    def _pair_what_stands(self) -> None:
        """Give images their XML that stand without: the archive came later, or a crash came before."""
        for key, outcome in self._known.items():
            paired = self._paired(outcome)
            if paired is not outcome:
                self._known[key] = self._shelf.write(paired)

    def _paired(self, outcome: Outcome) -> Outcome:
        """Write the XML of an image that stands without, if it has an annotation that fits."""
        annotation = self._annotations.get(outcome.row.image_code)
        if not outcome.status.stands or annotation is None or outcome.picture is None:
            return outcome
        folder = self._shelf.folder
        if outcome.boxes is not None and folder.annotation(outcome.row.image_code).exists():
            return outcome
        fitted = boxes.fit(boxes.relabel(annotation, self._store.labels), outcome.picture)
        if fitted.annotation is None:
            return outcome
        try:
            count = pairing.pair(folder, folder.path / outcome.file, outcome.picture, fitted.annotation)
        except OSError as error:
            raise disk_error(folder.annotations, error) from error
        return replace(outcome, boxes=count, fitted=fitted.counts)


def counts_saved(category: Category, settings: Settings) -> bool:
    """Whether a category's `how_many` counts images saved; else it counts URLs tried."""
    return settings.fill and how_many(category, settings) >= 0


def how_many(category: Category, settings: Settings) -> int:
    """Say how many URLs or images of a category are wanted; -1 for all."""
    return category.how_many if settings.how_many is None else settings.how_many
