"""How much of this machine a process may have: cores, and files that are open at once."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

MOST_FILES, MACOS_FILES, WINDOWS_FILES = 65536, 10240, 8192
_ROOT = Path("/")


def cores() -> int:
    """Count the CPUs that this process may use, by its affinity and its cgroup's quota."""
    installed = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else installed
    return max(1, math.floor(min(allowed, _cgroup_cores(_ROOT))))


def _cgroup_cores(root: Path) -> float:
    """Return the CPUs that cgroup v2 grants: the least of what the own group and those above it say."""
    own = root / "sys" / "fs" / "cgroup"
    with contextlib.suppress(OSError, ValueError):
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
        own = own.joinpath(*[line[3:].lstrip("/") for line in lines if line.startswith("0::")])
    return min(_quota(folder / "cpu.max") for folder in (own, *own.parents))


def _quota(file: Path) -> float:
    """Read `max 100000`, or microseconds granted and of how many."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        granted, _, period = file.read_text().partition(" ")
        return int(granted) / int(period)
    return math.inf


def open_files() -> int:
    """Raise the number of descriptors that this process and its children may have; return what it is."""
    if resource is None:
        return WINDOWS_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    # macOS calls its limit infinite, and refuses more than this.
    for wished in (min(most, MACOS_FILES), most):
        if soft != resource.RLIM_INFINITY and soft < wished:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
                soft = wished
    return most if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)
