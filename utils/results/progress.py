"""How far a run has come, for the bar on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.tasks import Outcome
from ..reasons import Status


@dataclass
class Progress:
    """Counts of this run.

    Attributes
    ----------
    total
        Images or URLs to be dealt with, as far as can be told before; corrected as categories end.
    done
        How many of them are dealt with.
    before
        How many of these were dealt with by earlier runs.
    in_flight
        Images that are being fetched, where that is known.
    saved, failed
        Images saved, and URLs that failed.
    bytes
        Of the images saved.
    """

    total: int = 0
    done: int = 0
    before: int = 0
    in_flight: int = 0
    saved: int = 0
    failed: int = 0
    bytes: int = 0

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.total + other.total,
            self.done + other.done,
            self.before + other.before,
            self.in_flight + other.in_flight,
            self.saved + other.saved,
            self.failed + other.failed,
            self.bytes + other.bytes,
        )

    def count(self, outcome: Outcome) -> None:
        """Take an outcome of this run into account."""
        self.saved += outcome.status is Status.DOWNLOADED
        self.failed += outcome.status is Status.FAILED
        if outcome.status is Status.DOWNLOADED and outcome.picture:
            self.bytes += outcome.picture.bytes

    def retract(self, outcome: Outcome) -> None:
        """Take into account that an image was taken back, which stood as this outcome says."""
        self.failed += 1
        if outcome.status is Status.DOWNLOADED:
            self.saved -= 1
            self.bytes -= outcome.picture.bytes if outcome.picture else 0


@dataclass
class Share:
    """One category's part of the total; `expected` is a guess until it ends."""

    progress: Progress
    expected: int
    done: int = 0

    def __post_init__(self) -> None:
        self.progress.total += self.expected

    def advance(self, steps: int = 1) -> None:
        """Go on, but not beyond what was expected."""
        steps = min(steps, self.expected - self.done)
        self.done += steps
        self.progress.done += steps

    def advance_before(self, steps: int) -> None:
        """Go on by what earlier runs had done."""
        was = self.done
        self.advance(steps)
        self.progress.before += self.done - was

    def end(self) -> None:
        """Correct the guess: what is done is all that there was."""
        self.progress.total -= self.expected - self.done
        self.expected = self.done
