"""Tells a local network outage from dead hosts.

A failure to connect to a host that has responded before is held for two seconds. If any response arrives
meanwhile, it is handled like any other failure. If three such hosts fail without a response in between, the
network seems to be down: for a minute at most, only one probe a second is started. If no response arrives for
two seconds, the outage is confirmed, and the tasks whose failures were held are run again; those attempts do
not count.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..models.tasks import Outcome
from .host_state import CONNECT_FAILURES
from .scheduled_task import ScheduledTask

MIN_HOSTS = 3
"""Hosts that must fail, with no response in between."""
HOLD_SECONDS = 2.0
"""How long a failure is held if nothing else happens."""
MAX_OUTAGE = 60.0
PROBE_INTERVAL = 1.0
CONFIRM_AFTER = 2.0
"""Seconds without a response; three hosts may die at the same time by chance."""


@dataclass(frozen=True)
class HeldFailure:
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
    held
        The failures that are not handled yet.
    """

    def __init__(self) -> None:
        self.ends_at: float | None = None
        self.held: deque[HeldFailure] = deque()
        self._next_probe = 0.0
        self._is_armed = False  # after a response: there cannot be an outage before one
        self._failing: set[str] = set()

    def is_confirmed(self, now: float) -> bool:
        """Whether the network has been down for too long to be chance."""
        return self.ends_at is not None and now >= self._confirmed_at()

    def record_response(self) -> None:
        """Note that something was reached."""
        self.ends_at, self._is_armed = None, True
        self._failing.clear()

    def hold(self, entry: ScheduledTask, outcome: Outcome, now: float) -> bool:
        """Look at the result of a request; True if it is held, and must not be handled yet."""
        if outcome.from_proxy:
            return False
        if outcome.http_status or outcome.reason not in CONNECT_FAILURES:
            self.record_response()
            return False
        if self.ends_at is None and not (self._is_armed and entry.host.has_answered):
            return False
        self._failing.add(entry.host.name)
        self.held.append(HeldFailure(entry, outcome, now + HOLD_SECONDS))
        entry.host.pause(now + HOLD_SECONDS)  # else all its URLs would fail before the first is handled
        if self.ends_at is None and len(self._failing) >= MIN_HOSTS:
            self.ends_at, self._next_probe = now + MAX_OUTAGE, now + PROBE_INTERVAL
        return True

    def pop(self, now: float) -> list[HeldFailure]:
        """Return failures: all if an outage is confirmed or there was a response, else those that are due."""
        due = []
        all_due = not self._failing or self.is_confirmed(now)
        while self.held and (all_due or (self.ends_at is None and self.held[0].until <= now)):
            due.append(self.held.popleft())
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
        """Return the time at which something has to be done here; None if nothing is held."""
        if self.ends_at is not None:
            return min(self._next_probe, self._confirmed_at() if self.held else self.ends_at)
        return self.held[0].until if self.held else None

    def _confirmed_at(self) -> float:
        return (self.ends_at or 0.0) - MAX_OUTAGE + CONFIRM_AFTER
