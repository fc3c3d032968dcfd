"""Everybody on every scenario, in turns; tables on the screen, as Markdown and as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import bars, goals, machine, tables
from .contestants import CURL, OURS, PLAIN, Contestant, available
from .equipment import HERE, Equipment
from .errors import BenchmarkError
from .results import Result, Results
from .scenarios import Scenario, half_dead, immediate, slow
from .workshop import Workshop, opened

RESULT = HERE / "result"
SHORT = (OURS, CURL, PLAIN)
SHORT_ROUNDS = 1
IN_SHORT = "With so few URLs everyone's start counts too much: the goals are for the long race."
SCENARIOS = ("S1", "S2", "S3")


@dataclass(frozen=True)
class Plan:
    """Who runs on what, how often and where; None and nothing mean the usual.

    Attributes
    ----------
    short
        A quarter of the URLs, and only those whom the goals speak of.
    folder
        Where images are written; in memory if none is named.
    """

    short: bool = False
    rounds: int | None = None
    scenarios: Sequence[str] = ()
    contestants: Sequence[str] = ()
    folder: Path | None = None


def run(equipment: Equipment, plan: Plan) -> int:
    """Run a race as planned, and show what it came to."""
    chosen = scenarios(plan)
    with opened(equipment, max(len(scenario.links) for scenario in chosen), plan.folder) as workshop:
        print("\n".join([workshop.machine(), *machine.disturbance()]), flush=True)
        results = Results(tuple(_all(workshop, chosen, plan)))
        _conclude(results, {scenario.name: scenario.title for scenario in chosen}, workshop.machine())
    if plan.short:
        print(IN_SHORT)
    return 0


def scenarios(plan: Plan) -> list[Scenario]:
    """Give the scenarios of a plan."""
    sizes = (1000, 750) if plan.short else (4000, 3000)
    all_ = (immediate(sizes[0]), slow(sizes[0]), half_dead(sizes[1]))
    return [one for one in all_ if not plan.scenarios or one.name in plan.scenarios]


def contestants(plan: Plan, scenario: Scenario, there: Sequence[Contestant]) -> list[Contestant]:
    """Give those who run on a scenario."""
    wanted = plan.contestants or (SHORT if plan.short else [one.name for one in there])
    in_it = [one for one in there if not one.only_in or scenario.name in one.only_in]
    return [one for one in in_it if one.name in wanted]


def _all(workshop: Workshop, chosen: Sequence[Scenario], plan: Plan) -> Iterator[Result]:
    """Run round after round; everyone has a turn before anyone has another."""
    for scenario in chosen:
        print(f"\n{scenario.title}; {scenario.living:,} images can be had", flush=True)
        runners = contestants(plan, scenario, available(workshop.equipment))
        rounds = plan.rounds or (SHORT_ROUNDS if plan.short else scenario.rounds)
        for _round, contestant in itertools.product(range(rounds), runners):
            yield from _one(workshop, scenario, contestant)


def _one(workshop: Workshop, scenario: Scenario, contestant: Contestant) -> Iterator[Result]:
    """Let one run; one that does not work here is left out of the table."""
    try:
        cost, verdict = workshop.race(contestant, scenario)
    except BenchmarkError as error:
        print(f"  {contestant.name}: {error}", flush=True)
        return
    print(f"  {contestant.name}: {cost.wall:.2f} s, {verdict.images:,} images", flush=True)
    yield Result(scenario.name, contestant.name, cost, verdict)


def _conclude(results: Results, titles: dict[str, str], where: str) -> None:
    reached = goals.reached(results)
    for name in results.scenarios():
        print(f"\n{titles[name]}\n{tables.aligned(tables.rows(results, name))}")
    print(f"\n{tables.LEGEND}\n")
    print("\n".join(goal.line() for goal in reached))
    RESULT.mkdir(exist_ok=True)
    (RESULT / ".gitignore").write_text("*\n", encoding="utf-8")  # numbers of one machine on one day
    (RESULT / "race.md").write_text(page(results, titles, where), encoding="utf-8")
    (RESULT / "race.svg").write_text(bars.drawn(results, titles, where), encoding="utf-8")
    print(f"\n{where}\nThe same as Markdown and as a picture: {RESULT / 'race.md'}, {RESULT / 'race.svg'}")


def page(results: Results, titles: dict[str, str], where: str) -> str:
    """Write everything as Markdown."""
    parts = ["# Side by side", f"{where}.", "![wall seconds](race.svg)"]
    for name in results.scenarios():
        parts += [f"## {titles[name]}", tables.markdown(tables.rows(results, name))]
    parts += [tables.LEGEND, "## Goals", tables.markdown(tables.goal_rows(goals.reached(results)))]
    return "\n\n".join(parts) + "\n"
