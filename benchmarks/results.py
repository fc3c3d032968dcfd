"""The numbers of a race, and their arithmetic.

Whatever else a machine does makes a run slower, and never faster: so of seconds everyone's best round counts.
Of what must not happen, such as junk, it is the worst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .judging import Verdict
from .measuring import Cost


@dataclass(frozen=True)
class Result:
    """What one contestant did in one round of a scenario."""

    scenario: str
    contestant: str
    cost: Cost
    verdict: Verdict


Pick = Callable[[Iterable[float]], float]


@dataclass(frozen=True)
class Figure:
    """A number of a result, and which of several rounds counts: the least, or the most."""

    of: Callable[[Result], float]
    pick: Pick


def _milliseconds_per_image(result: Result) -> float:
    return result.cost.processor / max(1, result.verdict.images) * 1000


WALL = Figure(lambda result: result.cost.wall, min)
PROCESSOR = Figure(lambda result: result.cost.processor, min)
PER_IMAGE = Figure(_milliseconds_per_image, min)
MEMORY = Figure(lambda result: result.cost.memory, max)
IMAGES = Figure(lambda result: result.verdict.images, min)
JUNK = Figure(lambda result: result.verdict.junk, max)
LOST = Figure(lambda result: result.verdict.lost, max)


@dataclass(frozen=True)
class Results:
    """All results of a race."""

    all: tuple[Result, ...]

    def scenarios(self) -> list[str]:
        """Name the scenarios, in the order in which they were run."""
        return list(dict.fromkeys(result.scenario for result in self.all))

    def contestants(self, scenario: str) -> list[str]:
        """Name who ran in a scenario, in order."""
        return list(dict.fromkeys(one.contestant for one in self.all if one.scenario == scenario))

    def get(self, scenario: str, contestant: str, figure: Figure) -> float | None:
        """Give the number that counts of all rounds; None if there was no round."""
        rounds = [one for one in self.all if (one.scenario, one.contestant) == (scenario, contestant)]
        return figure.pick(figure.of(one) for one in rounds) if rounds else None

    def ratio(self, scenario: str, one: str, other: str, figure: Figure = WALL) -> float | None:
        """Give one contestant's seconds divided by another's; None if one of them did not run."""
        mine, theirs = (self.get(scenario, name, figure) for name in (one, other))
        return mine / theirs if mine and theirs else None
