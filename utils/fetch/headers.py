"""Values of response headers, read within bounds: a server may send anything."""

from __future__ import annotations

import email.utils
import time
from datetime import timezone

MAX_DIGITS = 18
"""Longer numbers are no sizes of files; Python refuses to convert very long ones."""
MAX_RETRY_AFTER = 10**6


def parse_number(text: str) -> int | None:
    """Return a header's number, or None if it is none; a longer one than `MAX_DIGITS` becomes the largest."""
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= MAX_DIGITS else 10**MAX_DIGITS


def parse_retry_after(value: str, now: float | None = None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date; None if it is unusable."""
    text = value.strip()
    seconds: float | None = parse_number(text)
    if seconds is None:
        try:
            date = email.utils.parsedate_to_datetime(text)
            # HTTP's dates are in GMT.
            then = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
        except (TypeError, ValueError, OverflowError, OSError):  # for years and zones out of range
            return None
        seconds = max(0.0, then - (time.time() if now is None else now))
    return min(float(seconds), float(MAX_RETRY_AFTER))
