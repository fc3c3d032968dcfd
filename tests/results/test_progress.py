"""Counts of a run, and the parts of categories in its total."""

from __future__ import annotations

import pytest

from utils.models.images import ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.progress import CategoryProgress, Progress

ROW = UrlRow(0, "n00000001_1", "http://host/1.jpg")
PICTURE = Picture(ImageFormat.JPEG, 100, 100, 1000, "ab" * 32)


@pytest.mark.parametrize(
    ("outcome", "saved", "failed", "size"),
    [
        (Outcome(ROW, Status.DOWNLOADED, picture=PICTURE), 1, 0, 1000),
        (Outcome(ROW, Status.ALREADY_PRESENT, picture=PICTURE), 0, 0, 0),
        (Outcome(ROW, Status.FAILED, Reason.TOO_SMALL, picture=PICTURE), 0, 1, 0),
        (Outcome(ROW, Status.SKIPPED, Reason.FILLED), 0, 0, 0),
        (Outcome(ROW, Status.NOT_ATTEMPTED, Reason.INTERRUPTED), 0, 0, 0),
    ],
)
def test_count(outcome: Outcome, saved: int, failed: int, size: int) -> None:
    """Existing images and rejected pictures add no bytes to those of this run."""
    progress = Progress()
    progress.count(outcome)
    assert (progress.saved, progress.failed, progress.bytes) == (saved, failed, size)


def test_retract() -> None:
    """A retracted image of this run is no longer counted as saved; one of an earlier run never was."""
    progress, saved = Progress(), Outcome(ROW, Status.DOWNLOADED, picture=PICTURE)
    for _ in range(3):
        progress.count(saved)
    progress.retract(saved)
    progress.retract(Outcome(ROW, Status.ALREADY_PRESENT, picture=PICTURE))
    assert (progress.saved, progress.failed, progress.bytes) == (2, 2, 2000)


def test_total() -> None:
    """The total is the sum of what is expected of the categories."""
    progress = Progress()
    parts = [CategoryProgress(progress, 10), CategoryProgress(progress, 5)]
    assert (progress.total, progress.done) == (15, 0)
    parts[0].advance(4)
    parts[1].advance()
    assert (progress.total, progress.done) == (15, 5)


def test_more_than_expected() -> None:
    """A category never advances beyond what is expected of it."""
    progress = Progress()
    part = CategoryProgress(progress, 3)
    part.advance(2)
    part.advance(5)
    assert (progress.total, progress.done) == (3, 3)


def test_end() -> None:
    """At its end a category's estimate becomes what was done, and no longer changes."""
    progress = Progress()
    part, other = CategoryProgress(progress, 10), CategoryProgress(progress, 5)
    part.advance(4)
    part.end()
    part.end()
    part.advance(3)
    assert (progress.total, progress.done) == (9, 4)
    other.advance(5)
    other.end()
    assert (progress.total, progress.done) == (9, 9)
