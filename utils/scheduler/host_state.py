"""The state of one host: how many requests it may have at once, when it is paused, whether it is given up.

A host is a name and a port. Its limit of concurrent requests is 3 before its first response, then 8, and
grows by one with each good response up to 32. A 429 or 503 halves the limit and pauses the host for the
requested time; from then on the limit grows by one only after as many good responses as it allows requests.

A host with connect failures only is given up: after two rounds of connect timeouts (or three timed-out URLs
in one round), or after three rounds of refused connections, or of connections on which nothing is sent. There
are pauses between the rounds, so a host that is just restarting is not given up. A host that answers only
429, pause after pause, is given up for this run.

A request that hangs for a few seconds at a host that answers others stops counting against the limit, as
long as there are at most eight requests in all. Otherwise a few hanging URLs would block a host with a low
limit.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..models.tasks import Outcome
from ..reasons import Reason

if TYPE_CHECKING:
    from .scheduled_task import ScheduledTask

UNKNOWN_LIMIT, FIRST_LIMIT, HIGHEST_LIMIT = 3, 8, 32
"""Concurrent requests: before the first response of a host, after it, and at most."""
MAX_PAUSE = 60.0
"""Seconds for which a run waits for a host; a URL whose host requests a longer pause fails."""
FIRST_PAUSE = 2.0
"""Seconds of pause after a 429 without Retry-After; doubled by each further one."""
FIRST_PROBE_DELAY = 0.5
"""Seconds until a host that did not connect is tried again; doubled by each further round."""
CONNECT_FAILURES = frozenset({Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT})
CONNECTED = frozenset({Reason.TIMEOUT, Reason.CONNECTION_ERROR, Reason.TLS_ERROR})
"""Failures after a connection was made. A timeout at a host that never responded is a connect failure."""
TIMEOUT_URLS, TIMEOUT_ROUNDS, REFUSED_ROUNDS = 3, 2, 3
SEVERAL_ROWS = -1
KNOWN_HOST_FACTOR = 2
"""A host that has responded before gets this many times as many rounds."""
MAX_PAUSES = 6
"""Pauses in a row without a good response, after which a host is given up for this run."""


def exceeds_max_pause(outcome: Outcome) -> bool:
    """Whether the host requests a longer pause than a run waits."""
    return (outcome.retry_after or 0.0) > MAX_PAUSE


def is_throttled(outcome: Outcome) -> bool:
    """Whether the response means that the host is overloaded."""
    return outcome.reason is Reason.RATE_LIMITED or outcome.http_status == 503


class HostState:
    """The state of one host; times are seconds of the caller's clock.

    Parameters
    ----------
    parts
        The limits are divided by this number, because as many runs use the host at the same time.

    Attributes
    ----------
    limit
        Concurrent requests that are allowed now.
    paused_until
        No request is started before this time.
    in_flight, hanging
        Requests that are running, and how many of them hang.
    given_up
        Why no further request is sent, if that has been decided.
    has_responded
        Whether it has ever sent a response.
    tasks, is_listed
        The tasks that wait for it, and whether `HostQueues` lists it as ready or paused.
    """

    __slots__ = (  # a run may know a million hosts
        *("name", "limit", "paused_until", "in_flight", "hanging", "given_up", "has_responded"),
        *("tasks", "is_listed", "_first_limit", "_highest_limit"),
        *("_is_up", "_credit", "_throttled_at", "_pauses"),
        *("_failures", "_failed_rounds", "_round_failed_at", "_failed_row"),
    )

    def __init__(self, name: str, parts: int = 1) -> None:
        self.name = name
        self.limit = max(1, UNKNOWN_LIMIT // parts)
        self._first_limit = max(1, FIRST_LIMIT // parts)
        self._highest_limit = max(1, HIGHEST_LIMIT // parts)
        self.paused_until = 0.0
        self.in_flight = self.hanging = 0
        self.given_up: Reason | None = None
        self.has_responded = False
        self.tasks: deque[ScheduledTask] | None = None  # an empty deque takes 700 bytes
        self.is_listed = False
        self._is_up = False  # whether a connection was ever made
        self._credit = 0.0  # towards the next increase of the limit
        self._throttled_at = -1.0
        self._pauses = 0  # in a row
        self._failures = 0  # to connect, in a row
        self._failed_rounds = 0
        self._round_failed_at = -1.0
        self._failed_row = SEVERAL_ROWS  # the position of the row, as long as all failures are of one

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to connect failed."""
        return self._failed_rounds > 0 or self.given_up is Reason.DEAD_HOST

    def can_start(self, now: float) -> bool:
        """Whether one more request may be sent now."""
        if now < self.paused_until:
            return False
        return self.in_flight < self.limit or (
            self.has_responded
            and not self._failed_rounds
            and self.in_flight - self.hanging < self.limit
            and self.in_flight < self._first_limit
        )

    def can_be_forgotten(self, now: float) -> bool:
        """Whether a new state would allow neither more requests nor more attempts at a dead host."""
        return not self._failed_rounds and self._throttled_at < 0 and self.paused_until <= now

    def pause(self, until: float) -> None:
        """Send nothing until a time, or longer if the host is paused already."""
        self.paused_until = max(self.paused_until, until)

    def record_result(self, outcome: Outcome, *, started: float, now: float) -> None:
        """Update the state with the result of a request that was started at `started`."""
        if outcome.from_proxy:
            return
        reason, status = outcome.reason, outcome.http_status
        if not status:
            if reason in CONNECT_FAILURES or (reason is Reason.TIMEOUT and not self.has_responded):
                self._record_connect_failure(outcome, started, now)
                return
            if reason not in CONNECTED:
                return
        if self._failures or not self._is_up:
            self.limit = self._first_limit
        self._is_up = True
        self._failures = self._failed_rounds = 0
        self.has_responded = self.has_responded or status > 0
        if is_throttled(outcome):
            self._throttle(outcome, started, now)
        elif status:
            self._pauses = 0
            if status < 500:
                self._credit += 1.0 if self._throttled_at < 0 else 1.0 / self.limit
            if self._credit >= 1.0:
                self._credit = 0.0
                self.limit = min(self._highest_limit, self.limit + 1)

    def _throttle(self, outcome: Outcome, started: float, now: float) -> None:
        seconds = outcome.retry_after or 0.0
        if exceeds_max_pause(outcome):
            seconds = 0.0  # this URL fails, and no other
        if started < self._throttled_at:  # sent before the limit was halved: it is not halved again
            self.pause(now + seconds)
            return
        self._throttled_at = now
        self._credit = 0.0
        self.limit = max(1, self.limit // 2)
        if outcome.retry_after is None and outcome.reason is Reason.RATE_LIMITED:
            seconds = min(FIRST_PAUSE * 2.0**self._pauses, MAX_PAUSE)
        if seconds:
            self._pauses += 1
            self.pause(now + seconds)
        if self._pauses > MAX_PAUSES:
            self.given_up = Reason.RATE_LIMITED

    def _record_connect_failure(self, outcome: Outcome, started: float, now: float) -> None:
        if not self._failures:
            self._failed_row = outcome.row.position
        elif outcome.row.position != self._failed_row:
            self._failed_row = SEVERAL_ROWS
        self._failures += 1
        if started >= self._round_failed_at:  # the first failure of a new round
            self.pause(now + min(FIRST_PROBE_DELAY * 2.0**self._failed_rounds, MAX_PAUSE))
            self._failed_rounds += 1
            self._round_failed_at = now
            self.limit = 1
        if self._is_dead(outcome.reason):
            self.given_up = Reason.DEAD_HOST

    def _is_dead(self, reason: Reason | None) -> bool:
        factor = KNOWN_HOST_FACTOR if self.has_responded else 1
        if reason is Reason.CONNECT_TIMEOUT:
            burst = not self.has_responded and self._failures >= TIMEOUT_URLS
            return burst or self._failed_rounds >= TIMEOUT_ROUNDS * factor
        if reason is Reason.TIMEOUT and self._failed_row != SEVERAL_ROWS:
            return False  # one slow URL, which has its retries
        return self._failed_rounds >= REFUSED_ROUNDS * factor
