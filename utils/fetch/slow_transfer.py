"""Whether a body that only drips can still come in time: seen early, so that it holds up nobody.

A server that sends a little now and then keeps a place occupied until its time is over, and a run waits for
it in the end. One that stalls and may yet send everything at once is another matter: that is waited for.
"""

from __future__ import annotations

WATCHED = 1.5
"""Seconds from the first piece on before anything is said."""
ARRIVALS, APART = 2, 0.25
"""Further pieces that must have come by then, and seconds between those that count as two."""
BEST_CASE = 4.0
"""How many times as fast it may yet become."""


class SlowTransferDetector:
    """How a body arrives; times are seconds of the caller's clock, sizes bytes of body in all.

    Parameters
    ----------
    deadline
        When it must be there.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.restart()

    def restart(self) -> None:
        """Forget what was seen: it was we who waited."""
        self._begun = self._counted = -1.0
        self._first = self._arrivals = 0

    def is_hopeless(self, received: int, expected: int, now: float) -> bool:
        """Take note that a piece came; say whether the rest cannot come in time any more.

        Parameters
        ----------
        received, expected
            With this piece, and in the end; `expected` is 0 if nobody knows.
        """
        if self._begun < 0:
            self._begun = self._counted = now
            self._first = received
            return False
        if now - self._counted >= APART:
            self._arrivals += 1
            self._counted = now
        if now - self._begun < WATCHED or self._arrivals < ARRIVALS:
            return False
        speed = (received - self._first) / (now - self._begun)
        return expected - received > BEST_CASE * speed * max(0.0, self.deadline - now)
