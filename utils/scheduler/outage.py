"""A local outage, told from dead hosts: when hosts that had answered all fail to connect, it is us.

A failure to connect to a host that had answered before is kept back for a moment. If anything is reached
meanwhile it is judged like any other. If three such hosts fail, the network seems to be gone: only a probe
goes out now and then, for a minute at most, and if nothing is reached for two seconds, what was kept back
is done again, uncounted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..models.tasks import Outcome
from .host_state import CONNECT_FAILURES
from .scheduled_task import ScheduledTask

HOSTS_GONE = 3
"""Hosts that must fail, with nothing reached in between."""
KEPT_BACK = 2.0
"""Seconds for which a failure is kept back, if nothing else happens."""
LONGEST_OUTAGE = 60.0
PROBE_INTERVAL = 1.0
SURE_AFTER = 2.0
"""Seconds; three hosts that happen to die at once look like an outage until the next answer comes."""


@dataclass(frozen=True)
class Kept:
    """A failure that is kept back until a time."""

    entry: ScheduledTask
    outcome: Outcome
    until: float


class Outage:
    """Watches over all hosts for one."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._next_probe = 0.0
        self._armed = False
        self._gone: set[str] = set()
        self._kept: deque[Kept] = deque()

    @property
    def on(self) -> bool:
        """Whether the network seems to be gone."""
        return self._until is not None

    def keeps_back(self, entry: ScheduledTask, outcome: Outcome, now: float) -> bool:
        """Look at the end of a try; True if it is not to be judged yet."""
        if outcome.proxy_at_fault:
            return False
        if outcome.http_status or outcome.reason not in CONNECT_FAILURES:
            self._until, self._armed = None, True
            self._gone.clear()
            return False
        if not self.on and not (self._armed and entry.host.has_answered):
            return False
        self._gone.add(entry.host.name)
        self._kept.append(Kept(entry, outcome, now + KEPT_BACK))
        entry.host.rest(now + KEPT_BACK)  # else all its URLs would fail before the first is judged
        if not self.on and len(self._gone) >= HOSTS_GONE:
            self._until, self._next_probe = now + LONGEST_OUTAGE, now + PROBE_INTERVAL
        return True

    def is_lasting(self, now: float) -> bool:
        """Whether the network has been gone for so long that it cannot be chance."""
        return self._until is not None and now >= self._sure_at()

    def to_repeat(self, now: float) -> list[ScheduledTask]:
        """Give what was kept back and is to be done again, as the network is gone."""
        if not self.is_lasting(now):
            return []
        kept, self._kept = self._kept, deque()
        return [one.entry for one in kept]

    def to_judge(self, now: float) -> list[Kept]:
        """Give what was kept back and is to be judged: all, if something was reached, else what is due."""
        due = []
        while self._kept and (not self._gone or (not self.on and self._kept[0].until <= now)):
            due.append(self._kept.popleft())
        return due

    def most_starts(self, wanted: int, now: float) -> int:
        """Say how many tasks may start of those that could: during an outage a probe now and then."""
        if self._until is not None and now >= self._until:
            self._until, self._armed = (
                None,
                False,
            )  # long enough; there is no other before something is reached
            self._gone.clear()
        if not self.on:
            return wanted
        if now < self._next_probe:
            return 0
        self._next_probe = now + PROBE_INTERVAL
        return min(1, wanted)

    def wake_at(self) -> float | None:
        """Say when something is due here."""
        if self._until is not None:
            return min(self._next_probe, self._sure_at() if self._kept else self._until)
        return self._kept[0].until if self._kept else None

    def _sure_at(self) -> float:
        return (self._until or 0.0) - LONGEST_OUTAGE + SURE_AFTER
