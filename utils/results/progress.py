"""The progress of a run, for the bar on the screen."""

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
        Expected images or URLs; corrected when a category ends.
    done
        The number of them that are processed.
    before
        The number of those that earlier runs processed.
    in_flight
        Downloads in progress, if known.
    saved, failed
        Images saved, and URLs that failed.
    bytes
        Size of the images saved.
    present
        Images that earlier runs saved.
    """

    total: int = 0
    done: int = 0
    before: int = 0
    in_flight: int = 0
    saved: int = 0
    failed: int = 0
    bytes: int = 0
    present: int = 0

    @property
    def there(self) -> int:
        """Images saved by this run and earlier ones."""
        return self.present + self.saved

    def count(self, outcome: Outcome) -> None:
        """Count an outcome of this run."""
        self.saved += outcome.status is Status.DOWNLOADED
        self.failed += outcome.status is Status.FAILED
        if outcome.status is Status.DOWNLOADED and outcome.picture:
            self.bytes += outcome.picture.bytes

    def retract(self, outcome: Outcome) -> None:
        """Count a saved image, whose outcome this is, as failed."""
        self.failed += 1
        if outcome.status is Status.DOWNLOADED:
            self.saved -= 1
            self.bytes -= outcome.picture.bytes if outcome.picture else 0
        else:
            self.present -= 1


@dataclass
class CategoryProgress:
    """The part of one category in the total; `expected` is an estimate until `end`."""

    progress: Progress
    expected: int
    done: int = 0

    def __post_init__(self) -> None:
        self.progress.total += self.expected

    def advance(self, steps: int = 1) -> None:
        """Count steps as done, but not more than expected."""
        steps = min(steps, self.expected - self.done)
        self.done += steps
        self.progress.done += steps

    def advance_before(self, steps: int) -> None:
        """Count steps that earlier runs did."""
        done = self.done
        self.advance(steps)
        self.progress.before += self.done - done

    def end(self) -> None:
        """Set the estimate to what was done."""
        self.progress.total -= self.expected - self.done
        self.expected = self.done
