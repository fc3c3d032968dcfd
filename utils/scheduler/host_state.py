"""What is known of one host, and how it is treated: politely while it lives, not at all when it is dead.

A host is a name and a port. It gets 3 requests at once until it has answered, then 8, one more for each good
answer up to 32, half as many after "too many requests", and a rest for as long as it asks; from then on it
takes as many good answers as it may have requests to earn one more. A host that gives nothing but connect
failures is given up when that is sure: after two rounds of silence (or three URLs in one), or three rounds of
refusals, or of connections on which nobody speaks, with rests in between, so that one that just restarts is
not lost. One that has nothing but "too many requests" to say, rest after rest, is left for the next run.

What hangs at a host that answers others keeps those back no longer than a moment, as long as there are no
more than the first eight in all: else a few URLs that hang would hold a host up that may be asked little.
"""

from __future__ import annotations

from ..models.tasks import Outcome
from ..reasons import Reason

UNKNOWN_LIMIT, FIRST_LIMIT, HIGHEST_LIMIT = 3, 8, 32
"""Requests at once: of a host that nobody has heard of yet, of one that has answered, and at most."""
LONGEST_REST = 60.0
"""Seconds for which a host is left alone at its word; whoever asks for more fails the URL."""
FIRST_REST = 2.0
"""Seconds of rest after a "too many requests" that names no time; doubled by each further one."""
FIRST_PROBE = 0.5
"""Seconds until a host that did not connect is tried again; doubled by each further round."""
CONNECT_FAILURES = frozenset({Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT})
CONNECTED = frozenset({Reason.TIMEOUT, Reason.CONNECTION_ERROR, Reason.TLS_ERROR})
"""Failures that show all the same that somebody is there; but one who accepts, and never says a word to
anyone, is nobody."""
SILENT_URLS, SILENT_ROUNDS, REFUSING_ROUNDS = 3, 2, 3
PATIENCE_WITH_THE_GOOD = 2
"""A host that once answered is given this many times as many rounds."""
MOST_RESTS = 6
"""Rests in a row without one good answer, after which a host is left for the next run."""


def waits_too_long(outcome: Outcome) -> bool:
    """Whether the host wants to be left alone for longer than a run can wait."""
    return (outcome.retry_after or 0.0) > LONGEST_REST


def asks_for_less(outcome: Outcome) -> bool:
    """Whether the answer means that the host has too much to do."""
    return outcome.reason is Reason.RATE_LIMITED or outcome.http_status == 503


class HostState:
    """One host's record; times are seconds of the caller's clock.

    Parameters
    ----------
    parts
        By how many its limits are divided, for as many runs ask it at the same time.
    """

    __slots__ = (  # there may be a million of them
        *("name", "limit", "rest_until", "in_flight", "hanging", "given_up"),
        *("_parts", "_known", "_answered", "_earned", "_slowed_at", "_rests"),
        *("_failures", "_rounds", "_struck_at"),
    )

    def __init__(self, name: str, parts: int = 1) -> None:
        self.name = name
        self._parts = parts
        self.limit = self._of(UNKNOWN_LIMIT)
        self.rest_until = 0.0
        self.in_flight = self.hanging = 0
        self.given_up: Reason | None = None
        self._known = self._answered = False  # whether anybody is there; whether anybody said anything
        self._earned = 0.0  # of the next request at once
        self._slowed_at = -1.0
        self._rests = 0
        self._failures = 0
        self._rounds = 0
        self._struck_at = -1.0

    @property
    def has_answered(self) -> bool:
        """Whether it has ever answered."""
        return self._answered

    @property
    def doubtful(self) -> bool:
        """Whether it did not connect when it was last tried."""
        return self._rounds > 0 or self.given_up is Reason.DEAD_HOST

    def may_be_forgotten(self, now: float) -> bool:
        """Whether a new record would treat it no less politely, and give a dead one no more tries."""
        return not self._rounds and self._slowed_at < 0 and self.rest_until <= now

    @property
    def has_room(self) -> bool:
        """Whether it may have one more request in flight."""
        if self.in_flight < self.limit:
            return True
        is_well = self._answered and not self._rounds
        return (
            is_well and self.in_flight - self.hanging < self.limit and self.in_flight < self._of(FIRST_LIMIT)
        )

    def may_start(self, now: float) -> bool:
        """Whether it may be sent one more request now."""
        return self.has_room and now >= self.rest_until

    def learn(self, outcome: Outcome, *, started: float, now: float) -> None:
        """Draw the consequences from the end of a request that was started at `started`."""
        if outcome.proxy_at_fault:
            return
        if asks_for_less(outcome):
            self._slow_down(outcome, started, now)
        elif outcome.http_status:
            self._answered_well(outcome)
        elif outcome.reason in CONNECT_FAILURES or self._said_nothing(outcome):
            self._did_not_connect(outcome, started, now)
        elif outcome.reason in CONNECTED:
            self._lives()

    def _said_nothing(self, outcome: Outcome) -> bool:
        return outcome.reason is Reason.TIMEOUT and not self._answered

    def _lives(self) -> None:
        if self._failures or not self._known:
            self.limit = self._of(FIRST_LIMIT)
        self._known = True
        self._failures = self._rounds = 0

    def _answered_well(self, outcome: Outcome) -> None:
        self._lives()
        self._answered = True
        self._rests = 0
        if outcome.http_status < 500:
            self._earned += 1.0 if self._slowed_at < 0 else 1.0 / self.limit
        if self._earned >= 1.0:
            self._earned = 0.0
            self.limit = min(self._of(HIGHEST_LIMIT), self.limit + 1)

    def _of(self, limit: int) -> int:
        return max(1, limit // self._parts)

    def _slow_down(self, outcome: Outcome, started: float, now: float) -> None:
        self._lives()
        self._answered = True
        if started < self._slowed_at:  # sent before: the limit has been halved for this already
            if not waits_too_long(outcome):
                self.rest(now + (outcome.retry_after or 0.0))
            return
        self._slowed_at = now
        self._earned = 0.0
        self.limit = max(1, self.limit // 2)
        rest = self._rest_asked_for(outcome)
        if rest:
            self._rests += 1
            self.rest(now + rest)
        if self._rests > MOST_RESTS:
            self.given_up = Reason.RATE_LIMITED

    def _rest_asked_for(self, outcome: Outcome) -> float:
        if waits_too_long(outcome):
            return 0.0  # fails that URL, and only that
        if outcome.retry_after is None and outcome.reason is Reason.RATE_LIMITED:
            return min(FIRST_REST * 2.0**self._rests, LONGEST_REST)
        return outcome.retry_after or 0.0

    def _did_not_connect(self, outcome: Outcome, started: float, now: float) -> None:
        self._failures += 1
        if started >= self._struck_at:
            self.rest(now + FIRST_PROBE * 2**self._rounds)
            self._rounds += 1
            self._struck_at = now
            self.limit = 1
        if self._is_sure(outcome.reason):
            self.given_up = Reason.DEAD_HOST

    def _is_sure(self, reason: Reason | None) -> bool:
        patience = PATIENCE_WITH_THE_GOOD if self._answered else 1
        if reason is Reason.CONNECT_TIMEOUT:
            burst = not self._answered and self._failures >= SILENT_URLS
            return burst or self._rounds >= SILENT_ROUNDS * patience
        if reason is Reason.TIMEOUT and self._failures == self._rounds:
            return False  # they may all be of one URL, which has its tries
        return self._rounds >= REFUSING_ROUNDS * patience

    def rest(self, until: float) -> None:
        """Leave it alone until a time, or longer if it rests already."""
        self.rest_until = max(self.rest_until, until)
