"""What memory a run takes for a few thousand URLs, and for a hundred thousand: it must not grow with them."""

from __future__ import annotations

from pathlib import Path

from . import tables
from .contestants import CONTESTANTS
from .equipment import Equipment
from .goals import Reached
from .scenarios import mostly_missing
from .workshop import opened

FEW, MANY = 4_000, 100_000
ROUNDS = 3  # of the few: they end so soon that the worst moment may fall between two samples
OUR_SCRIPT = CONTESTANTS[0]
GOAL = "memory for 100,000 URLs, in that for 4,000"
MOST = 1.3


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it."""
    rows = [["URLs", "peak MB", "of it the parent", "wall s", "images", "junk", "lost"]]
    peaks = []
    with opened(equipment, FEW, folder) as workshop:
        for how_many, rounds in ((FEW, ROUNDS), (MANY, 1)):
            runs = [workshop.race(OUR_SCRIPT, mostly_missing(how_many, FEW)) for _ in range(rounds)]
            cost, verdict = max(runs, key=lambda run: run[0].memory)
            peaks.append(cost.memory)
            sizes = [f"{size / tables.MEGABYTE:.0f}" for size in (cost.memory, cost.own_memory)]
            counts = [f"{number:,}" for number in (verdict.images, verdict.junk, verdict.lost)]
            rows.append([f"{how_many:,}", *sizes, f"{cost.wall:.1f}", *counts])
        print(f"{workshop.machine()}\n\n{tables.aligned(rows)}\n")
    print(Reached(GOAL, MOST, peaks[1] / peaks[0]).line())
    return 0
