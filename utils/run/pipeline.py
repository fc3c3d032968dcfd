"""A whole run, in the order in which it happens.

Books open one after another as the schedule has room, their tasks go to the workers, what comes back goes
into the books, and a book is closed when nothing of it is left. The last word have the placeholders:
pictures that turned out to be the same all over a host are taken back, and the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import DatasetError, ProxyError
from ..models import ImageTask, Route
from ..results.progress import Progress
from ..web import alternates
from ..web.journey import Settled
from ..web.schedule import Schedule
from ..web.tempo import Tempo
from .books import Books, Screen
from .messages import Answer, Lost, Ready, Redirected
from .pool import Crew
from .supply import Supply

WINDOW = 4_096
"""Tasks known to the schedule at once: many, so that a slow host does not hide the others behind it."""
TASKS_A_TURN = 512
ON_DISK = Route("", "a tar on disk")
"""The way to an image that need not be fetched; no host has a name with blanks."""
LONGEST_WAIT = 0.2
"""Seconds until the loop looks up, for signals and the screen."""
GONE = "The network seems to be gone: no host can be reached any more. Waiting for it, up to a minute ..."
BACK = "Going on."
NARROW = "Images arrive too late: the line is too narrow for so many. Up to {} in flight from now on."
TIME_TO_LEAVE = 0.6
"""Seconds that an interrupted run takes for noting what it did not reach."""


@dataclass
class Run:
    """One run over the selected categories.

    Parameters
    ----------
    stopped
        Asked all the time whether the run is to end early.
    """

    books: Books
    crew: Crew
    schedule: Schedule
    tempo: Tempo
    progress: Progress
    screen: Screen
    stopped: Callable[[], bool]
    _owners: dict[int, Supply] = field(default_factory=dict)
    _outage_told: bool = False
    _least_told: int | None = None

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
                self._settle(self.schedule.due(time.monotonic()))
                self._start()
                if not self._is_waiting():
                    self.books.take_placeholders_back(and_go_on=True)
                    if self.books.all_done:
                        break
                self._hear(self.crew.exchange(self._patience()))
                self.schedule.batch_size = self.tempo.batch_size()
                self._show()
        except DatasetError as error:
            self.books.fatal = self.books.fatal or error
        finally:
            self._finish()
        if self.books.fatal:
            raise self.books.fatal

    def _is_to_end(self) -> bool:
        return self.books.fatal is not None or self.stopped()

    def _is_waiting(self) -> bool:
        """Whether something is under way, or may come of what is open."""
        return bool(self.schedule.in_flight or self.schedule.waiting or not self.books.all_done)

    def _refill(self) -> None:
        """Let the schedule have more tasks; one book at most is opened while there is enough to do."""
        room = min(TASKS_A_TURN, WINDOW - self.schedule.waiting)
        for supply in list(self.books.open.values()):
            room -= self._draw(supply, room)
        while room > 0:
            opened = self.books.open_next()
            if opened is None:
                return
            room -= self._draw(opened, room)
            if self.schedule.waiting + self.schedule.in_flight >= self.schedule.batch_size:
                return

    def _draw(self, supply: Supply, room: int) -> int:
        drawn = 0
        with self.books.costing_only(supply.category):
            while drawn < room:
                task = supply.take()
                if task is None:
                    break
                drawn += 1
                self._offer(supply, task)
            if supply.finished:
                self.books.close(supply)
        return drawn

    def _offer(self, supply: Supply, task: ImageTask) -> None:
        self._owners[task.number] = supply
        best, *others = [ON_DISK] if task.piece else alternates.routes(task.row.url)
        task = replace(task, address=best.address or task.row.url, host="" if task.piece else best.host)
        settled = self.schedule.offer(task, best.host, others[0] if others else None)
        if settled:
            self._settle([settled])

    def _start(self) -> None:
        tasks = self.schedule.next(time.monotonic())
        if tasks:
            self.crew.start(tasks)

    def _patience(self) -> float:
        wake_at = self.schedule.wake_at()
        return LONGEST_WAIT if wake_at is None else min(LONGEST_WAIT, max(0.0, wake_at - time.monotonic()))

    def _hear(self, answers: Iterable[Answer | Lost]) -> None:
        """Take answers in, and give the books that they belong to a chance to react."""
        touched: set[Supply] = set()
        settled: list[Settled] = []
        for answer in answers:
            numbers = answer.numbers if isinstance(answer, Lost) else (answer.number,)
            touched.update(self._owners[number] for number in numbers if number in self._owners)
            settled += self._react(answer, time.monotonic())
        touched.update(self._settle(settled))
        for supply in touched:
            self._follow_up(supply)

    def _follow_up(self, supply: Supply) -> None:
        for number in supply.grant():
            self.crew.save(number)
        self._drop(supply, supply.surplus())
        if supply.finished:
            self.books.close(supply)

    def _react(self, answer: Answer | Lost, now: float) -> list[Settled]:
        if isinstance(answer, Lost):
            return self._recover(answer, now)
        if answer.number not in self._owners:
            return []  # it was dropped, and the worker had not heard so yet
        if isinstance(answer, Ready):
            self._owners[answer.number].ask(answer.number)
            return []
        if isinstance(answer, Redirected):
            return self.schedule.redirected(answer.number, answer.redirect, now)
        if answer.outcome.proxy_at_fault and not self.progress.saved:
            self.books.fatal = ProxyError(
                "The proxy that http_proxy, https_proxy or all_proxy names does not let us through. "
                f"{answer.outcome.description} Correct or unset it, and run again."
            )
        return self.schedule.done(answer.number, answer.outcome, now)

    def _recover(self, lost: Lost, now: float) -> list[Settled]:
        """Take back what a dead worker had; an image that it had saved, but not told of, is there."""
        settled, again = [], []
        for number in lost.numbers:
            owner = self._owners.get(number)
            saved = owner.recover(number) if owner else None
            if saved:
                settled += self.schedule.done(number, saved, now)
            else:
                again.append(number)
        return settled + self.schedule.lost(again, killer=lost.killer, now=now)

    def _settle(self, settled: Sequence[Settled]) -> Iterable[Supply]:
        """Put what is settled into the books that it belongs to; says which."""
        by_owner: dict[Supply, list[Settled]] = {}
        for one in settled:
            by_owner.setdefault(self._owners.pop(one.task.number), []).append(one)
        for owner, some in by_owner.items():
            with self.books.costing_only(owner.category):
                owner.settle(some)
        return by_owner

    def _drop(self, supply: Supply, numbers: list[int]) -> None:
        if not numbers:
            return
        self.crew.drop(numbers)
        with self.books.costing_only(supply.category):
            for settled in self.schedule.drop(numbers, time.monotonic()):
                supply.skip(settled)
        for number in numbers:
            self._owners.pop(number, None)

    def _show(self) -> None:
        if self.schedule.in_outage(time.monotonic()) != self._outage_told:
            self._outage_told = not self._outage_told
            self.screen.say(GONE if self._outage_told else BACK)
        most = self.schedule.most_in_flight
        if most < self.schedule.batch_size and most < (self._least_told or self.schedule.batch_size):
            self._least_told = most
            self.screen.say(NARROW.format(most))
        self.progress.in_flight = self.schedule.in_flight
        self.screen.update(self.progress)

    def _finish(self) -> None:
        """End the workers, and write down how everything stands."""
        deadline = time.monotonic() + TIME_TO_LEAVE
        self._hear(self.crew.stop())
        for settled in self.schedule.abandon():
            owner = self._owners.pop(settled.task.number)
            with self.books.costing_only(owner.category):
                owner.interrupt(settled)
        self.books.close_all(lambda: time.monotonic() < deadline)
        self.books.take_placeholders_back(and_go_on=False)
        self._show()
