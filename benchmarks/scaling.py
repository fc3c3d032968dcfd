"""Compare one worker with two, on URLs without latency."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from . import tables
from .bench import opened
from .downloaders import Command, Downloader, Job, part_of_imagenet
from .errors import BenchmarkError
from .scenarios import immediate
from .tools import Tools

URLS = 4_000
ROUNDS = 3


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table; the web server uses the same cores."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2 or not shutil.which("taskset"):
        raise BenchmarkError("This measurement requires two cores and the command taskset.")
    walls: dict[int, list[float]] = {1: [], 2: []}
    with opened(tools, URLS, folder) as bench:
        for _ in range(ROUNDS):
            for workers, seconds in walls.items():
                cost, _evaluation = bench.measure(_on_cores(cores[:workers]), immediate(URLS))
                seconds.append(cost.wall)
        print(f"{bench.machine()}\n")
    rows = [[f"{workers}", f"{min(s):.2f}", f"{URLS / min(s):.0f}"] for workers, s in walls.items()]
    print(tables.aligned([["workers", "wall s (best)", "images/s"], *rows]))
    print(f"\nTwo workers take {min(walls[2]) / min(walls[1]):.2f} of the time of one.")
    return 0


def _on_cores(cores: list[int]) -> Downloader:
    """Return our downloader on some cores; it starts one worker for each."""
    ours = part_of_imagenet()

    def command(job: Job, tools: Tools) -> Command:
        return ["taskset", "--cpu-list", ",".join(map(str, cores)), *ours.command(job, tools)]

    return replace(ours, command=command)
