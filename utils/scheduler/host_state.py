"""The state of one host: how many requests it may have at once, when it is paused, whether it is given up.

A host is a name and a port. Its limit of concurrent requests is 3 before its first response, then 8, and
grows by one with each good response up to 32. A 503 halves it; from then on the limit grows by one only after
as many good responses as it allows requests. From the first refusal on (a 429, or a 503
with Retry-After) a `RateLimit` decides how many requests are sent, and when.

A host with connect failures only is given up: after two rounds of connect timeouts (or three timed-out URLs
in one round), or after three rounds of refused connections, or of connections on which nothing is sent. There
are pauses between the rounds, so a host that is just restarting is not given up. A host that repeatedly asks
to wait longer than the run does is given up for this run.

A request that hangs for a few seconds at a host that answers others stops counting against the limit, as
long as there are at most eight requests in all. Otherwise a few hanging URLs would block a host with a low
limit.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ..models.hosts import LearnedLimit
from ..models.tasks import Outcome
from ..reasons import Reason
from .rate_limit import RateLimit

if TYPE_CHECKING:
    from .scheduled_task import ScheduledTask

UNKNOWN_LIMIT, FIRST_LIMIT, HIGHEST_LIMIT = 3, 8, 32
"""Concurrent requests: before the first response of a host, after it, and at most."""
ON_DISK, UNLIMITED = "this disk", 1 << 30
"""The host of images that need no request, and its limit; no other host's name has blanks."""
MAX_PAUSE = 60.0
"""Seconds for which a run waits, at most, for a host to which no connection can be made."""
FIRST_PROBE_DELAY = 0.5
"""Seconds until a host that did not connect is tried again; doubled by each further round."""
CONNECT_FAILURES = frozenset({Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT})
CONNECTED = frozenset({Reason.TIMEOUT, Reason.CONNECTION_ERROR, Reason.TLS_ERROR})
"""Failures after a connection was made. A timeout at a host that never responded is a connect failure."""
TIMEOUT_URLS, TIMEOUT_ROUNDS, REFUSED_ROUNDS = 3, 2, 3
SEVERAL_ROWS = -1
KNOWN_HOST_FACTOR = 2
"""A host that has responded before gets this many times as many rounds."""
TOO_LONG = 3
"""Times that a host may ask to wait longer than the run does, with no accepted request in between."""


def is_refusal(outcome: Outcome) -> bool:
    """Whether the host refused the request because there are too many."""
    return outcome.reason is Reason.RATE_LIMITED or (
        outcome.http_status == 503 and outcome.retry_after is not None
    )


class HostState:
    """The state of one host; times are seconds of the caller's clock.

    Parameters
    ----------
    parts
        The limits are divided by this number, because as many runs use the host at the same time.
    learned
        What an earlier run has learned.

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
    has_responded, has_delivered
        Whether it has ever sent a response, and an image.
    rate_limit
        What it allows, if it has refused requests.
    refused_with
        The HTTP status of its last refusal; 0 if there was none.
    accepted_at
        When it sent its last response that was no refusal.
    tasks
        The tasks that wait for it.
    is_listed, wake_at
        Whether `HostQueues` lists it as ready, and until when as paused.
    """

    __slots__ = (  # a run may know a million hosts
        *("name", "limit", "paused_until", "in_flight", "hanging", "given_up", "has_responded"),
        *("tasks", "is_listed", "wake_at", "parts", "_first_limit", "_highest_limit"),
        *(
            "has_delivered",
            "rate_limit",
            "refused_with",
            "accepted_at",
            "_accepted",
            "_first_start",
            "_too_long",
        ),
        *("_is_up", "_credit", "_throttled_at"),
        *("_failures", "_failed_rounds", "_round_failed_at", "_failed_row"),
    )

    def __init__(self, name: str, parts: int = 1, learned: LearnedLimit | None = None) -> None:
        self.name = name
        self.parts = parts
        limits = [UNLIMITED] * 3 if name == ON_DISK else [UNKNOWN_LIMIT, FIRST_LIMIT, HIGHEST_LIMIT]
        self.limit, self._first_limit, self._highest_limit = (max(1, one // parts) for one in limits)
        self.paused_until = 0.0
        self.in_flight = self.hanging = 0
        self.given_up: Reason | None = None
        self.has_responded = False
        self.tasks: deque[ScheduledTask] | None = None  # an empty deque takes 700 bytes
        self.is_listed = False
        self.wake_at: float | None = None
        self.has_delivered = False
        self.refused_with = 0
        self.accepted_at = 0.0
        self.rate_limit = (
            RateLimit.restored(learned, parts=parts, highest_concurrency=self._highest_limit)
            if learned
            else None
        )
        self._accepted = 0  # requests
        self._first_start: float | None = None
        self._too_long = 0  # requests in a row to wait longer than the run does
        self._is_up = False  # whether a connection was ever made
        self._credit = 0.0  # towards the next increase of the limit
        self._throttled_at = -1.0  # by a 503
        self._failures = 0  # to connect, in a row
        self._failed_rounds = 0
        self._round_failed_at = -1.0
        self._failed_row = SEVERAL_ROWS  # the position of the row, as long as all failures are of one

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to connect failed."""
        return self._failed_rounds > 0 or self.given_up is Reason.DEAD_HOST

    @property
    def is_limited(self) -> bool:
        """Whether it has refused requests, so that its tasks may have to wait."""
        return self.rate_limit is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it limits requests, and nothing is sent but a probe after a pause."""
        return self.rate_limit is not None and self.rate_limit.is_waiting

    def can_start(self, now: float) -> bool:
        """Whether one more request may be sent now."""
        if now < self.paused_until or (self.in_flight and self._too_long >= TOO_LONG):
            return False
        in_flight = self.in_flight
        if self.has_responded and not self._failed_rounds and in_flight < self._first_limit:
            in_flight -= self.hanging
        if self.rate_limit and not self._failed_rounds:
            return self.rate_limit.can_start(now, in_flight)
        return in_flight < self.limit

    def next_start(self) -> float:
        """Return the time before which no request may be sent."""
        return max(self.paused_until, self.rate_limit.next_start() if self.rate_limit else 0.0)

    def can_be_forgotten(self, now: float) -> bool:
        """Whether a new state would allow neither more requests nor more attempts at a dead host."""
        return (
            not self._failed_rounds
            and self._throttled_at < 0
            and not self.rate_limit
            and self.paused_until <= now
        )

    def pause(self, until: float) -> None:
        """Send nothing until a time, or longer if the host is paused already."""
        self.paused_until = max(self.paused_until, until)

    def record_start(self, now: float) -> None:
        """Record that a request is sent."""
        self.in_flight += 1
        if self._first_start is None:
            self._first_start = now
        if self.rate_limit:
            self.rate_limit.record_start(now)

    def record_result(
        self, outcome: Outcome, *, started: float, now: float, max_pause: float = math.inf
    ) -> None:
        """Update the state with the result of a request that was started at `started`.

        Parameters
        ----------
        max_pause
            Seconds that the run waits for this host at most.
        """
        if outcome.from_proxy:
            return
        reason, status = outcome.reason, outcome.http_status
        if not status:
            if reason in CONNECT_FAILURES or (reason is Reason.TIMEOUT and not self.has_responded):
                self._record_connect_failure(outcome, started, now)
                return
            if reason not in CONNECTED:
                return
        self._record_connection(outcome)
        if is_refusal(outcome):
            self._record_refusal(outcome, started=started, now=now, max_pause=max_pause)
        elif status == 503:
            self._record_overload(started, now)
        elif status:
            self._record_accepted(started, now, is_good=status < 500)

    def _record_connection(self, outcome: Outcome) -> None:
        if self._failures or not self._is_up:
            self.limit = self._first_limit
        self._is_up = True
        self._failures = self._failed_rounds = 0
        self.has_responded = self.has_responded or outcome.http_status > 0
        self.has_delivered = self.has_delivered or outcome.status.is_saved

    def _record_overload(self, started: float, now: float) -> None:
        if started >= self._throttled_at:  # else it was sent before the limit was halved
            self._throttled_at, self._credit = now, 0.0
            self.limit = max(1, self.limit // 2)

    def _record_accepted(self, started: float, now: float, *, is_good: bool) -> None:
        self._too_long = 0
        self._accepted += 1
        self.accepted_at = now
        if self.rate_limit:
            self.rate_limit.record_accepted(started=started, now=now, in_flight=self.in_flight)
        elif is_good:
            self._credit += 1.0 if self._throttled_at < 0 else 1.0 / self.limit
            if self._credit >= 1.0:
                self._credit = 0.0
                self.limit = min(self._highest_limit, self.limit + 1)

    def _record_refusal(self, outcome: Outcome, *, started: float, now: float, max_pause: float) -> None:
        self.refused_with = outcome.http_status
        if (outcome.retry_after or 0.0) > max_pause:
            self._too_long += 1
            is_refusing = self.rate_limit is not None and self.rate_limit.is_refusing
            if not self.in_flight and (is_refusing or self._too_long >= TOO_LONG):
                self.given_up = Reason.RATE_LIMITED
            return
        if self.rate_limit is None:
            self.rate_limit = RateLimit(
                accepted=self._accepted,
                since=started if self._first_start is None else self._first_start,
                concurrency=self.limit,
                highest_concurrency=self._highest_limit,
            )
        self.rate_limit.record_refused(
            started=started, now=now, in_flight=self.in_flight, retry_after=outcome.retry_after or None
        )

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
