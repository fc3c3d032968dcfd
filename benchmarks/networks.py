"""Measure 2,250 URLs of three categories, half of them dead, on slow and fast networks (root only)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import tables
from .bench import Bench, opened
from .downloaders import CURL, Command, Downloader, Job, available, our_command, our_images, part_of_imagenet
from .errors import BenchmarkError
from .scenarios import half_dead
from .tools import HERE, Tools

URLS = 2_250
MEGABITS = (15, 75, 400)
CLONE_NEWNET = 0x40000000  # <sched.h>
QUEUE_MS = 100  # maximum delay of a packet, as in common routers
MIN_BURST = 65_536  # bytes: the largest packet of the kernel
TICKS = 250  # of the kernel's clock per second, at which the token bucket is filled


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    _enter_network_namespace()
    rows = [["Mbit/s", "", "wall s", "images", "lost", "Mbit/s used"]]
    with opened(tools, URLS, folder) as bench:
        print(bench.machine(), flush=True)
        for megabits in MEGABITS:
            _limit_loopback(megabits)
            for row in _rows(bench, megabits):
                print(f"  {megabits} Mbit/s, {row[0]}: {row[1]} s", flush=True)
                rows.append([f"{megabits}", *row])
    print(f"\n{tables.aligned(rows)}")
    print(f"{URLS:,} URLs, {half_dead(URLS).alive:,} alive; loopback limited by tc (tbf).")
    return 0


def _rows(bench: Bench, megabits: int) -> Iterator[list[str]]:
    scenario = half_dead(URLS)
    for downloader in _downloaders(bench.tools, megabits):
        with bench.job(scenario) as job:
            cost = bench.run(downloader.command(job, bench.tools), job)
            evaluation = bench.evaluate(downloader, scenario, job)
            received = sum(file.stat().st_size for file in job.output.rglob("*.jpg"))
        used = received * 8 / 1e6 / cost.wall
        counts = [f"{evaluation.images:,}", f"{evaluation.lost}", f"{used:.0f}"]
        yield [downloader.name, f"{cost.wall:.0f}", *counts]


def _downloaders(tools: Tools, megabits: int) -> list[Downloader]:
    def after_speed_test(job: Job, _: Tools) -> Command:
        return _with_known_speed(job, megabits * 1e6)

    ours = [
        Downloader("part-of-imagenet, after a speed test", "", after_speed_test, our_images),
        replace(part_of_imagenet(set_batch_size=False), name="part-of-imagenet, no speed test"),
    ]
    return [*ours, *(one for one in available(tools) if one.name == CURL)]


def _with_known_speed(job: Job, bits_per_second: float) -> Command:
    """Store a result in the cache of the speed test; a real test would use the internet."""
    command = our_command(job, set_batch_size=False)
    command[command.index("--speed_test") + 1] = "True"
    store = "import sys; from utils.fetch.speed_test import cache_speed; cache_speed(float(sys.argv[1]))"
    cache = {"XDG_CACHE_HOME": str(job.folder / "cache")}
    subprocess.run(  # noqa: S603
        [command[0], "-c", store, f"{bits_per_second}"], check=True, cwd=HERE.parent, env=os.environ | cache
    )
    return ["env", *(f"{name}={value}" for name, value in cache.items()), *command]


def _enter_network_namespace() -> None:
    """Move this process into a network namespace of its own, so that only its loopback is limited."""
    missing = [name for name in ("tc", "ip", "env") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        requirement = f"the command {missing[0]}" if missing else "root"
        raise BenchmarkError(f"Limiting the network requires {requirement}.")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise BenchmarkError(f"No network namespace: {os.strerror(ctypes.get_errno())}.")
    _call("ip", "link", "set", "lo", "mtu", "1500", "up")


def _limit_loopback(megabits: int) -> None:
    burst = max(MIN_BURST, megabits * 1_000_000 // 8 // TICKS * 2)
    limit = f"tbf rate {megabits}mbit burst {burst} latency {QUEUE_MS}ms"
    _call("tc", "qdisc", "replace", "dev", "lo", "root", *limit.split())


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{' '.join(command)}: {error.stderr.strip()}") from error
