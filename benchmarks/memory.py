"""Compare the memory of runs with 4,000 and 100,000 URLs."""

from __future__ import annotations

from pathlib import Path

from . import tables
from .bench import opened
from .downloaders import part_of_imagenet
from .scenarios import mostly_missing
from .targets import Target
from .tools import Tools

FEW, MANY = 4_000, 100_000
ROUNDS = 3  # of short runs, whose peak may fall between two samples


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    rows = [["URLs", "peak MB", "of it the parent", "wall s", "images", "junk", "lost"]]
    peaks = []
    with opened(tools, FEW, folder) as bench:
        for count, rounds in ((FEW, ROUNDS), (MANY, 1)):
            runs = [bench.measure(part_of_imagenet(), mostly_missing(count, FEW)) for _ in range(rounds)]
            cost, evaluation = max(runs, key=lambda measured: measured[0].memory)
            peaks.append(cost.memory)
            sizes = [f"{size / tables.MEGABYTE:.0f}" for size in (cost.memory, cost.own_memory)]
            counts = [f"{number:,}" for number in (evaluation.images, evaluation.junk, evaluation.lost)]
            rows.append([f"{count:,}", *sizes, f"{cost.wall:.1f}", *counts])
        print(f"{bench.machine()}\n\n{tables.aligned(rows)}\n")
    print(Target("memory with 100,000 URLs / with 4,000", 1.3, peaks[1] / peaks[0]).line())
    return 0
