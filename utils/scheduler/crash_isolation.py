"""Tasks that were lost with their workers again and again: fetched apart, until it is clear which one kills.

An image that kills while it is judged is known at once. Of one that kills while it is fetched nobody knows:
a hundred others are under way in the same process. Whatever was lost twice so is tried in small groups,
whatever was lost with its group one at a time, beside the others: the one that is then lost is to blame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .scheduled_task import ScheduledTask

SUSPECT_AFTER, ALONE_AFTER = 2, 3
"""Losses of unknown cause, after which a task is tried in a group, and by itself."""
GROUP = 8


def is_suspect(entry: ScheduledTask) -> bool:
    """Whether a task is to be tried apart."""
    return entry.losses >= SUSPECT_AFTER


def to_blame(lost: Iterable[ScheduledTask]) -> ScheduledTask | None:
    """Say which of the tasks that were lost together is the cause, if only one can be."""
    suspects = [entry for entry in lost if is_suspect(entry)]
    return suspects[0] if len(suspects) == 1 else None


class CrashIsolation:
    """Where suspects wait, and how many of them are under way."""

    def __init__(self) -> None:
        self._waiting: deque[ScheduledTask] = deque()
        self._in_flight: set[ScheduledTask] = set()

    def put(self, entry: ScheduledTask) -> None:
        """Let a suspect wait."""
        self._waiting.append(entry)

    def take(self, now: float) -> ScheduledTask | None:
        """Give a suspect that may start now; it counts as started."""
        for _ in range(len(self._waiting)):
            entry = self._waiting.popleft()
            if entry.dropped:
                continue
            if self._has_room_for(entry) and entry.host.may_start(now):
                self._in_flight.add(entry)
                return entry
            self._waiting.append(entry)
        return None

    def landed(self, entry: ScheduledTask) -> None:
        """Take note that a task is not under way any more."""
        self._in_flight.discard(entry)

    def wake_at(self, now: float) -> float | None:
        """Say when the next of their hosts has rested; None if none of them rests."""
        rests = (entry.host.rest_until for entry in self._waiting if not entry.dropped)
        return min((until for until in rests if until > now), default=None)

    def _has_room_for(self, entry: ScheduledTask) -> bool:
        losses = max((one.losses for one in (entry, *self._in_flight)), default=0)
        return len(self._in_flight) < (1 if losses >= ALONE_AFTER else GROUP)
