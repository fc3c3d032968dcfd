"""The candidates of a category from one source after another.

The next source is used when the previous one is exhausted and none of its candidates is in flight: only then
it is known which images are still missing.
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
        Whether no candidate of the chain is in flight.
    """

    def __init__(self, request: Request, sources: Sequence[Source], *, is_idle: Callable[[], bool]) -> None:
        self._request, self._sources, self._is_idle = request, sources, is_idle
        self._yielded: set[str] = set()
        self._remaining = deque(other for one in sources for other in (one, *one.fallbacks))
        self._remaining.popleft()
        self._source = sources[0]
        self._streams = [self._source.stream(request)]

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""
        return self._streams[-1].exhausted and not self._remaining

    @property
    def problem(self) -> str:
        """Why sources failed, in a sentence for each; empty if none did."""
        return " ".join(stream.problem for stream in self._streams if stream.problem)

    @property
    def reliable(self) -> bool:
        """Whether hardly any candidate of the present source fails."""
        return self._source.reliable

    def next(self) -> Candidate | None:
        """Return the next candidate; None if there is none at present."""
        candidate = self._streams[-1].next()
        if candidate is None and self._streams[-1].exhausted and self._remaining and self._is_idle():
            self._source = self._remaining.popleft()
            self._streams.append(self._source.stream(self._next_request()))
            candidate = self._streams[-1].next()
        if candidate is not None:
            self._yielded.add(candidate.row.image_code)
        return candidate

    def stop(self) -> bool:
        """Use no further source; returns whether all remaining candidates are known at once."""
        self._remaining.clear()
        for source in self._sources:
            source.stop()
        return self._source.listable

    def close(self, *, finished: bool) -> None:
        """Close the streams; if the category is not `finished`, a later run continues them."""
        for stream in self._streams:
            stream.close(finished=finished)
        if finished and not self.problem:
            for source in self._sources:
                source.finish(self._request.category)

    def _next_request(self) -> Request:
        """Return the request to the next source; if URLs tried are counted, for missing images only."""
        if not self._yielded or self._request.limit < 0:
            return self._request
        missing = frozenset(self._yielded.difference(self._request.saved, self._request.excluded))
        return replace(self._request, limit=-1, only=missing)
