"""The books of all categories of a run: opened one after another, closed with a report, some opened again.

A category whose folder cannot be worked with costs the others nothing; a full disk costs all of them.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import placeholders, voc
from .errors import DatasetError, DiskError, FolderError
from .models import Annotation, Category, Outcome
from .placeholders import Sighting, Watch
from .progress import Progress, Share
from .publishing import Publisher
from .summary import Summary
from .supply import Store, Supply, counts_saved, how_many

MOST_OPEN = 256
"""Books open at once; each holds its category's annotations in memory."""


class Screen:
    """What a run tells while it works; this one keeps it to itself."""

    def say(self, text: str) -> None:
        """Show a line."""

    def category_done(self, summary: Summary) -> None:
        """Show how a category ended."""

    def update(self, progress: Progress) -> None:
        """Show how far the run is."""


class Books:
    """The books of a run.

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
    """

    def __init__(
        self, categories: Sequence[Category], store: Store, *, progress: Progress, screen: Screen
    ) -> None:
        self.open: dict[str, Supply] = {}
        self.publisher = Publisher(store.category)
        self.fatal: DatasetError | None = None
        self.faults: list[str] = []
        self._categories = categories
        self._store = store
        self._progress = progress
        self._screen = screen
        self._watch = Watch()
        self._unopened = deque(categories)
        self._shares = {one.code: Share(progress, self._expected(one)) for one in categories}

    @property
    def all_done(self) -> bool:
        """Whether no book is open, and none waits to be opened."""
        return not self.open and not self._unopened

    def open_next(self) -> Supply | None:
        """Open the next book; None if there is none, or too many are open."""
        while self._unopened and len(self.open) < MOST_OPEN:
            category = self._unopened.popleft()
            with self.costing_only(category):
                return self._open(category, self._annotations(category))
        return None

    def close(self, supply: Supply) -> None:
        """Close a book of which nothing is left, and publish its report."""
        category = supply.category
        if self.open.pop(category.folder, None) is not None:
            supply.close()
            self._shares[category.code].end()
            with self.costing_only(category):
                self._screen.category_done(self.publisher.publish(category))

    def close_all(self, has_time: Callable[[], bool]) -> None:
        """Note in all books what was not reached, as long as there is time, and close them."""
        while self._unopened and has_time():
            category = self._unopened.popleft()
            with self.costing_only(category):
                # Reading archives would take too long; who wants only annotated images considered none yet.
                supply = self._open(category, {})
                if not self._store.settings.with_annotation:
                    supply.leave_rest(has_time)
        for supply in list(self.open.values()):
            with self.costing_only(supply.category):
                supply.leave_rest(has_time)
            self.close(supply)

    def take_placeholders_back(self, *, and_go_on: bool) -> None:
        """Take pictures back that stand for many URLs of their host; open books again that lack some now."""
        found = self._watch.placeholders()
        for category in self._categories if found else ():
            with self.costing_only(category):
                lacking = self._take_back(category, found) and counts_saved(category, self._store.settings)
                if lacking and and_go_on:
                    self._open(category, self._annotations(category), again=True)
        self._watch.forget(found)

    @contextlib.contextmanager
    def costing_only(self, category: Category) -> Iterator[None]:
        """Let a fault of one category's folder cost no other, and a full disk no report that can be had."""
        try:
            yield
        except FolderError as error:
            self.faults.append(f"{category.folder}: {error}")
            self.open.pop(category.folder, None)
            self._shares[category.code].end()
        except DiskError as error:
            self.fatal = self.fatal or error

    def note(self, category: Category, outcome: Outcome) -> None:
        """Take into account what was written into a journal."""
        self._progress.count(outcome)
        if outcome.status.stands or not counts_saved(category, self._store.settings):
            self._shares[category.code].advance()
        if outcome.status.stands:
            self._watch.note(outcome)
        if outcome.disk_full and not self.fatal:
            self.fatal = DiskError(
                f"{outcome.row.image_code} could not be saved. {outcome.description} "
                "What is saved stays; make room, and run again to go on."
            )

    @property
    def barren(self) -> list[Category]:
        """The categories that wanted images and have none at all."""
        wanting = [one for one in self._categories if how_many(one, self._store.settings) != 0]
        return [category for category in wanting if not self.images_of(category)]

    @property
    def short(self) -> list[Category]:
        """The categories that have images, but fewer than were to be there."""
        counting = [one for one in self._categories if counts_saved(one, self._store.settings)]
        return [one for one in counting if 0 < self.images_of(one) < how_many(one, self._store.settings)]

    def images_of(self, category: Category) -> int:
        """Say how many images of the kind that was asked for a category has."""
        summary = self.publisher.summaries.get(category.code, Summary(category.folder))
        return summary.annotated if self._store.settings.with_annotation else summary.standing

    def _open(
        self, category: Category, annotations: Mapping[str, Annotation], *, again: bool = False
    ) -> Supply:
        supply = Supply(category, self._store, self.note, annotations=annotations, again=again)
        self.open[category.folder] = supply
        if not again:
            self._shares[category.code].advance_before(supply.settled_before())
            for outcome in supply.present():
                self._watch.note(outcome)
        return supply

    def _annotations(self, category: Category) -> Mapping[str, Annotation]:
        folder = self._store.settings.annotations_dir
        content = voc.read(folder, category.code)
        if content.problem and folder.is_dir():
            self._screen.say(f"{category.folder}: {content.problem}")
        return content.annotations

    def _take_back(self, category: Category, found: set[Sighting]) -> bool:
        taken = self.publisher.take_back(category, found)
        if taken:
            self._screen.say(f"{category.folder}: {taken} {placeholders.TAKEN_BACK_MANY}")
        return taken > 0

    def _expected(self, category: Category) -> int:
        limit, count = how_many(category, self._store.settings), self._store.table.count(category.code)
        if counts_saved(category, self._store.settings):
            return limit
        return count if limit < 0 else min(limit, count)
