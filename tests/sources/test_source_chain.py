"""Several sources of a category, one after another."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

from utils.models.rows import Candidate, Category, UrlRow
from utils.sources.base import Request, Source
from utils.sources.source_chain import SourceChain


class Stream:
    """A stream of fixed candidates."""

    def __init__(self, codes: Collection[str], problem: str = "") -> None:
        self.left = list(codes)
        self.problem = problem
        self.closed: list[bool] = []

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""
        return not self.left

    def next(self) -> Candidate | None:
        """Return the next candidate."""
        return Candidate(UrlRow(0, self.left.pop(0), ""), None, None) if self.left else None

    def close(self, *, finished: bool) -> None:
        """Record the call."""
        self.closed.append(finished)


class FakeSource:
    """A source with one stream."""

    listable = True
    fallbacks = ()

    def __init__(self, stream: Stream) -> None:
        self.only_stream = stream
        self.finished = False

    def stream(self, _request: Request) -> Stream:
        """Return the stream."""
        return self.only_stream

    def finish(self, _category: Category) -> None:
        """Record the call."""
        self.finished = True


def test_all_streams_are_closed_and_all_problems_reported(tmp_path: Path) -> None:
    """Not only the last source counts: each stream is closed, and a problem of any of them is reported."""
    streams = [Stream(["a"], "The first failed."), Stream(["b"]), Stream(["c"], "The third failed.")]
    sources = [FakeSource(stream) for stream in streams]
    request = Request(Category("n00000001", "red", "red"), tmp_path, {}, outcomes=tuple, saved=())
    chain = SourceChain(request, cast("list[Source]", sources), is_idle=lambda: True)
    codes = [candidate.row.image_code for candidate in iter(chain.next, None)]
    assert codes == ["a", "b", "c"]
    assert chain.exhausted
    chain.close(finished=True)
    assert [stream.closed for stream in streams] == [[True]] * 3
    assert chain.problem == "The first failed. The third failed."
    assert not any(source.finished for source in sources)
