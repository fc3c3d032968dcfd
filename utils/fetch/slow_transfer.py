"""Detects early that a body arrives too slowly to be complete in time.

A server that sends a few bytes now and then would occupy a slot until the timeout, and delay the end of a
run. A transfer that stalls is not aborted, because the rest may still arrive at once.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_SECONDS = 1.5
"""Seconds after the first chunk before a transfer is judged."""
MIN_ARRIVALS, ARRIVAL_INTERVAL = 2, 0.25
"""Further chunks that must have arrived by then, and seconds between those that count separately."""
MAX_SPEEDUP = 4.0
"""The factor by which the rest may still arrive faster."""


@dataclass(slots=True)
class SlowTransferDetector:
    """Watches how a body arrives; times are seconds of the caller's clock.

    Parameters
    ----------
    deadline
        When the body must be complete.
    """

    deadline: float
    _first_at: float = -1.0
    _last_at: float = -1.0
    _first_size: int = 0
    _arrivals: int = 0

    def restart(self) -> None:
        """Start again after a pause on this side."""
        self._first_at = self._last_at = -1.0
        self._first_size = self._arrivals = 0

    def is_too_slow(self, received: int, expected: int, now: float) -> bool:
        """Record a chunk; returns whether the rest cannot arrive in time.

        Parameters
        ----------
        received
            Bytes of the body so far, with this chunk.
        expected
            Bytes of the whole body, 0 if unknown.
        """
        if self._first_at < 0:
            self._first_at = self._last_at = now
            self._first_size = received
            return False
        if now - self._last_at >= ARRIVAL_INTERVAL:
            self._arrivals += 1
            self._last_at = now
        if now - self._first_at < MIN_SECONDS or self._arrivals < MIN_ARRIVALS:
            return False
        speed = (received - self._first_size) / (now - self._first_at)
        return expected - received > MAX_SPEEDUP * speed * max(0.0, self.deadline - now)
