"""The machine of a measurement, and other load on it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

INTERVAL = 1.0  # seconds of observation
MIN_SHARE = 0.15  # of the processors, to be reported
IDLE = slice(3, 5)  # of the numbers in /proc/stat: idle, and waiting for disks


def description(folder: Path, server: str) -> str:
    """Describe the machine, the file system of the images and the web server."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return (
        f"{cores} core{'s' if cores > 1 else ''} of {_processor()}, {system}; "
        f"images on {file_system(folder)}, served by {server}"
    )


def warnings() -> list[str]:
    """Return a warning if other processes use the processors."""
    before = _ticks()
    time.sleep(INTERVAL)
    passed = [now - then for now, then in zip(_ticks(), before, strict=True)]
    share = 1 - sum(passed[IDLE]) / max(1, sum(passed))
    if share < MIN_SHARE:
        return []
    return [f"Other processes use {share:.0%} of the processors: times are too long, and ratios uncertain."]


def _ticks() -> list[int]:
    first, *_rest = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    return [int(number) for number in first.split()[1:]]


def file_system(folder: Path) -> str:
    """Return the type of the file system of a folder."""
    path = folder.resolve()
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    above = [mount for mount in mounts if path.is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2] if above else "an unknown file system"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.lower().startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
