"""A whole run, in the order in which it happens.

Categories open one after another as the schedule has room, their tasks go to the workers, what comes back
goes into the journals, and a category's report is written when nothing of it is left. The last word have
the placeholders: pictures that turned out to be the same all over a host are taken back, and the run goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import alternates, placeholders, voc
from .errors import DatasetError, DiskError, ProxyError
from .journey import Settled
from .messages import Answer, Ended, Lost, Ready
from .models import Annotation, Category, ImageTask, Outcome, Reason
from .placeholders import Watch
from .pool import Crew
from .progress import Progress, Share
from .publishing import Publisher
from .schedule import Schedule
from .summary import Summary
from .supply import Store, Supply, how_many
from .tempo import Tempo

WINDOW = 8_192
"""Tasks known to the schedule at once: many, so that a slow host does not hide the others behind it."""
TASKS_A_TURN = 512
LONGEST_WAIT = 0.2
"""Seconds until the loop looks up, for signals and the screen."""
TIME_TO_LEAVE = 0.6
"""Seconds that an interrupted run takes for noting what it did not reach."""


class Screen:
    """What a run tells while it works; this one keeps it to itself."""

    def say(self, text: str) -> None:
        """Show a line."""

    def category_done(self, summary: Summary) -> None:
        """Show how a category ended."""

    def update(self, progress: Progress) -> None:
        """Show how far the run is."""


@dataclass
class Run:
    """One run over the selected categories.

    Parameters
    ----------
    stopped
        Asked all the time whether the run is to end early.
    """

    categories: Sequence[Category]
    store: Store
    crew: Crew
    schedule: Schedule
    tempo: Tempo
    screen: Screen
    stopped: Callable[[], bool]
    progress: Progress = field(default_factory=Progress)
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.store.category)
        self._unopened = deque(self.categories)
        self._open: dict[str, Supply] = {}
        self._owners: dict[int, Supply] = {}
        self._shares = {
            category.code: Share(self.progress, self._expected(category)) for category in self.categories
        }
        self._fatal: DatasetError | None = None

    def work(self) -> None:
        """Do everything, or as much as there is time for; reports are complete either way.

        Raises
        ------
        DatasetError
            If something stops the run; what was done until then is reported.
        """
        try:
            while not self._is_to_end():
                self._refill()
                self._start()
                self.publisher.prepare()
                if self.schedule.in_flight or self.schedule.waiting:
                    self._hear(self.crew.exchange(self._patience()))
                elif not self._open and not self._unopened and not self._take_placeholders_back():
                    break
                self.schedule.batch_size = self.tempo.batch_size()
                self.progress.in_flight = self.schedule.in_flight
                self.screen.update(self.progress)
        except DatasetError as error:
            self._fatal = self._fatal or error
        finally:
            self._finish()
        if self._fatal:
            raise self._fatal

    def note(self, category: Category, outcome: Outcome) -> None:
        """Take into account what was written into a journal."""
        self.progress.count(outcome)
        if outcome.status.stands or not self._counts_saved(category):
            self._shares[category.code].advance()
        if outcome.status.stands:
            self.watch.note(outcome)
        if outcome.reason is Reason.DISK_ERROR and not self._fatal:
            self._fatal = DiskError(
                f"{outcome.row.image_code} could not be saved. {outcome.description} "
                "What is saved stays; make room, and run again to go on."
            )

    def _is_to_end(self) -> bool:
        return self._fatal is not None or self.stopped()

    def _counts_saved(self, category: Category) -> bool:
        settings = self.store.settings
        return settings.fill and how_many(category, settings) >= 0

    def _expected(self, category: Category) -> int:
        limit, count = how_many(category, self.store.settings), self.store.table.count(category.code)
        return count if limit < 0 else min(limit, count) if not self._counts_saved(category) else limit

    def _refill(self) -> None:
        """Let the schedule have more tasks; one category at most is opened while there is work."""
        room = min(TASKS_A_TURN, WINDOW - self.schedule.waiting)
        for supply in list(self._open.values()):
            room -= self._draw(supply, room)
        while room > 0 and self._unopened:
            supply = self._open_next()
            room -= self._draw(supply, room)
            if self.schedule.waiting + self.schedule.in_flight >= self.schedule.batch_size:
                return

    def _draw(self, supply: Supply, room: int) -> int:
        drawn = 0
        while drawn < room:
            task = supply.take()
            if task is None:
                break
            drawn += 1
            self._offer(supply, task)
        if supply.finished:
            self._close(supply)
        return drawn

    def _offer(self, supply: Supply, task: ImageTask) -> None:
        self._owners[task.number] = supply
        best, *others = alternates.routes(task.row.url)
        task = replace(task, address=best.address)
        settled = self.schedule.offer(task, best.host, others[0] if others else None)
        if settled:
            self._settle(settled)

    def _open_next(self) -> Supply:
        category = self._unopened.popleft()
        content = voc.read(self.store.settings.annotations_dir, category.code)
        if content.problem and self.store.settings.annotations_dir.is_dir():
            self.screen.say(f"{category.folder}: {content.problem}")
        return self._open_with(category, content.annotations)

    def _open_with(self, category: Category, annotations: Mapping[str, Annotation]) -> Supply:
        supply = self._open[category.folder] = Supply(
            category, self.store, self.note, annotations=annotations
        )
        self._shares[category.code].advance_before(supply.settled_before())
        for outcome in supply.present():
            self.watch.note(outcome)
        return supply

    def _start(self) -> None:
        tasks = self.schedule.next(time.monotonic())
        if tasks:
            self.crew.start(tasks)

    def _patience(self) -> float:
        wake_at = self.schedule.wake_at()
        return LONGEST_WAIT if wake_at is None else min(LONGEST_WAIT, max(0.0, wake_at - time.monotonic()))

    def _hear(self, answers: Iterable[Answer | Lost]) -> None:
        """Take answers in, and give the supplies that they belong to a chance to react."""
        touched: set[Supply] = set()
        for answer in answers:
            touched.update(self._react(answer))
        for supply in touched:
            for number in supply.grant():
                self.crew.save(number)
            self._drop(supply, supply.surplus())
            if supply.finished:
                self._close(supply)

    def _react(self, answer: Answer | Lost) -> Iterator[Supply]:
        now = time.monotonic()
        if isinstance(answer, Lost):
            owners = [self._owners[number] for number in answer.numbers if number in self._owners]
            for number, owner in zip(answer.numbers, owners, strict=True):
                owner.lose(number)
            yield from owners
            settled = self.schedule.lost(list(answer.numbers), killer=answer.killer, now=now)
        elif answer.number not in self._owners:
            return  # it was dropped, and the worker had not heard so yet
        elif isinstance(answer, Ready):
            self._owners[answer.number].ask(answer.number)
            yield self._owners[answer.number]
            return
        else:
            yield self._owners[answer.number]
            settled = self._done(answer, now)
        for one in settled:
            yield self._owners[one.task.number]
            self._settle(one)

    def _done(self, ended: Ended, now: float) -> list[Settled]:
        if ended.outcome.proxy_at_fault and not self.progress.saved:
            self._fatal = ProxyError(
                "The proxy that http_proxy, https_proxy or all_proxy names does not let us through. "
                f"{ended.outcome.description} Correct or unset it, and run again."
            )
        return self.schedule.done(ended.number, ended.outcome, now)

    def _settle(self, settled: Settled) -> None:
        self._owners.pop(settled.task.number).settle(settled.task.number, settled.outcome)

    def _drop(self, supply: Supply, numbers: list[int]) -> None:
        if not numbers:
            return
        self.crew.drop(numbers)
        for settled in self.schedule.drop(numbers, time.monotonic()):
            supply.skip(settled)
        for number in numbers:
            self._owners.pop(number, None)

    def _close(self, supply: Supply) -> None:
        if self._open.pop(supply.category.folder, None) is None:
            return
        supply.close()
        self._shares[supply.category.code].end()
        self.screen.category_done(self.publisher.publish(supply.category))

    def _take_placeholders_back(self) -> bool:
        """Take pictures back that stand for many URLs of their host; True if the run goes on for it."""
        found = self.watch.placeholders()
        if not found:
            return False
        for category in self.categories:
            taken = self.publisher.take_back(category, found)
            if taken:
                self.screen.say(f"{category.folder}: {taken} {placeholders.TAKEN_BACK_MANY}")
            if taken and self._counts_saved(category) and not self._is_to_end():
                self._open_again(category)
        self.watch.forget(found)
        return bool(self._open)

    def _open_again(self, category: Category) -> None:
        content = voc.read(self.store.settings.annotations_dir, category.code)
        self._open[category.folder] = Supply(
            category, self.store, self.note, annotations=content.annotations, again=True
        )

    def _finish(self) -> None:
        """End the workers, and write down how everything stands."""
        deadline = time.monotonic() + TIME_TO_LEAVE
        self._hear(answer for answer in self.crew.stop() if isinstance(answer, Ended))
        for settled in self.schedule.abandon():
            self._owners.pop(settled.task.number).interrupt(settled)
        if not self.store.settings.with_annotation:  # else the archives would have to be read first
            while self._unopened and time.monotonic() < deadline:
                self._open_with(self._unopened.popleft(), {}).leave_rest(lambda: time.monotonic() < deadline)
        for supply in list(self._open.values()):
            supply.leave_rest(lambda: time.monotonic() < deadline)
            self._close(supply)
        self._take_placeholders_back()
        self.screen.update(self.progress)

    @property
    def barren(self) -> list[Category]:
        """The categories that wanted images and have none at all."""
        wanting = [one for one in self.categories if how_many(one, self.store.settings) != 0]
        return [category for category in wanting if not self.images_of(category)]

    @property
    def short(self) -> list[Category]:
        """The categories that have images, but fewer than were to be there."""
        counting = [one for one in self.categories if self._counts_saved(one)]
        return [one for one in counting if 0 < self.images_of(one) < how_many(one, self.store.settings)]

    def images_of(self, category: Category) -> int:
        """Say how many images of the kind that was asked for a category has."""
        summary = self.publisher.summaries.get(category.code, Summary(category.folder))
        return summary.annotated if self.store.settings.with_annotation else summary.standing
