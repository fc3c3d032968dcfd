"""Bodies that arrive too slowly are aborted early; those that may still arrive in time are not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.fetch.slow_transfer import MAX_SPEEDUP, MIN_SECONDS, SlowTransferDetector

DEADLINE = 10.0
SIZE = 100_000


def aborted_at(pieces: Iterable[tuple[float, int]], *, expected: int = SIZE) -> float | None:
    """Return when chunks (seconds, bytes) are found too slow; None if never."""
    pace, received = SlowTransferDetector(DEADLINE), 0
    for now, size in pieces:
        received += size
        if pace.is_too_slow(received, expected, now):
            return now
    return None


def test_slow_body_is_detected_early() -> None:
    """It would take 40 of 10 seconds."""
    assert aborted_at((second, SIZE // 40) for second in range(10)) == 2


def test_body_in_time_is_not_aborted() -> None:
    """Even if it is only just in time, or has to become faster."""
    for share_of_first_half in (0.5, 0.3, 0.21):
        halves = [share_of_first_half, 1 - share_of_first_half]
        pieces = [(tenth / 10, int(SIZE * halves[tenth // 50] / 50)) for tenth in range(100)]
        assert aborted_at(pieces) is None


def test_stalled_body_is_not_aborted() -> None:
    """The rest may arrive at once."""
    assert aborted_at([(0.0, 1000), (9.5, 20_000), (9.6, 79_000)]) is None
    assert aborted_at([(0.0, 1000), (0.01, 1000), (0.02, 1000), (6.0, 1000), (6.1, 96_000)]) is None


def test_unknown_length_is_not_aborted() -> None:
    """Every chunk may be the last."""
    assert aborted_at(((second, 10) for second in range(10)), expected=0) is None


def test_own_pauses_do_not_count() -> None:
    """The detector starts again after a pause."""
    pace = SlowTransferDetector(DEADLINE)
    for now in (0.0, 1.0, 1.4):
        assert not pace.is_too_slow(1000, SIZE, now)
    pace.restart()
    for now in (3.0, 3.5, 4.0):
        assert not pace.is_too_slow(2000, SIZE, now)


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.integers(1, SIZE)), min_size=1, max_size=60))
def test_no_body_in_time_is_aborted(steps: list[tuple[float, int]]) -> None:
    """Unless it would have had to become four times as fast."""
    pieces, now, received = [], 0.0, 0
    for wait, size in steps:
        now, received = now + wait, received + size
        pieces.append((now, size))
    given_up = aborted_at(pieces, expected=received)
    if given_up is None or now > DEADLINE:
        return
    first, seen = pieces[0], sum(size for at, size in pieces if at <= given_up)
    speed = (seen - first[1]) / (given_up - first[0])
    needed = (received - seen) / (now - given_up)
    assert given_up - first[0] >= MIN_SECONDS
    assert needed == pytest.approx(MAX_SPEEDUP * speed) or needed > MAX_SPEEDUP * speed
