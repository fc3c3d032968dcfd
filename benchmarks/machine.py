"""What the measurements were made on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

LOOK = 1.0  # seconds
NOTEWORTHY = 0.15  # of the processors
IDLE = slice(3, 5)  # of the numbers in /proc/stat: idle, and waiting for disks


def described(folder: Path, web: str) -> str:
    """Describe the machine, where images were written, and what served them."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return (
        f"{cores} core{'s' if cores > 1 else ''} of {_processor()}, {system}; "
        f"images on {file_system(folder)}, served by {web}"
    )


def disturbance() -> list[str]:
    """Say so if others are at work here; nothing if it is quiet."""
    before = _ticks()
    time.sleep(LOOK)
    passed = [now - then for now, then in zip(_ticks(), before, strict=True)]
    share = 1 - sum(passed[IDLE]) / max(1, sum(passed))
    if share < NOTEWORTHY:
        return []
    return [f"Others take {share:.0%} of the processors: seconds will be too many, and ratios uncertain."]


def _ticks() -> list[int]:
    first, *_rest = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    return [int(number) for number in first.split()[1:]]


def file_system(folder: Path) -> str:
    """Name the kind of file system that a folder is on."""
    path = str(folder.resolve())
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    above = [mount for mount in mounts if _is_below(path, mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2] if above else "an unknown file system"


def _is_below(path: str, mount_point: str) -> bool:
    return mount_point == "/" or path == mount_point or path.startswith(f"{mount_point}/")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.lower().startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
