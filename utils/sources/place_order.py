"""Candidates of several categories in the order in which they lie on disk.

The row groups of parquet files hold images of many categories, and a row group is read as a whole. If one
category were read after another, each of them would read the whole file. So all open categories yield the
candidates of one row group before any of them yields those of the next.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from ..models.rows import Candidate

Place: TypeAlias = tuple[str, str, int]
"""A copy, a file in it, and a row group."""
Placed: TypeAlias = tuple[Place | None, Candidate]
"""A candidate and its place; None if it will not be read, e.g. because its image is saved."""


class PlaceOrder:
    """The places of the next candidates of all open streams.

    Attributes
    ----------
    opened
        The number of streams that have been opened.
    ended
        Whether the order does not matter any more, because the run is about to end.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.ended = False
        self._counts: Counter[Place] = Counter()
        self._places: list[Place] = []  # a heap; places without candidates are removed late

    def add(self, place: Place) -> None:
        """Add the place of a stream's next candidate."""
        if not self._counts[place]:
            heapq.heappush(self._places, place)
        self._counts[place] += 1

    def remove(self, place: Place) -> None:
        """Remove it again."""
        self._counts[place] -= 1

    def is_first(self, place: Place) -> bool:
        """Whether no stream's next candidate has an earlier place."""
        while not self._counts[self._places[0]]:
            del self._counts[heapq.heappop(self._places)]
        return place == self._places[0]


class PlacedStream:
    """The candidates of a category, each yielded when no other open category has one at an earlier place."""

    problem = ""

    def __init__(self, candidates: Iterable[Placed], order: PlaceOrder) -> None:
        self._candidates: Iterator[Placed] = iter(candidates)
        self._order = order
        self._seen_opened = 0
        order.opened += 1
        self._next: Placed | None = None
        self._advance()

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""
        return self._next is None

    def next(self) -> Candidate | None:
        """Return the next candidate; None after the last one, and while others come first."""
        if self._next is None:
            return None
        place, candidate = self._next
        if place and not self._order.ended:
            if self._seen_opened != self._order.opened:  # then even more may be opened now
                self._seen_opened = self._order.opened
                return None
            if not self._order.is_first(place):
                return None
        self._advance()
        return candidate

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  # there is nothing to continue
        """End the stream."""
        self._candidates = iter(())
        self._advance()

    def _advance(self) -> None:
        if self._next and self._next[0]:
            self._order.remove(self._next[0])
        self._next = next(self._candidates, None)
        if self._next and self._next[0]:
            self._order.add(self._next[0])
