"""A whole run, in the order in which it happens.

Books open one after another as the traffic has room, their tasks go on their way, what comes back goes
into the books, and a book is closed when nothing of it is left. The last word have the placeholders:
pictures that turned out to be the same all over a host are taken back, and the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import DatasetError, ProxyError, wrap_os_errors
from ..models.tasks import Outcome
from ..results.progress import Progress
from ..scheduler.scheduled_task import TaskResult
from .category_job import CategoryJob
from .category_manager import CategoryManager, Screen
from .executor import Executor, TaskEvents

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

    books: CategoryManager
    traffic: Executor
    progress: Progress
    screen: Screen
    stopped: Callable[[], bool]
    _owners: dict[int, CategoryJob] = field(default_factory=dict)
    _bereft: set[CategoryJob] = field(default_factory=set)  # a worker died that had tasks of theirs

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
                if self._has_nothing_left():
                    self.books.take_placeholders_back(and_go_on=True)
                    if self.books.all_done:
                        break
                self._take_in(self.traffic.turn(self._recover))
                self._show()
        except DatasetError as error:
            self.books.fatal = self.books.fatal or error
        finally:
            self._finish()
        if self.books.fatal:
            raise self.books.fatal

    def _is_to_end(self) -> bool:
        return self.books.fatal is not None or self.stopped()

    def _has_nothing_left(self) -> bool:
        """Whether nothing is under way, and nothing may come of what is open."""
        return self.traffic.idle and self.books.all_done

    def _refill(self) -> None:
        """Let the traffic have more tasks; one book at most is opened while there is enough to do."""
        room = self.traffic.room
        for supply in list(self.books.open.values()):
            room -= self._draw(supply, room)
        while room > 0:
            opened = self.books.open_next()
            if opened is None:
                return
            room -= self._draw(opened, room)
            if self.traffic.has_enough:
                return

    def _draw(self, supply: CategoryJob, room: int) -> int:
        drawn = 0
        with self.books.isolate_errors(supply.category):
            while drawn < room:
                task = supply.take()
                if task is None:
                    break
                drawn += 1
                self._owners[task.number] = supply
                self._settle(self.traffic.offer(task))
            if supply.finished:
                self.books.close(supply)
        return drawn

    def _take_in(self, news: TaskEvents) -> None:
        """Note what came of tasks, and give the books that they belong to a chance to react."""
        if news.proxy_fault and not self.progress.saved:
            self.books.fatal = ProxyError(
                "The proxy that http_proxy, https_proxy or all_proxy names does not let us through. "
                f"{news.proxy_fault.description} Correct or unset it, and run again."
            )
        touched, self._bereft = self._bereft, set()
        for number in news.ready:
            if number in self._owners:  # else it was dropped, and the worker had not heard so yet
                self._owners[number].ask(number)
                touched.add(self._owners[number])
        touched.update(self._settle(news.settled))
        for supply in touched:
            self._follow_up(supply)

    def _follow_up(self, supply: CategoryJob) -> None:
        for number in supply.grant():
            self.traffic.save(number)
        self._drop(supply, supply.surplus())
        if supply.finished:
            self.books.close(supply)

    def _recover(self, number: int) -> Outcome | None:
        owner = self._owners.get(number)
        if owner is None:
            return None
        self._bereft.add(owner)
        with self.books.isolate_errors(owner.category), wrap_os_errors(owner.folder):
            return owner.recover(number)
        return None

    def _settle(self, settled: Sequence[TaskResult]) -> Iterable[CategoryJob]:
        """Put what is settled into the books that it belongs to; says which."""
        by_owner: dict[CategoryJob, list[TaskResult]] = {}
        for one in settled:
            by_owner.setdefault(self._owners.pop(one.task.number), []).append(one)
        for owner, some in by_owner.items():
            with self.books.isolate_errors(owner.category):
                owner.settle(some)
        return by_owner

    def _drop(self, supply: CategoryJob, numbers: list[int]) -> None:
        if not numbers:
            return
        with self.books.isolate_errors(supply.category):
            for settled in self.traffic.drop(numbers):
                supply.skip(settled)
        for number in numbers:
            self._owners.pop(number, None)

    def _show(self) -> None:
        for remark in self.traffic.remarks():
            self.screen.print(remark)
        self.screen.update(self.progress + self.traffic.under_way)

    def _finish(self) -> None:
        """End the work, and write down how everything stands."""
        deadline = time.monotonic() + TIME_TO_LEAVE
        self._take_in(self.traffic.stop(self._recover))
        for settled in self.traffic.abandon():
            owner = self._owners.pop(settled.task.number)
            with self.books.isolate_errors(owner.category):
                owner.interrupt(settled)
        self.books.close_all(lambda: time.monotonic() < deadline)
        self.books.take_placeholders_back(and_go_on=False)
        self._show()
