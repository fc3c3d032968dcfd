"""The candidates of a category from one source after another.

The next source is asked when it is certain what the one before could not deliver: when it is exhausted and
nothing of it is in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..models.rows import Candidate
from .base import Request, Source


class SourceChain:
    """The candidates of a category.

    Parameters
    ----------
    is_idle
        Whether no candidate that was given is in flight.
    """

    def __init__(self, request: Request, sources: Sequence[Source], *, is_idle: Callable[[], bool]) -> None:
        self._request, self._sources, self._is_idle = request, sources, is_idle
        self._given: set[str] = set()
        self._later = deque(sources[1:])
        self._source = sources[0]
        self._stream = self._source.stream(request)

    @property
    def exhausted(self) -> bool:
        """Whether no more candidates will come."""
        return self._stream.exhausted and not self._later

    @property
    def problem(self) -> str:
        """Why a source ended badly, in a sentence; empty if it did not."""
        return self._stream.problem

    def next(self) -> Candidate | None:
        """Give the next candidate; None if there is none at present."""
        candidate = self._stream.next()
        if candidate is None and self._stream.exhausted and self._later and self._is_idle():
            self._source = self._later.popleft()
            self._stream = self._source.stream(self._rest())
            candidate = self._stream.next()
        if candidate is not None:
            self._given.add(candidate.row.image_code)
        return candidate

    def stop(self) -> bool:
        """Ask no further source; returns whether all remaining candidates are known at once."""
        self._later.clear()
        for source in self._sources:
            source.stop()
        return self._source.listable

    def close(self, *, finished: bool) -> None:
        """Close the sources; if the work is not `finished`, a later run goes on where this one ends."""
        self._stream.close(finished=finished)
        if finished and not self.problem:
            for source in self._sources:
                source.finish(self._request.category)

    def _rest(self) -> Request:
        """Make the request to the next source: where tries are counted, only what has no image yet."""
        if not self._given or self._request.limit < 0:
            return self._request
        missing = frozenset(self._given.difference(self._request.saved))
        return replace(self._request, limit=-1, only=missing)
