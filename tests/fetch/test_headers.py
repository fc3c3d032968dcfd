"""Values of response headers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.fetch.headers import MAX_DIGITS, MAX_RETRY_AFTER, parse_number, parse_retry_after


@pytest.mark.parametrize("text", ["", " 1", "-1", "+1", "1.0", "1e3", "0x1", "²", "٣", "1_000", "one"])
def test_no_numbers(text: str) -> None:
    """Only ASCII digits are a number."""
    assert parse_number(text) is None


def test_numbers() -> None:
    """Of any length, bounded."""
    assert [parse_number(text) for text in ("0", "0012", "20000000")] == [0, 12, 20_000_000]
    assert parse_number("9" * MAX_DIGITS) == 10**MAX_DIGITS - 1
    assert parse_number("9" * 5000) == 10**MAX_DIGITS


@pytest.fixture(params=["GMT0", "PST8", "IST-5:30"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in other time zones."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("time_zone")
def test_retry_after_as_a_date() -> None:
    """In several forms, all in GMT; a past date means now."""
    now = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT
    for text in (
        "Sun, 06 Nov 1994 08:50:07 GMT",
        "Sunday, 06-Nov-94 08:50:07 GMT",
        "Sun Nov  6 08:50:07 1994",
        "Sun, 06 Nov 1994 08:50:07 -0000",
        "06 Nov 1994 09:50:07 +0100",
    ):
        assert parse_retry_after(text, now) == 30.0
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:07 GMT", now) == 0.0


@given(
    st.text(max_size=40)
    | st.from_regex(
        r"[A-Z][a-z]{2}, \d{1,3} (Jan|Feb|Dec) \d{1,6} \d\d:\d\d:\d\d [+-]?\d{1,25}", fullmatch=True
    )
    | st.sampled_from(["Mon, 01 Jan 0001 00:00:00 -0000", "9" * 5000, "²", "٣", "1e9", "nan", "inf"])
)
def test_any_retry_after_is_bounded(text: str) -> None:
    """Whatever a server sends is a bounded number of seconds, or None."""
    seconds = parse_retry_after(text)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER
