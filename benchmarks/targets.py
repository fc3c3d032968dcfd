"""Upper limits for measurements, and whether they are met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .downloaders import CURL, IMG2DATASET_DEFAULT, IMG2DATASET_PLAIN, PART_OF_IMAGENET
from .results import JUNK, LOST, PER_IMAGE, WALL, Results


@dataclass(frozen=True)
class Target:
    """An upper limit, and the measured value; None if it was not measured."""

    name: str
    maximum: float
    measured: float | None

    @property
    def result(self) -> str:
        """Whether the target is met, in words."""
        if self.measured is None:
            return "not measured"
        return "met" if self.measured <= self.maximum else "NOT MET"

    def line(self) -> str:
        """Return a line for the screen."""
        measured = "-" if self.measured is None else f"{self.measured:.2f}"
        return f"{self.result:<12}  {measured:>6}  at most {self.maximum:<5g}  {self.name}"


def _ratio(scenario: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(scenario, PART_OF_IMAGENET, other)


def _times_floor(scenario: str) -> Callable[[Results], float | None]:
    def measure(results: Results) -> float | None:
        wall, floor = results.get(scenario, PART_OF_IMAGENET, WALL), results.floor(scenario)
        return wall / floor if wall and floor else None

    return measure


COMPARISON_TARGETS: tuple[tuple[str, float, Callable[[Results], float | None]], ...] = (
    ("S1: wall time / img2dataset without re-encoding", 0.5, _ratio("S1", IMG2DATASET_PLAIN)),
    ("S1: wall time / img2dataset by default", 0.2, _ratio("S1", IMG2DATASET_DEFAULT)),
    ("S1: CPU ms for each saved image", 2.6, lambda found: found.get("S1", PART_OF_IMAGENET, PER_IMAGE)),
    ("S1: wall time / (decoding alone + curl)", 1.2, _times_floor("S1")),
    ("S2: wall time / the longer of curl and S1's decoding alone + curl", 1.25, _times_floor("S2")),
    ("S3: wall time / curl", 0.8, _ratio("S3", CURL)),
    ("S3: wall time / img2dataset without re-encoding", 0.15, _ratio("S3", IMG2DATASET_PLAIN)),
    ("S3: junk files saved", 0, lambda found: found.get("S3", PART_OF_IMAGENET, JUNK)),
    ("S3: living images lost", 0, lambda found: found.get("S3", PART_OF_IMAGENET, LOST)),
)


def comparison_targets(results: Results) -> list[Target]:
    """Return the targets of the comparison with their measured values."""
    return [Target(name, maximum, measure(results)) for name, maximum, measure in COMPARISON_TARGETS]
