"""What a source of candidates is, and the first of them: the URL table.

An offer never blocks. Rows of the URL table are there at once; what an archive has (see `archive.offer`) is
read while it is downloaded, so there may be nothing at present and more later.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Protocol

from ..models.rows import Candidate


class Source(Protocol):
    """Candidates, one after the other."""

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""

    @property
    def problem(self) -> str:
        """Why it ended badly, in a sentence; empty if it did not."""

    def next(self) -> Candidate | None:
        """Give the next one; None if there is none at present."""

    def close(self, *, finished: bool) -> None:
        """End it; if the work is not `finished`, a later run is to go on where this one ends."""


class UrlTableSource:
    """The first so many candidates of the URL table, or all of them (-1)."""

    problem = ""

    def __init__(self, candidates: Iterator[Candidate], limit: int) -> None:
        self.exhausted = False
        self._candidates = candidates if limit < 0 else itertools.islice(candidates, limit)

    def next(self) -> Candidate | None:
        """Give the next one; None if there are no more."""
        candidate = next(self._candidates, None)
        self.exhausted = candidate is None
        return candidate

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  # the table is there for the next run, too
        """Let go of the table."""
        self.exhausted, self._candidates = True, iter(())
