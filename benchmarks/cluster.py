"""What Dask costs: living URLs fetched by the worker processes of one run, and by two Dask workers."""

from __future__ import annotations

from pathlib import Path

from . import tables
from .contestants import Contestant, Order, our_images, ours_unbounded
from .equipment import Equipment
from .scenarios import half_dead, immediate, slow
from .workshop import opened

URLS = 8_000
ROUNDS = 2


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it."""
    contestants = {"ours": _told(), "ours, --scheduler local": _told("--scheduler", "local")}
    rows = []
    with opened(equipment, URLS, folder) as workshop:
        for scenario in (immediate(URLS), slow(URLS), half_dead(URLS)):
            best = {
                name: min(
                    (workshop.race(one, scenario) for _ in range(ROUNDS)), key=lambda raced: raced[0].wall
                )
                for name, one in contestants.items()
            }
            alone = best["ours"][0].wall
            rows += [
                [scenario.name, name, f"{cost.wall:.2f}", f"{cost.wall / alone:.2f}", f"{verdict.images:,}"]
                for name, (cost, verdict) in best.items()
            ]
        print(f"{workshop.machine()}\n")
    print(tables.aligned([["scenario", "who", "wall s (best)", "ratio", "images"], *rows]))
    print("\nStarting a scheduler with two workers is in it; on a cluster they are there.")
    return 0


def _told(*flags: str) -> Contestant:
    def command(order: Order, _: Equipment) -> list[str | Path]:
        return [*ours_unbounded(order), *flags]

    return Contestant("ours", "", command, our_images)
