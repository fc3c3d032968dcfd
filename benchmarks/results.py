"""The results of a comparison.

Other load on the machine only makes a run slower, so the best round counts for seconds; for memory, junk and
losses the worst round counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .downloaders import CURL
from .evaluation import Evaluation
from .process_cost import Cost


@dataclass(frozen=True)
class Result:
    """One run of a downloader on a scenario."""

    scenario: str
    downloader: str
    cost: Cost
    evaluation: Evaluation


@dataclass(frozen=True)
class Metric:
    """A number of a result, and how it is chosen from several rounds: min or max."""

    of: Callable[[Result], float]
    best: Callable[[Iterable[float]], float]


WALL = Metric(lambda result: result.cost.wall, min)
PROCESSOR = Metric(lambda result: result.cost.processor, min)
PER_IMAGE = Metric(lambda result: result.cost.processor / max(1, result.evaluation.images) * 1000, min)
MEMORY = Metric(lambda result: result.cost.memory, max)
IMAGES = Metric(lambda result: result.evaluation.images, min)
JUNK = Metric(lambda result: result.evaluation.junk, max)
LOST = Metric(lambda result: result.evaluation.lost, max)


@dataclass(frozen=True)
class Results:
    """All results of a comparison.

    Attributes
    ----------
    decoding
        Seconds for decoding all pictures of a scenario without dead URLs; None if not measured.
    """

    all: tuple[Result, ...]
    decoding: float | None = None

    def scenarios(self) -> list[str]:
        """Return the names of the scenarios, in order."""
        return list(dict.fromkeys(result.scenario for result in self.all))

    def downloaders(self, scenario: str) -> list[str]:
        """Return the names of the downloaders of a scenario, in order."""
        return list(dict.fromkeys(one.downloader for one in self.all if one.scenario == scenario))

    def get(self, scenario: str, downloader: str, metric: Metric) -> float | None:
        """Return a metric over all rounds; None without results."""
        rounds = [one for one in self.all if (one.scenario, one.downloader) == (scenario, downloader)]
        return metric.best(metric.of(one) for one in rounds) if rounds else None

    def ratio(self, scenario: str, one: str, other: str, metric: Metric = WALL) -> float | None:
        """Return a downloader's metric divided by another's; None if one of them has no results."""
        first, second = (self.get(scenario, name, metric) for name in (one, other))
        return first / second if first and second else None

    def floor(self, scenario: str) -> float | None:
        """Return the seconds of a downloader that checks images and otherwise costs no more than curl.

        In S1 the processor is the limit: it fetches and decodes. In S2 that may be done while curl waits.
        """
        curl, immediate = (self.get(name, CURL, WALL) for name in (scenario, "S1"))
        if curl is None or immediate is None or self.decoding is None:
            return None
        return max(curl, self.decoding + immediate)
