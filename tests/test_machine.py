"""What of this machine a process may have."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import machine

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_cores_are_those_that_the_process_may_use() -> None:
    """A process that is bound to one core counts one."""
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert run(f"{code}; from utils import machine; print(machine.cores())") == "1\n"


@pytest.mark.parametrize(
    ("group", "quotas", "cores"),
    [
        ("0::/a/b\n", {"a/b": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b": "max 100000\n", "a": "200000 100000\n"}, 2),
        ("1:cpu:/c\n0::/a\n", {"": "50000 100000\n", "a": "400000 100000\n"}, 0.5),
        ("0::/a\n", {"a": "garbage\n"}, math.inf),
        ("1:cpu:/a\n", {}, math.inf),
    ],
)
def test_a_containers_quota_counts(tmp_path: Path, group: str, quotas: dict[str, str], cores: float) -> None:
    """The least of what cgroup v2 grants the process and the groups above it; no quota is no bound."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(group)
    for folder, quota in quotas.items():
        file = tmp_path / "sys" / "fs" / "cgroup" / folder / "cpu.max"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(quota)
    assert machine._cgroup_cores(tmp_path) == cores


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limit")
@pytest.mark.parametrize(("soft", "hard", "files"), [(256, 256, 256), (100, 400, 400)])
def test_open_files_are_raised_as_far_as_allowed(soft: int, hard: int, files: int) -> None:
    """The soft limit is raised to the hard one, which `ulimit -n 256` sets as well; nothing goes beyond."""
    limits = f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}))"
    shown = "print(machine.open_files(), r.getrlimit(r.RLIMIT_NOFILE))"
    assert run(f"{limits}; from utils import machine; {shown}") == f"{files} ({files}, {hard})\n"


def run(code: str) -> str:
    """Run code in a process of its own; return what it writes."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
