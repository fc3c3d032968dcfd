"""The half-dead web with the number in flight that the script chooses, and with others set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import tables
from .contestants import Contestant, Order, our_images, ours, ours_unbounded
from .equipment import Equipment
from .goals import Reached
from .scenarios import half_dead
from .workshop import Workshop, opened

URLS = 3_000
BY_HAND = (64, 128, 256, 512)
GOAL = "S3: wall time with the default, in that of the best set by hand"
MOST = 1.5


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it."""
    with opened(equipment, URLS, folder) as workshop:
        print(workshop.machine(), flush=True)
        walls = dict(_walls(workshop))
    default = walls.pop(None)
    shown = [["the script's choice", f"{default:.1f}"], *([f"{n}", f"{s:.1f}"] for n, s in walls.items())]
    print(f"\n{tables.aligned([['images in flight', 'wall s'], *shown])}\n")
    print(Reached(GOAL, MOST, default / min(walls.values())).line())
    return 0


def _walls(workshop: Workshop) -> Iterator[tuple[int | None, float]]:
    """Give the wall seconds for each number in flight; None is the script's choice."""
    scenario = half_dead(URLS)
    for number in (None, *BY_HAND):
        cost, verdict = workshop.race(_with(number), scenario)
        print(f"  {number or 'default'}: {cost.wall:.1f} s, {verdict}", flush=True)
        yield number, cost.wall


def _with(number: int | None) -> Contestant:
    def command(order: Order, _: Equipment) -> list[str | Path]:
        return ours_unbounded(order) if number is None else ours(replace(order, in_flight=number))

    return Contestant("ours", "", command, our_images)
