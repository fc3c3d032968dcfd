"""Compare a run with two Dask workers with an ordinary run."""

from __future__ import annotations

from pathlib import Path

from . import tables
from .bench import opened
from .downloaders import part_of_imagenet
from .scenarios import half_dead, immediate, slow
from .tools import Tools

URLS = 8_000
ROUNDS = 2


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    flags: dict[str, tuple[str, ...]] = {"ordinary run": (), "--scheduler local": ("--scheduler", "local")}
    rows = []
    with opened(tools, URLS, folder) as bench:
        for scenario in (immediate(URLS), slow(URLS), half_dead(URLS)):
            ordinary = None
            for name, given in flags.items():
                downloader = part_of_imagenet(*given, set_batch_size=False)
                runs = [bench.measure(downloader, scenario) for _ in range(ROUNDS)]
                cost, evaluation = min(runs, key=lambda measured: measured[0].wall)
                ordinary = ordinary or cost.wall
                ratio = f"{cost.wall / ordinary:.2f}"
                rows.append([scenario.name, name, f"{cost.wall:.2f}", ratio, f"{evaluation.images:,}"])
        print(f"{bench.machine()}\n")
    print(tables.aligned([["scenario", "", "wall s (best)", "ratio", "images"], *rows]))
    print("\nThe start of a scheduler with two workers is included.")
    return 0
