"""A body that drips is given up as soon as the rest cannot come in time; one that may yet come is not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.fetch.slow_transfer import MAX_SPEEDUP, MIN_SECONDS, SlowTransferDetector

DEADLINE = 10.0
SIZE = 100_000


def hopeless_at(pieces: Iterable[tuple[float, int]], *, expected: int = SIZE) -> float | None:
    """Say when pieces (seconds, bytes) are found to be too few; None if never."""
    pace, received = SlowTransferDetector(DEADLINE), 0
    for now, size in pieces:
        received += size
        if pace.is_too_slow(received, expected, now):
            return now
    return None


def test_a_drip_is_seen_soon() -> None:
    """A fortieth of the image each second would take 40 of the 10 seconds that there are."""
    assert hopeless_at((second, SIZE // 40) for second in range(10)) == 2


def test_what_comes_in_time_is_waited_for() -> None:
    """Also if it only just does, and if it needs to become faster than it has been."""
    for share_of_first_half in (0.5, 0.3, 0.21):
        halves = [share_of_first_half, 1 - share_of_first_half]
        pieces = [(tenth / 10, int(SIZE * halves[tenth // 50] / 50)) for tenth in range(100)]
        assert hopeless_at(pieces) is None


def test_a_stall_is_no_drip() -> None:
    """One that sends a little, and everything after a long silence, gets its time."""
    assert hopeless_at([(0.0, 1000), (9.5, 20_000), (9.6, 79_000)]) is None
    assert hopeless_at([(0.0, 1000), (0.01, 1000), (0.02, 1000), (6.0, 1000), (6.1, 96_000)]) is None


def test_of_an_unknown_length_nothing_is_said() -> None:
    """Every piece may be the last."""
    assert hopeless_at(((second, 10) for second in range(10)), expected=0) is None


def test_our_own_pauses_do_not_count() -> None:
    """After a pause everything begins anew."""
    pace = SlowTransferDetector(DEADLINE)
    for now in (0.0, 1.0, 1.4):
        assert not pace.is_too_slow(1000, SIZE, now)
    pace.restart()
    for now in (3.0, 3.5, 4.0):
        assert not pace.is_too_slow(2000, SIZE, now)


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.integers(1, SIZE)), min_size=1, max_size=60))
def test_nothing_is_given_up_that_would_have_come(steps: list[tuple[float, int]]) -> None:
    """Whatever arrives whole in time, and was never four times faster than before, is had."""
    pieces, now, received = [], 0.0, 0
    for wait, size in steps:
        now, received = now + wait, received + size
        pieces.append((now, size))
    given_up = hopeless_at(pieces, expected=received)
    if given_up is None or now > DEADLINE:
        return
    first, seen = pieces[0], sum(size for at, size in pieces if at <= given_up)
    speed = (seen - first[1]) / (given_up - first[0])
    needed = (received - seen) / (now - given_up)
    assert given_up - first[0] >= MIN_SECONDS
    assert needed == pytest.approx(MAX_SPEEDUP * speed) or needed > MAX_SPEEDUP * speed
