"""Candidates of several categories that share row groups are yielded in the order of the row groups."""

from __future__ import annotations

import itertools
import random

import pytest

from utils.models.rows import Candidate, UrlRow
from utils.sources.place_order import PlacedStream, PlaceOrder


def stream(order: PlaceOrder, name: str, *groups: int) -> PlacedStream:
    """Open the stream of a category with an image in each of these row groups."""
    placed = [
        (("copy", "file", group), Candidate(UrlRow(number, f"{name}{group}", ""), None, None))
        for number, group in enumerate(groups)
    ]
    return PlacedStream(placed, order)


def consume(*streams: PlacedStream, each: int = 100) -> list[str]:
    """Ask one stream after another for at most `each` candidates, until all are exhausted."""
    yielded = []
    for _round in range(100):
        for one in streams:
            candidates = iter(one.next, None)
            yielded += [candidate.row.image_code for candidate in itertools.islice(candidates, each)]
        if all(one.exhausted for one in streams):
            return yielded
    raise AssertionError(f"streams wait for each other after {yielded}")


@pytest.mark.parametrize("each", [1, 3])
def test_any_groups(each: int) -> None:
    """All candidates of one row group come before any of the next, and none is lost."""
    chance = random.Random(1)
    for _case in range(50):
        order = PlaceOrder()
        groups = [sorted(chance.choices(range(9), k=chance.randrange(6))) for _stream in range(4)]
        yielded = consume(
            *(stream(order, "abcd"[index], *some) for index, some in enumerate(groups)), each=each
        )
        assert sorted(yielded) == sorted(
            f"{'abcd'[index]}{group}" for index, some in enumerate(groups) for group in some
        )
        assert [code[1:] for code in yielded] == sorted(code[1:] for code in yielded)


def test_descending_candidates() -> None:
    """A stream whose own candidates descend, as the reserves of `how_many` can, is not stuck."""
    order = PlaceOrder()
    assert consume(stream(order, "a", 5, 1), stream(order, "b", 3)) == ["b3", "a5", "a1"]


def test_nothing_before_all_are_open() -> None:
    """A stream yields nothing when it is asked first, because the run then opens further categories."""
    order = PlaceOrder()
    first = stream(order, "a", 7)
    assert (first.next(), first.exhausted) == (None, False)
    second = stream(order, "b", 7)
    assert first.next() is second.next() is None
    assert first.next()
    assert (first.exhausted, first.next()) == (True, None)


def test_images_that_are_not_read() -> None:
    """Candidates that will not be read, e.g. of a second run, are yielded at once."""
    order = PlaceOrder()
    first = stream(order, "a", 1)
    saved = PlacedStream([(None, Candidate(UrlRow(number, "b", ""), None, None)) for number in (0, 1)], order)
    assert saved.next()
    assert saved.next()
    assert (saved.exhausted, first.exhausted) == (True, False)


def test_closed_stream() -> None:
    """A category that is closed before its last candidate does not hold up the others."""
    order = PlaceOrder()
    first, second = stream(order, "a", 1, 2), stream(order, "b", 3)
    assert first.next() is second.next() is second.next() is None
    first.close(finished=True)
    assert first.exhausted
    assert second.next()


def test_end_of_a_run() -> None:
    """When the run ends, streams yield all that is left, for the report."""
    order = PlaceOrder()
    first, second = stream(order, "a", 1), stream(order, "b", 3)
    order.ended = True
    assert second.next()
    assert first.next()
