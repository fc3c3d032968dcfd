"""Compare part-of-imagenet with other downloaders on three scenarios."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import chart, decoding, machine, tables
from .bench import Bench, opened
from .downloaders import CURL, IMG2DATASET_PLAIN, PART_OF_IMAGENET, Downloader, available
from .errors import BenchmarkError
from .results import Result, Results
from .scenarios import Scenario, half_dead, immediate, slow
from .targets import comparison_targets
from .tools import HERE, Tools

RESULT = HERE / "result"
SHORT = (PART_OF_IMAGENET, CURL, IMG2DATASET_PLAIN)
DECODING_ROUNDS = 2
SCENARIOS = ("S1", "S2", "S3")


@dataclass(frozen=True)
class Plan:
    """The scenarios, downloaders and rounds of a comparison; None and empty mean the default.

    Attributes
    ----------
    short
        A quarter of the URLs, one round, and the downloaders of the targets only.
    folder
        The folder for images; by default in memory.
    """

    short: bool = False
    rounds: int | None = None
    scenarios: Sequence[str] = ()
    downloaders: Sequence[str] = ()
    folder: Path | None = None


def run(tools: Tools, plan: Plan) -> int:
    """Run a comparison, and print and write its tables."""
    chosen = scenarios(plan)
    with opened(tools, max(len(scenario.links) for scenario in chosen), plan.folder) as bench:
        print("\n".join([bench.machine(), *machine.warnings()]), flush=True)
        results = Results(tuple(_results(bench, chosen, plan)), _decoding(bench, chosen))
        _write(results, {scenario.name: scenario.title for scenario in chosen}, bench.machine())
    if plan.short:
        print("With so few URLs the start of each program weighs too much: the targets are for the long run.")
    return 0


def scenarios(plan: Plan) -> list[Scenario]:
    """Return the scenarios of a plan."""
    sizes = (1000, 750) if plan.short else (4000, 3000)
    all_ = (immediate(sizes[0]), slow(sizes[0]), half_dead(sizes[1]))
    return [one for one in all_ if not plan.scenarios or one.name in plan.scenarios]


def downloaders(plan: Plan, scenario: Scenario, candidates: Sequence[Downloader]) -> list[Downloader]:
    """Return the downloaders of a plan for a scenario."""
    names = plan.downloaders or (SHORT if plan.short else [one.name for one in candidates])
    return [
        one for one in candidates if one.name in names and (not one.only_in or scenario.name in one.only_in)
    ]


def _results(bench: Bench, chosen: Sequence[Scenario], plan: Plan) -> Iterator[Result]:
    """Run all downloaders round by round; one that fails is left out of the table."""
    for scenario in chosen:
        print(f"\n{scenario.title}; {scenario.alive:,} images can be downloaded", flush=True)
        runners = downloaders(plan, scenario, available(bench.tools))
        rounds = plan.rounds or (1 if plan.short else scenario.rounds)
        for _round, downloader in itertools.product(range(rounds), runners):
            try:
                cost, evaluation = bench.measure(downloader, scenario)
            except BenchmarkError as error:
                print(f"  {downloader.name}: {error}", flush=True)
                continue
            print(f"  {downloader.name}: {cost.wall:.2f} s, {evaluation.images:,} images", flush=True)
            yield Result(scenario.name, downloader.name, cost, evaluation)


def _decoding(bench: Bench, chosen: Sequence[Scenario]) -> float | None:
    counts = {len(scenario.links) for scenario in chosen if scenario.alive == len(scenario.links)}
    if not counts:
        return None
    found = min(decoding.seconds(bench.pictures, max(counts)) for _round in range(DECODING_ROUNDS))
    print(f"\nStrict decoding alone, {max(counts):,} pictures: {found:.2f} s", flush=True)
    return found


def _write(results: Results, titles: dict[str, str], machine_description: str) -> None:
    for name in results.scenarios():
        print(f"\n{titles[name]}\n{tables.aligned(tables.rows(results, name))}")
    print(f"\n{tables.LEGEND}\n")
    print("\n".join(target.line() for target in comparison_targets(results)))
    RESULT.mkdir(exist_ok=True)
    (RESULT / ".gitignore").write_text("*\n", encoding="utf-8")
    markdown, svg = RESULT / "comparison.md", RESULT / "comparison.svg"
    markdown.write_text(page(results, titles, machine_description), encoding="utf-8")
    svg.write_text(chart.svg(results, titles, machine_description), encoding="utf-8")
    print(f"\n{machine_description}\nThe same as Markdown and as a chart: {markdown}, {svg}")


def page(results: Results, titles: dict[str, str], machine_description: str) -> str:
    """Return the results as Markdown."""
    parts = ["# Comparison", f"{machine_description}.", "![wall seconds](comparison.svg)"]
    for name in results.scenarios():
        parts += [f"## {titles[name]}", tables.markdown(tables.rows(results, name))]
    targets = tables.target_rows(comparison_targets(results))
    parts += [tables.LEGEND, "## Targets", tables.markdown(targets)]
    return "\n\n".join(parts) + "\n"
