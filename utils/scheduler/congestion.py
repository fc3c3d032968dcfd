"""Distinguishes a saturated network from slow servers, and limits the number of concurrent tasks.

If bodies from many hosts start to arrive but do not end in time, the cause is the network, not the hosts. The
number of tasks in flight is then halved, once for all that were running together, and grows again as bodies
arrive in time. A slow host changes nothing, nor do a few slow ones among many, nor a URL that is slow again
when it is retried.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models.tasks import Outcome
from ..reasons import Reason
from .scheduled_task import ScheduledTask

PERIOD_SECONDS = 5
"""Attempts that started within the same period are compared."""
MIN_LATE = 8
MIN_LATE_SHARE = 1 / 4
"""Share of late bodies in a period from which on the network is the cause."""
MIN_LATE_HOSTS = 4
"""Different hosts that late bodies must come from, if there are so many."""
MAX_PERIODS = 100
"""Periods that are remembered: some minutes, longer than attempts take."""
MIN_LIMIT = 8


@dataclass
class Period:
    """The attempts that started within the same seconds: bodies, and how many of them were late."""

    bodies: int = 0
    late: int = 0
    late_hosts: set[str] = field(default_factory=set)


class Congestion:
    """Records whether bodies arrive in time.

    Attributes
    ----------
    limit
        The number of tasks that may be in flight; None before any congestion.
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self._periods: dict[int, Period] = {}
        self._hosts: set[str] = set()  # the first few, to know whether there are so many
        self._reduced_at = -1.0
        self._credit = 0.0  # towards the next increase of the limit

    def record_result(self, task: ScheduledTask, outcome: Outcome, *, now: float, in_flight: int) -> bool:
        """Record the result of an attempt; False if it timed out because too many tasks were in flight."""
        is_late = outcome.reason is Reason.TIMEOUT
        if task.started < self._reduced_at:
            return not is_late
        if not 200 <= outcome.http_status < 300 or (is_late and task.attempts):
            return True  # no body, or slow at every attempt
        period = self._periods.setdefault(int(task.started // PERIOD_SECONDS), Period())
        period.bodies += 1
        if len(self._periods) > MAX_PERIODS:
            del self._periods[min(self._periods)]
        if len(self._hosts) < MIN_LATE_HOSTS:
            self._hosts.add(task.host.name)
        if not is_late:
            if self.limit is not None:  # one more after as many bodies in time as the limit allows tasks
                self._credit += 1.0 / self.limit
                if self._credit >= 1.0:
                    self._credit = 0.0
                    self.limit += 1
            return True
        period.late += 1
        period.late_hosts.add(task.host.name)
        if period.late >= max(MIN_LATE, MIN_LATE_SHARE * period.bodies) and len(period.late_hosts) >= len(
            self._hosts
        ):
            self.limit = max(MIN_LIMIT, in_flight // 2)
            self._reduced_at = now
            self._periods.clear()
        return True

    def allowed(self, wanted: int) -> int:
        """Return how many of the wanted tasks may be in flight."""
        return wanted if self.limit is None else min(wanted, self.limit)
