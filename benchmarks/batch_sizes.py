"""Compare the default number of concurrent downloads with fixed numbers, on half-dead URLs."""

from __future__ import annotations

from pathlib import Path

from . import tables
from .bench import opened
from .downloaders import part_of_imagenet
from .scenarios import half_dead
from .targets import Target
from .tools import Tools

URLS = 3_000
FIXED = (64, 128, 256, 512)
DEFAULT = "default"


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    flags = {DEFAULT: (), **{f"{number}": ("--batch_size", f"{number}") for number in FIXED}}
    walls = {}
    with opened(tools, URLS, folder) as bench:
        print(bench.machine(), flush=True)
        for name, given in flags.items():
            downloader = part_of_imagenet(*given, set_batch_size=False)
            cost, evaluation = bench.measure(downloader, half_dead(URLS))
            print(f"  {name}: {cost.wall:.1f} s, {evaluation}", flush=True)
            walls[name] = cost.wall
    rows = [[name, f"{wall:.1f}"] for name, wall in walls.items()]
    print(f"\n{tables.aligned([['concurrent downloads', 'wall s'], *rows])}\n")
    best = min(wall for name, wall in walls.items() if name != DEFAULT)
    print(
        Target(
            "S3: wall time with the default / with the best fixed number", 1.5, walls[DEFAULT] / best
        ).line()
    )
    return 0
