"""Learns from the refusals of one host what it allows, and paces requests by it.

A refusal is a 429, or a 503 with Retry-After. Refusals of requests that were under way together are one
round. After a round the host is paused for the time of its Retry-After, else for 1 s, 2 s, 4 s and so on; a
single probe follows each pause. After an accepted probe it goes on in one of three modes:

* `CONCURRENCY`, if the first probe was accepted after a short pause: as many requests at once as were
  accepted together. If the host refuses again nevertheless, it limits the rate.
* `PACE`: requests at regular times. The host's budget was used up at both rounds, so the requests accepted
  between them, divided by the time between them, are its rate.
* `BATCHES`, if the length of the pause mattered: the host may count requests in windows of time, or ban
  clients. As many requests as it accepted before the first round are sent at once, and the interval between
  such batches is bisected. If only a part of a batch is accepted, that gives the rate.

Pace, interval and concurrency are then raised slowly, until the next refusal. A single refusal among many
accepted requests causes no pause.
"""

from __future__ import annotations

import enum
import math
from collections import deque

from ..models.hosts import LearnedLimit

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 180.0, 360.0, 600.0)
"""Seconds of the pauses in a row without Retry-After."""
SHORT_PAUSE = 2.5
"""Seconds of a pause after which an accepted probe does not tell whether the host limits by time."""
LONG_PAUSE = 2
"""Index of the pause from which on a host counts as one that bans, which is not to be provoked."""
MANY = 10
"""Accepted requests after which a single refusal is no limit of the host."""
MARGIN, BAN_MARGIN = 0.97, 0.9
"""The pace is this part of the estimated rate: after short pauses, and after long ones."""
STEADY = 0.07
"""Relative difference of the rates before two rounds up to which the host limits the rate."""
LOWEST_PACE, HIGHEST_PACE = 1 / 600, 400.0
TRIAL_LIMIT, BATCH_LIMIT = 4, 8
"""Concurrent requests, at most, after the first round, and of a batch."""
CLOSE = 1.25
"""Ratio of the shortest sufficient interval to the longest insufficient one at which the bisection ends."""
MAX_STARTS = 200
"""Accepted requests that are remembered."""
EPSILON = 1e-6


class Mode(enum.Enum):
    """What is controlled."""

    CONCURRENCY = "concurrency"
    PACE = "pace"
    BATCHES = "batches"


class RateLimit:
    """What a host allows; created at its first refusal. Times are seconds of the caller's clock.

    Parameters
    ----------
    accepted
        The number of requests that it has accepted so far.
    since
        When the first of them was started; None if none was.
    concurrency, highest_concurrency
        Concurrent requests that are allowed now, and at most.

    Attributes
    ----------
    mode
        What is controlled.
    pace
        Requests per second, in mode `PACE`.
    batch, interval
        Requests in a batch, and seconds from the start of one to the start of the next, in mode `BATCHES`.
    rounds
        The number of rounds, without refused probes.
    pauses
        Pauses in a row without an accepted request in between.
    """

    def __init__(
        self, *, accepted: int, since: float | None, concurrency: int, highest_concurrency: int
    ) -> None:
        self.mode = Mode.CONCURRENCY
        self.concurrency = concurrency
        self.pace = 0.0
        self.batch, self.interval = 0, 0.0
        self.rounds = self.pauses = 0
        self._highest_concurrency = highest_concurrency
        self._burst: float = accepted  # requests accepted before the first round
        self._paused_until = 0.0
        self._pause_seconds = 0.0
        self._first_pause = 0  # index of the pause that worked last
        self._probing = self._probe_sent = False
        # The last round:
        self._round_at = -1.0
        self._unsettled = self._refused = self._accepted_in_round = 0
        self._may_be_single = self._has_retry_after = False
        self._accepted = accepted  # since then, or since the probe after it
        self._accepted_before = 0  # the value of this before the round
        self._learn_from: float | None = None  # when the first refused request was started
        # The time since the budget was used up, or not used yet:
        self._is_used = since is not None
        self._empty_at = self._resumed_at = since or 0.0
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)  # of accepted requests
        self._accepted_since_empty = accepted
        # Mode `CONCURRENCY`: accepted requests until one more is allowed.
        self._wait = self._left_to_wait = 8
        self._was_lowered = False
        self._last_rate = 0.0  # between two rounds
        # Mode `PACE`:
        self._next_at = 0.0
        self._ceiling = self._last_pace = 0.0
        self._step = 0.04
        self._raised_at, self._raised_after = 0.0, 0
        # Mode `BATCHES`:
        self._batch_at = since or 0.0
        self._elapsed = 0.0  # from the start of the batch before
        self._left_in_batch = self._accepted_in_batch = self._batches = 0
        self._too_short, self._long_enough, self._last_long_enough = 0.0, math.inf, math.inf
        self._tested_shorter = False

    @classmethod
    def restored(cls, learned: LearnedLimit, *, parts: int, highest_concurrency: int) -> RateLimit:
        """Return the limit that an earlier run has learned, divided by `parts`."""
        concurrency = min(highest_concurrency, max(1, learned.concurrency // parts))
        limit = cls(accepted=0, since=None, concurrency=concurrency, highest_concurrency=highest_concurrency)
        if learned.pace:
            limit.rounds = 1
            limit._burst = math.inf
            limit._set_pace(learned.pace / parts / MARGIN, 0.0)
        return limit

    @property
    def rate(self) -> float | None:
        """Requests per second; None if only concurrency is limited."""
        if self.mode is Mode.BATCHES:
            return self.batch / self.interval if self.interval else None
        return self.pace if self.mode is Mode.PACE else None

    def learned(self, parts: int = 1) -> LearnedLimit | None:
        """Return what has been learned, for all of the host's `parts`; None if nothing has."""
        if not self.is_known:
            return None
        return LearnedLimit(self.rate and self.rate * parts, self.concurrency * parts)

    @property
    def is_known(self) -> bool:
        """Whether it has been learned what the host allows."""
        if self.mode is Mode.CONCURRENCY:  # one round may be chance, or a limit of the rate
            return self.rounds > 1 or (self.rounds == 1 and self._accepted >= 3 * MANY)
        return self.mode is Mode.PACE or (self._tested_shorter and self._too_short > 0)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is sent but a probe, after a pause."""
        return self._probing

    @property
    def is_refusing(self) -> bool:
        """Whether it has accepted no request since the last round."""
        return self._probing and self.pauses > 0

    def can_start(self, now: float, in_flight: int) -> bool:
        """Whether one more request may be sent now."""
        if now < self.next_start() - EPSILON:
            return False
        if self._probing:
            return not self._probe_sent or not in_flight  # the result of a probe may be lost
        return in_flight < self.concurrency

    def next_start(self) -> float:
        """Return the time before which no request may be sent."""
        return self._paused_until if self._probing else max(self._paused_until, self._next_at)

    def shorten_pause(self, until: float) -> None:
        """Probe at this time at the latest, unless the host has asked to wait longer."""
        if self._probing and not self._has_retry_after:
            self._paused_until = min(self._paused_until, until)

    def record_start(self, now: float) -> None:
        """Record that a request is sent."""
        if not self._is_used:
            self._is_used = True
            self._empty_at = self._resumed_at = self._raised_at = self._batch_at = now
        self._probe_sent = self._probing
        if self.mode is Mode.PACE:
            self._next_at = max(self._next_at, now - 0.2 / self.pace) + 1 / self.pace
        elif self.mode is Mode.BATCHES and not self._probing:
            self._left_in_batch -= 1
            if self._left_in_batch <= 0:
                self._end_batch(now)

    def record_accepted(self, *, started: float, now: float, in_flight: int) -> None:
        """Record an answer that is no refusal; `in_flight` counts the other requests."""
        self._accepted += 1
        self._accepted_in_batch += 1
        self._burst += not self.rounds
        if started >= self._empty_at:
            self._accepted_since_empty += 1
            self._starts.append(started)
        if started <= self._round_at:
            self._accepted_in_round += 1
            self._burst += self.rounds == 1 and self.mode is Mode.CONCURRENCY
            self._settle(now)
        elif self._probe_sent:
            if started >= self._paused_until - EPSILON:
                self._resume(started, now)
        elif self.mode is Mode.PACE:
            self._raise_pace(now)
        elif self.mode is Mode.CONCURRENCY:
            self._raise_concurrency(in_flight)

    def record_refused(
        self, *, started: float, now: float, in_flight: int, retry_after: float | None
    ) -> None:
        """Record a refusal; `retry_after` is the number of seconds that the host asks to wait."""
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        if started <= self._round_at:
            self._refused += 1
            self._settle(now)
            return
        was_probe = self._probing and self._probe_sent
        self._round_at, self._unsettled, self._refused, self._accepted_in_round = now, in_flight, 1, 0
        self._has_retry_after = retry_after is not None
        self._may_be_single = (
            self._accepted >= MANY
            and not self._has_retry_after
            and not was_probe
            and self.mode is not Mode.BATCHES
            and self._first_pause < LONG_PAUSE
        )
        self._accepted_before, self._accepted = self._accepted, 0
        if not was_probe:
            self.rounds += 1
            self.pauses = 0
            self._learn_from = started
        elif self.mode is Mode.BATCHES:
            self._learn_from_refused_batch(started - self._batch_at)
        elif self.mode is Mode.CONCURRENCY:
            self._too_short = started - self._batch_at
        self._pause(now)
        if not in_flight:
            self._settle(now)

    def _pause(self, now: float) -> None:
        if not self._has_retry_after:
            is_batch = self.mode is Mode.BATCHES and self._learn_from is None
            first = 0 if is_batch else self._first_pause
            seconds = PAUSES[min(self.pauses + first, len(PAUSES) - 1)]
            if is_batch and self._long_enough < math.inf:
                seconds = max(seconds, self._batch_at + self._next_interval() - now)
            self._paused_until = max(self._paused_until, now + seconds)
        self._pause_seconds = self._paused_until - now
        self.pauses += 1
        self._probing, self._probe_sent = True, False

    def _settle(self, now: float) -> None:
        """Record a result of the present round; when all are in, learn from it.

        If only one request was refused, the pause ends.
        """
        self._unsettled -= 1
        if self._unsettled > 0 or not self._probing:
            return
        self._learn()
        if self._refused == 1 and self._may_be_single:
            self._may_be_single = self._probing = False
            self._paused_until, self.pauses = now, 0
            self.rounds -= 1

    def _learn(self) -> None:
        """Learn from the last round, unless that is done; all results should be in."""
        started, self._learn_from = self._learn_from, None
        if started is None:
            return
        if self.mode is Mode.BATCHES:
            self._learn_from_part_of_batch()
            if self.mode is Mode.BATCHES and not self._has_retry_after:
                at_least = self._round_at + PAUSES[0]
                self._paused_until = max(at_least, self._batch_at + self._next_interval())
        elif self.mode is Mode.PACE:
            if self._accepted_before < MANY and not self._last_pace:
                self.pace = max(LOWEST_PACE, 0.85 * self.pace)
                return
            self._estimate_pace(started)
        elif self.rounds > 1:
            is_small = self._accepted_before <= 2 * self.concurrency and not self._was_lowered
            rate = self._accepted_since_empty / max(0.01, started - self._empty_at)
            is_steady = abs(rate - self._last_rate) < STEADY * rate
            if (self._may_be_single and not is_steady) or (is_small and self.concurrency > 1):
                self.concurrency = max(1, self.concurrency - 1)
                self._was_lowered = not self._may_be_single
                self._wait *= 1 + self._may_be_single
                self._left_to_wait = self._wait
                if is_small:
                    return
                self._last_rate = rate
            else:
                self._estimate_pace(started)
                if is_steady:  # it may be concurrency all the same, so that a pause has cost time
                    self._ceiling = self._accepted_before / max(0.01, started - self._resumed_at)
        self._empty_at, self._accepted_since_empty = started, 0
        self._starts.clear()

    def _resume(self, started: float, now: float) -> None:
        """Go on after an accepted probe."""
        self._learn()
        is_first = self.rounds == 1 and self.mode is Mode.CONCURRENCY
        self._probing = self._probe_sent = False
        self._resumed_at, self._accepted = now, 1
        self._raised_at, self._raised_after = now, self._accepted
        if self.pauses and not self._has_retry_after:
            self._first_pause = min(self._first_pause + self.pauses - 1, len(PAUSES) - 1)
        if self.mode is Mode.CONCURRENCY:
            held = max(self._accepted_in_round, self.concurrency // 2, 1)
            self.concurrency = min(self.concurrency, held)
        if is_first and not self._burst:  # it refused because of earlier requests, which are not known
            self.rounds, self._burst = 0, 1
            self._batch_at = self._empty_at = started
        elif is_first and self.pauses == 1 and self._pause_seconds <= SHORT_PAUSE:
            self.concurrency = max(1, min(self._accepted_in_round, TRIAL_LIMIT))
        elif is_first or self.mode is Mode.BATCHES:
            self._start_batch(started)
        self.pauses = 0

    # Mode `CONCURRENCY`

    def _raise_concurrency(self, in_flight: int) -> None:
        if in_flight + 1 >= self.concurrency:
            self._left_to_wait -= 1
            if self._left_to_wait <= 0:
                self._left_to_wait = self._wait
                self.concurrency = min(self._highest_concurrency, self.concurrency + 1)

    # Mode `PACE`

    def _estimate_pace(self, started: float) -> None:
        """Estimate the rate of a budget that is used up now, as it was at the last round.

        It may have been full in between, at the start of one of the accepted requests.
        """
        count = len(self._starts)
        seconds = max(0.01, started - self._empty_at)
        average = max(1, self._accepted_since_empty) / seconds
        bounds = (
            (count - index + 1 - self._burst) / max(0.01, started - start)
            for index, start in enumerate(self._starts)
        )
        highest = max((count + 1) / seconds, *bounds, 0.0)
        if self.mode is Mode.PACE:
            highest = max(average, min(highest, self.pace))
        lowest = max(average, self._last_pace) if self._last_pace < highest else average
        rate = lowest if highest > 1.3 * lowest else math.sqrt(lowest * highest)
        self._set_pace(rate, highest)

    def _set_pace(self, rate: float, ceiling: float) -> None:
        self.mode = Mode.PACE
        is_ban = self._pause_seconds >= PAUSES[LONG_PAUSE] and not self._has_retry_after
        self.pace = max(LOWEST_PACE, min(HIGHEST_PACE, rate * (BAN_MARGIN if is_ban else MARGIN)))
        self.concurrency = self._highest_concurrency
        self._ceiling, self._last_pace, self._step = ceiling, 0.0, 0.04

    def _raise_pace(self, now: float) -> None:
        seconds, accepted = now - self._raised_at, self._accepted - self._raised_after
        if self.pace < 0.9 * self._ceiling:
            if seconds < 0.5 or accepted < 3:
                return
            factor = min(2.0, math.sqrt(self._ceiling / self.pace))
        else:
            if seconds < max(5.0, 5 * self._pause_seconds) or accepted < MANY:
                return
            factor = 1 + self._step
            self._step = min(0.16, 2 * self._step)
        self._last_pace = self.pace
        self.pace *= factor
        self._raised_at, self._raised_after = now, self._accepted

    # Mode `BATCHES`

    def _start_batch(self, started: float) -> None:
        """Start a batch with a probe that was accepted."""
        if self.mode is Mode.CONCURRENCY:
            self.mode = Mode.BATCHES
            self.batch = max(1, int(self._burst))
        elapsed = started - self._batch_at
        if elapsed < self._too_short:
            self._too_short = 0.0  # this is no window
        self._last_long_enough, self._long_enough = self._long_enough, min(self._long_enough, elapsed)
        self._batch_at, self._elapsed = started, elapsed
        self._left_in_batch, self._accepted_in_batch = self.batch - 1, 1
        self.concurrency = min(BATCH_LIMIT, self._highest_concurrency)
        self._batches += 1
        self.interval = self._next_interval()
        if self._left_in_batch <= 0:
            self._end_batch(started)

    def _end_batch(self, now: float) -> None:
        """Wait for the next batch, which begins with a probe; if that is due, batches are not needed."""
        if self._batch_at + self.interval > now + 0.2:
            self._probing, self._probe_sent = True, False
            self._paused_until = max(self._paused_until, self._batch_at + self.interval)
        elif self._has_retry_after:
            self.mode = Mode.CONCURRENCY
        else:
            self._set_pace(self.batch / self._elapsed, HIGHEST_PACE)

    def _next_interval(self) -> float:
        if not self._too_short:
            return self._long_enough / 2
        if not self._tested_shorter:  # to tell a window from a ban
            self._tested_shorter = True
            return self._too_short / 2
        if self._long_enough > CLOSE * self._too_short:
            return math.sqrt(self._long_enough * self._too_short)
        if self._batches >= self._wait:
            self._batches, self._wait = 0, 2 * self._wait
            self._too_short *= 0.9
        return self._long_enough

    def _learn_from_refused_batch(self, elapsed: float) -> None:
        """Learn that the first request of a batch was refused after this interval."""
        if self._tested_shorter and not self._too_short:  # a ban
            rate = self.batch / math.sqrt(elapsed * self._long_enough)
            self._set_pace(rate, rate)
            return
        self._too_short = max(self._too_short, elapsed)
        if self._too_short >= self._long_enough:
            self._long_enough = math.inf

    def _learn_from_part_of_batch(self) -> None:
        """Learn that a part of a batch was refused."""
        accepted, rate = self._accepted_in_batch, self._accepted_in_batch / self._elapsed
        complete = self.batch / self._last_long_enough if self._batches > 1 else 0.0  # rate of the last batch
        if complete and self._too_short and accepted >= self.batch - 1:
            self.batch = max(1, accepted)
        elif complete and self._too_short and rate < 0.9 * complete:
            self._too_short, self._long_enough = self._elapsed, self._last_long_enough
        elif not complete and accepted > 0.7 * self.batch:  # a ban during which the budget has been filled
            self._set_pace(rate, HIGHEST_PACE)
        elif rate < complete:
            self._set_pace(math.sqrt(rate * complete), 0.0)
        else:
            self._set_pace(rate, (accepted + 1) / self._elapsed)
