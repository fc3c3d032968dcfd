"""What a second core brings: the web that answers at once, fetched with one worker and with two."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import tables
from .contestants import Contestant, Order, our_images, ours
from .equipment import Equipment
from .errors import BenchmarkError
from .scenarios import immediate
from .workshop import opened

URLS = 4_000
ROUNDS = 3


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it; the web takes its share of the cores, too."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2 or not shutil.which("taskset"):
        raise BenchmarkError("Scaling needs two cores, and the command taskset.")
    walls: dict[int, list[float]] = {1: [], 2: []}
    with opened(equipment, URLS, folder) as workshop:
        for _ in range(ROUNDS):
            for workers, seconds in walls.items():
                cost, _verdict = workshop.race(_on(cores[:workers]), immediate(URLS))
                seconds.append(cost.wall)
        print(f"{workshop.machine()}\n")
    rows = [[f"{n}", f"{min(s):.2f}", f"{URLS / min(s):.0f}"] for n, s in walls.items()]
    print(tables.aligned([["workers", "wall s (best)", "images/s"], *rows]))
    print(f"\nTwo take {min(walls[2]) / min(walls[1]):.2f} of the time that one takes.")
    return 0


def _on(cores: list[int]) -> Contestant:
    """Run ours on some cores only; it has a worker for each."""
    prefix = ["taskset", "--cpu-list", ",".join(map(str, cores))]

    def command(order: Order, _: Equipment) -> list[str | Path]:
        return [*prefix, *ours(order)]

    return Contestant("ours", "", command, our_images)
