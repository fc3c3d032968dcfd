"""The download report of a category: a CSV with one row for every URL considered. The keeper of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pandas

from .models import Outcome
from .storage import whole_file

COLUMNS = [
    "image_code",
    "url",
    "status",
    "reason",
    "description",
    "http_status",
    "attempts",
    "seconds",
    "file",
    "format",
    "width",
    "height",
    "bytes",
    "sha256",
    "boxes",
]
ROWS_AT_ONCE = 5_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "|")


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the report, whole; UTF-8, comma-separated, one header line.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets
    hide.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    remaining = iter(outcomes)
    with whole_file(path) as file:
        pandas.DataFrame(columns=COLUMNS).to_csv(file, index=False, lineterminator="\n")
        while rows := [_row(outcome) for outcome in islice(remaining, ROWS_AT_ONCE)]:
            frame = pandas.DataFrame(rows, columns=COLUMNS, dtype=object)
            frame.to_csv(file, index=False, header=False, lineterminator="\n", errors="replace")


def _row(outcome: Outcome) -> list[str]:
    return [_harmless(str(value)) for value in _values(outcome)]


def _values(outcome: Outcome) -> Iterator[object]:
    yield outcome.row.image_code
    yield outcome.row.url
    yield outcome.status.value
    yield outcome.reason_word
    yield outcome.description
    yield outcome.http_status or ""
    yield outcome.attempts
    yield f"{outcome.seconds:.3f}"
    yield outcome.file
    picture = outcome.picture
    yield from (
        (picture.format.value, picture.width, picture.height, picture.bytes, picture.sha256)
        if picture
        else ("",) * 5
    )
    yield "" if outcome.boxes is None else outcome.boxes


def _harmless(text: str) -> str:
    text = text.replace("\r", "%0D")  # unquoted, it would end the row
    return "'" + text if text.startswith(FORMULA_STARTS) else text
