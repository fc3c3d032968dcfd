"""What is to be reached, next to what was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .contestants import CURL, DECODING, OURS, PLAIN
from .results import JUNK, LOST, PER_IMAGE, Figure, Results


@dataclass(frozen=True)
class Goal:
    """Something measured that is to be at most so much."""

    name: str
    most: float
    measure: Callable[[Results], float | None]


@dataclass(frozen=True)
class Reached:
    """A goal, and what was measured; None where those whom it speaks of did not run."""

    name: str
    most: float
    measured: float | None

    @property
    def word(self) -> str:
        """Say whether it is met."""
        if self.measured is None:
            return "not measured"
        return "met" if self.measured <= self.most else "NOT MET"

    def line(self) -> str:
        """Say it on the screen."""
        measured = "-" if self.measured is None else f"{self.measured:.2f}"
        return f"{self.word:<12}  {measured:>6}  at most {self.most:<5g}  {self.name}"


def _times(scenario: str, peer: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(scenario, OURS, peer)


def _worth(scenario: str, figure: Figure) -> Callable[[Results], float | None]:
    return lambda results: results.get(scenario, OURS, figure)


GOALS = (
    Goal("S1: wall time, in that of img2dataset without re-encoding", 0.5, _times("S1", PLAIN)),
    Goal("S1: wall time, in that of img2dataset by default", 0.2, _times("S1", DECODING)),
    Goal("S1: ms of processor for each saved image", 2.6, _worth("S1", PER_IMAGE)),
    Goal("S2: wall time, in that of curl", 1.5, _times("S2", CURL)),
    Goal("S3: wall time, in that of curl", 0.8, _times("S3", CURL)),
    Goal("S3: wall time, in that of img2dataset without re-encoding", 0.15, _times("S3", PLAIN)),
    Goal("S3: junk files saved", 0, _worth("S3", JUNK)),
    Goal("S3: living images lost", 0, _worth("S3", LOST)),
)


def reached(results: Results) -> list[Reached]:
    """Compare the results of a race with its goals."""
    return [Reached(goal.name, goal.most, goal.measure(results)) for goal in GOALS]
