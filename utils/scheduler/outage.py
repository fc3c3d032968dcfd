"""Distinguishes an outage of the local network from dead hosts.

The handling of a failure to connect to a host that has responded before is delayed by two seconds. If any
response arrives meanwhile, it is handled like any other failure. If three such hosts fail without a response
in between, the network seems to be down: for a minute at most, only one probe a second is started. If no
response arrives for two seconds, the outage is confirmed, and the tasks whose failures were delayed are run
again; those attempts do not count.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..models.tasks import Outcome
from .host_state import CONNECT_FAILURES
from .scheduled_task import ScheduledTask

MIN_HOSTS = 3
"""Hosts that must fail, with no response in between."""
DELAY_SECONDS = 2.0
"""The delay of a failure if no response arrives and no outage is confirmed."""
MAX_OUTAGE = 60.0
PROBE_INTERVAL = 1.0
CONFIRM_AFTER = 2.0
"""Seconds without a response; three hosts may die at the same time by chance."""


@dataclass(frozen=True)
class DelayedFailure:
    """A failure that is not handled before a time."""

    entry: ScheduledTask
    outcome: Outcome
    until: float


class Outage:
    """Watches the connect failures of all hosts.

    Attributes
    ----------
    ends_at
        Until when the network counts as down; None if it does not.
    delayed
        The failures that are not handled yet.
    """

    def __init__(self) -> None:
        self.ends_at: float | None = None
        self.delayed: deque[DelayedFailure] = deque()
        self._next_probe = 0.0
        self._is_armed = False  # after a response: there cannot be an outage before one
        self._failing: set[str] = set()

    def is_confirmed(self, now: float) -> bool:
        """Whether the network has been down for too long to be chance."""
        return self.ends_at is not None and now >= self._confirmed_at()

    def record_response(self) -> None:
        """Record that a host was reached."""
        self.ends_at, self._is_armed = None, True
        self._failing.clear()

    def delay(self, entry: ScheduledTask, outcome: Outcome, now: float) -> bool:
        """Check the result of a request; True if it is delayed, and must not be handled yet."""
        if outcome.from_proxy:
            return False
        if outcome.http_status or outcome.reason not in CONNECT_FAILURES:
            self.record_response()
            return False
        if self.ends_at is None and not (self._is_armed and entry.host.has_responded):
            return False
        self._failing.add(entry.host.name)
        self.delayed.append(DelayedFailure(entry, outcome, now + DELAY_SECONDS))
        entry.host.pause(now + DELAY_SECONDS)  # else all its URLs would fail before the first is handled
        if self.ends_at is None and len(self._failing) >= MIN_HOSTS:
            self.ends_at, self._next_probe = now + MAX_OUTAGE, now + PROBE_INTERVAL
        return True

    def pop(self, now: float) -> list[DelayedFailure]:
        """Return failures: all if an outage is confirmed or there was a response, else those that are due."""
        due = []
        all_due = not self._failing or self.is_confirmed(now)
        while self.delayed and (all_due or (self.ends_at is None and self.delayed[0].until <= now)):
            due.append(self.delayed.popleft())
        return due

    def allowed_starts(self, wanted: int, now: float) -> int:
        """Return how many tasks may start: during an outage one probe at intervals."""
        if self.ends_at is not None and now >= self.ends_at:
            self.ends_at, self._is_armed = None, False
            self._failing.clear()
        if self.ends_at is None:
            return wanted
        if now < self._next_probe:
            return 0
        self._next_probe = now + PROBE_INTERVAL
        return min(1, wanted)

    def next_wakeup(self) -> float | None:
        """Return the time of the next change; None if no failure is delayed."""
        if self.ends_at is not None:
            return min(self._next_probe, self._confirmed_at() if self.delayed else self.ends_at)
        return self.delayed[0].until if self.delayed else None

    def _confirmed_at(self) -> float:
        return (self.ends_at or 0.0) - MAX_OUTAGE + CONFIRM_AFTER
