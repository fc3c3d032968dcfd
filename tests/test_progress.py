"""The bar's numbers add up, though its total is a guess."""

from __future__ import annotations

import pytest

from utils.models.images import ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.progress import Progress, Share

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
def test_only_what_this_run_saved_counts_as_saved(
    outcome: Outcome, saved: int, failed: int, size: int
) -> None:
    """Images of before, and pictures that were refused, are no bytes of this run."""
    progress = Progress()
    progress.count(outcome)
    assert (progress.saved, progress.failed, progress.bytes) == (saved, failed, size)


def test_what_is_taken_back_is_saved_no_more() -> None:
    """An image of this run leaves the saved ones; one of an earlier run was not among them."""
    progress, saved = Progress(), Outcome(ROW, Status.DOWNLOADED, picture=PICTURE)
    for _ in range(3):
        progress.count(saved)
    progress.retract(saved)
    progress.retract(Outcome(ROW, Status.ALREADY_PRESENT, picture=PICTURE))
    assert (progress.saved, progress.failed, progress.bytes) == (2, 2, 2000)


def test_shares_make_up_the_total() -> None:
    """Each category adds what is expected of it."""
    progress = Progress()
    shares = [Share(progress, 10), Share(progress, 5)]
    assert (progress.total, progress.done) == (15, 0)
    shares[0].advance(4)
    shares[1].advance()
    assert (progress.total, progress.done) == (15, 5)


def test_a_share_never_goes_beyond_its_guess() -> None:
    """More than expected does not push the bar over its end."""
    progress = Progress()
    share = Share(progress, 3)
    share.advance(2)
    share.advance(5)
    assert (progress.total, progress.done) == (3, 3)


def test_the_end_corrects_the_guess() -> None:
    """What was not needed leaves the total; afterwards nothing moves it any more."""
    progress = Progress()
    share, other = Share(progress, 10), Share(progress, 5)
    share.advance(4)
    share.end()
    share.end()
    share.advance(3)
    assert (progress.total, progress.done) == (9, 4)
    other.advance(5)
    other.end()
    assert (progress.total, progress.done) == (9, 9)
