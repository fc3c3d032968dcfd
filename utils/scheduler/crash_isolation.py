"""Finds the task that kills workers, by running suspects apart from the others.

A task that kills its worker during validation is known at once. One that kills it during the transfer is
not: a hundred others run in the same process. Tasks that were lost twice with their workers are therefore
run in small groups, and those of a group that is lost again one at a time, beside all other tasks. A suspect
that is then lost alone is the cause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .scheduled_task import ScheduledTask

SUSPECT_AFTER, ALONE_AFTER = 2, 3
"""Losses of unknown cause, after which a task is run in a group, and alone."""
GROUP_SIZE = 8


def find_cause(lost: Iterable[ScheduledTask]) -> ScheduledTask | None:
    """Return the cause among tasks that were lost together, if there is only one suspect."""
    suspects = [task for task in lost if task.losses >= SUSPECT_AFTER]
    return suspects[0] if len(suspects) == 1 else None


class CrashIsolation:
    """The suspects that wait, and those that run.

    A suspect is a task with `SUSPECT_AFTER` losses or more.
    """

    def __init__(self) -> None:
        self.waiting: deque[ScheduledTask] = deque()
        self.running: set[ScheduledTask] = set()

    def pop(self, now: float) -> ScheduledTask | None:
        """Return a suspect that can start now; it counts as running."""
        for _ in range(len(self.waiting)):
            task = self.waiting.popleft()
            if task.cancelled:
                continue
            if self._has_room_for(task) and task.host.can_start(now):
                self.running.add(task)
                return task
            self.waiting.append(task)
        return None

    def next_wakeup(self, now: float) -> float | None:
        """Return when the first pause of their hosts is over; None if none is paused."""
        pauses = (task.host.next_start() for task in self.waiting if not task.cancelled)
        return min((until for until in pauses if until > now), default=None)

    def _has_room_for(self, task: ScheduledTask) -> bool:
        losses = max(one.losses for one in (task, *self.running))
        return len(self.running) < (1 if losses >= ALONE_AFTER else GROUP_SIZE)
