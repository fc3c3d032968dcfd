"""What a process may use of the machine: CPUs and open files; and the folder of the user's cache."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_CACHE_VARIABLE = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
_CACHE_IN_HOME = {"win32": "AppData/Local", "darwin": "Library/Caches"}
MAX_FILES, MACOS_FILES, WINDOWS_FILES = 65536, 10240, 8192


def cores() -> int:
    """Return the number of CPUs that this process may use, by its affinity and its cgroup's quota."""
    installed = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else installed
    return max(1, math.floor(min(allowed, _cgroup_cores(Path("/")))))


def _cgroup_cores(root: Path) -> float:
    """Return the least CPU quota (cgroup v2) of the process's group and the groups above it."""
    group = root / "sys" / "fs" / "cgroup"
    with contextlib.suppress(OSError, ValueError):
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
        group = group.joinpath(*[line[3:].lstrip("/") for line in lines if line.startswith("0::")])
    return min(_quota(folder / "cpu.max") for folder in (group, *group.parents))


def _quota(file: Path) -> float:
    """Read "max 100000" (no quota), or the microseconds of CPU time granted in a period and its length."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        granted, _, period = file.read_text().partition(" ")
        return int(granted) / int(period)
    return math.inf


def raise_open_file_limit() -> int:
    """Raise the limit of open files of this process and its children; returns the limit."""
    if resource is None:
        return WINDOWS_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    for limit in (min(most, MACOS_FILES), most):  # macOS reports no limit, but refuses more than MACOS_FILES
        if soft != resource.RLIM_INFINITY and soft < limit:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                soft = limit
    return most if soft == resource.RLIM_INFINITY else min(soft, MAX_FILES)


def cache_folder() -> Path:
    """Return this tool's folder in the user's cache, which may not exist.

    Raises
    ------
    RuntimeError
        If the user has no home.
    """
    folder = Path(os.environ.get(_CACHE_VARIABLE, ""))
    if not folder.is_absolute():  # the XDG specification says to ignore relative ones
        folder = Path.home() / _CACHE_IN_HOME.get(sys.platform, ".cache")
    return folder / "part-of-imagenet"
