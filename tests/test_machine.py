"""Limits of CPUs and open files."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from utils import machine


def run(code: str) -> str:
    """Run code in a process of its own; returns its output."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_affinity() -> None:
    """A process that is bound to one CPU counts one."""
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
def test_quota_of_container(tmp_path: Path, group: str, quotas: dict[str, str], cores: float) -> None:
    """The least quota of the process's cgroup and the groups above it counts."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(group)
    for folder, quota in quotas.items():
        file = tmp_path / "sys" / "fs" / "cgroup" / folder / "cpu.max"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(quota)
    assert machine._cgroup_cores(tmp_path) == cores


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(("soft", "hard", "limit"), [(256, 256, 256), (100, 400, 400)])
def test_raise_open_file_limit(soft: int, hard: int, limit: int) -> None:
    """The soft limit is raised to the hard one, and not beyond it."""
    limits = f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}))"
    shown = "print(machine.raise_open_file_limit(), r.getrlimit(r.RLIMIT_NOFILE))"
    assert run(f"{limits}; from utils import machine; {shown}") == f"{limit} ({limit}, {hard})\n"
