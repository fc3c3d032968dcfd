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
    """Watches the connect failures of all hosts."""

    def __init__(self) -> None:
        self._ends_at: float | None = None
        self._next_probe = 0.0
        self._is_armed = False  # after a response: there cannot be an outage before one
        self._failing: set[str] = set()
        self._held: deque[HeldFailure] = deque()

    @property
    def is_suspected(self) -> bool:
        """Whether the network seems to be down."""
        return self._ends_at is not None

    def is_confirmed(self, now: float) -> bool:
        """Whether the network has been down for too long to be chance."""
        return self._ends_at is not None and now >= self._confirmed_at()

    def record_response(self) -> None:
        """Note that something was reached."""
        self._ends_at, self._is_armed = None, True
        self._failing.clear()

    def hold(self, entry: ScheduledTask, outcome: Outcome, now: float) -> bool:
        """Look at the result of a request; True if it is held, and must not be handled yet."""
        if outcome.from_proxy:
            return False
        if outcome.http_status or outcome.reason not in CONNECT_FAILURES:
            self.record_response()
            return False
        if not self.is_suspected and not (self._is_armed and entry.host.has_answered):
            return False
        self._failing.add(entry.host.name)
        self._held.append(HeldFailure(entry, outcome, now + HOLD_SECONDS))
        entry.host.pause(now + HOLD_SECONDS)  # else all its URLs would fail before the first is handled
        if not self.is_suspected and len(self._failing) >= MIN_HOSTS:
            self._ends_at, self._next_probe = now + MAX_OUTAGE, now + PROBE_INTERVAL
        return True

    def pop_repeats(self, now: float) -> list[ScheduledTask]:
        """Return the held tasks that are run again because the network is down."""
        if not self.is_confirmed(now):
            return []
        held, self._held = self._held, deque()
        return [failure.entry for failure in held]

    def pop_failures(self, now: float) -> list[HeldFailure]:
        """Return the failures to handle: all if there was a response, else those whose time is over."""
        due = []
        while self._held and (not self._failing or (not self.is_suspected and self._held[0].until <= now)):
            due.append(self._held.popleft())
        return due

    def allowed_starts(self, wanted: int, now: float) -> int:
        """Return how many tasks may start: during an outage one probe at intervals."""
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at, self._is_armed = None, False
            self._failing.clear()
        if not self.is_suspected:
            return wanted
        if now < self._next_probe:
            return 0
        self._next_probe = now + PROBE_INTERVAL
        return min(1, wanted)

    def next_wakeup(self) -> float | None:
        """Return the time at which something has to be done here."""
        if self._ends_at is not None:
            return min(self._next_probe, self._confirmed_at() if self._held else self._ends_at)
        return self._held[0].until if self._held else None

    def _confirmed_at(self) -> float:
        return (self._ends_at or 0.0) - MAX_OUTAGE + CONFIRM_AFTER
