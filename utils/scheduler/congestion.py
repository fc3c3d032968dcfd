"""Our own line, too narrow for all that is in flight: told from slow servers, and answered by less at once.

Where bodies begin to arrive from many hosts and do not end in time, it is not the hosts. The number in flight
is halved then, once for what was under way together, and grows again as bodies arrive whole. A slow host
changes nothing, nor do a few among many that are well, nor what is slow once more when it is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models.tasks import Outcome
from ..reasons import Reason
from .scheduled_task import ScheduledTask

TOGETHER = 5
"""Seconds; tries that began within them are compared. Those that come to nothing end last."""
FEWEST_LATE = 8
SHARE_LATE = 1 / 4
"""Of the bodies that were asked for together, and did not come in time, from which on it is the line."""
HOSTS_LATE = 4
"""Different hosts that they must be of, if there are so many; fewer are their own fault."""
MOST_PERIODS = 100
"""Of which is known what came of them: some minutes, longer than tries take."""
FEWEST = 8
"""In flight at once, however slow the line is."""


@dataclass
class Period:
    """What came of the tries that began within the same seconds: bodies, and those of them that were late."""

    bodies: int = 0
    late: int = 0
    hosts_late: set[str] = field(default_factory=set)

    def is_congested(self, hosts: int) -> bool:
        """Whether so many were late, of so many of the hosts, that it was the line."""
        many = self.late >= FEWEST_LATE and self.late >= SHARE_LATE * self.bodies
        return many and len(self.hosts_late) >= min(HOSTS_LATE, hosts)


class Congestion:
    """Watches how bodies arrive.

    Attributes
    ----------
    limit
        How many tasks may be in flight; None while nothing speaks against any number.
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self._periods: dict[int, Period] = {}
        self._hosts: set[str] = set()
        self._cut_at = -1.0
        self._earned = 0.0  # of the next place

    def learn(self, entry: ScheduledTask, outcome: Outcome, *, now: float, in_flight: int) -> None:
        """Take note of how a try ended."""
        is_late = outcome.reason is Reason.TIMEOUT
        if not 200 <= outcome.http_status < 300 or (is_late and entry.attempts):
            return  # there was no body, or it is slow whenever it is tried
        if entry.started < self._cut_at:
            return  # it was under way when there were too many
        period = self._periods.setdefault(int(entry.started // TOGETHER), Period())
        period.bodies += 1
        if len(self._periods) > MOST_PERIODS:
            del self._periods[min(self._periods)]
        if len(self._hosts) < HOSTS_LATE:
            self._hosts.add(entry.host.name)
        if not is_late:
            self._grow()
            return
        period.late += 1
        period.hosts_late.add(entry.host.name)
        if period.is_congested(len(self._hosts)):
            self.limit = max(FEWEST, in_flight // 2)
            self._cut_at = now
            self._periods.clear()

    def excuses(self, entry: ScheduledTask, outcome: Outcome) -> bool:
        """Whether a try came too late because it was under way when there were too many."""
        return outcome.reason is Reason.TIMEOUT and entry.started < self._cut_at

    def most(self, wanted: int) -> int:
        """Say how many of the wanted ones may be in flight."""
        return wanted if self.limit is None else min(wanted, self.limit)

    def _grow(self) -> None:
        """Earn one place more by as many good ends as there are places."""
        if self.limit is None:
            return
        self._earned += 1.0 / self.limit
        if self._earned >= 1.0:
            self._earned = 0.0
            self.limit += 1
