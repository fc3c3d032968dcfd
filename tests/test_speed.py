"""The batch follows from the line, the cores and the open files of a process."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.web import speed
from utils.web.speed import BatchSize, batch_size

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("megabits", "cores", "open_files", "number", "why"),
    [
        (100, 2, 1024, 225, "for 100 Mbit/s on 2 cores"),
        (50, 2, 1024, 112, "for 50 Mbit/s on 2 cores"),
        (15, 2, 1024, 64, "for 15 Mbit/s on 2 cores"),
        (10, 2, 1024, 45, "for 10 Mbit/s on 2 cores"),
        (1.25, 2, 1024, 16, "for 1.2 Mbit/s on 2 cores"),
        (0.001, 1, 1024, 16, "for 0.0 Mbit/s on 1 core"),
        (300, 4, 4096, 675, "for 300 Mbit/s on 4 cores"),
        (1000, 4, 65536, 1024, "for 1000 Mbit/s on 4 cores"),
        (1000, 1, 65536, 990, "for 1000 Mbit/s on 1 core"),
        (1000, 2, 1024, 656, "as 1024 open files allow"),
        (100, 2, 256, 144, "as 256 open files allow"),
        (100, 4, 256, 225, "for 100 Mbit/s on 4 cores"),
        (10, 1, 64, 8, "as 64 open files allow"),
        (10, 1, 20, 1, "as 20 open files allow"),
        (100, 0, 1024, 225, "for 100 Mbit/s on 1 core"),
    ],
)
def test_the_batch_keeps_the_line_busy(
    megabits: float, cores: int, open_files: int, number: int, why: str
) -> None:
    """As many images as the line and the cores take, from 16 to 1024, but no more than open files allow."""
    assert batch_size(megabits * 1e6, cores=cores, open_files=open_files) == BatchSize(number, why)


@pytest.mark.parametrize("unknown", [None, 0, 0.0, -1e8, math.nan, math.inf, -math.inf, 1e300])
def test_an_unknown_network_gets_the_default(unknown: float | None) -> None:
    """Where there is no speed, 256 images are in flight, as far as open files allow."""
    default = BatchSize(256, "the default for an unknown network")
    assert batch_size(unknown, cores=2, open_files=1024) == default
    assert batch_size(unknown, cores=2, open_files=256) == BatchSize(144, "as 256 open files allow")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_cores_are_those_that_the_process_may_use() -> None:
    """A process that is bound to one core counts one."""
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert run(f"{code}; from utils.web import speed; print(speed.cores())") == "1\n"


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
    assert speed._cgroup_cores(tmp_path) == cores


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limit")
@pytest.mark.parametrize(("soft", "hard", "files"), [(256, 256, 256), (100, 400, 400)])
def test_open_files_are_raised_as_far_as_allowed(soft: int, hard: int, files: int) -> None:
    """The soft limit is raised to the hard one, which `ulimit -n 256` sets as well; nothing goes beyond."""
    limits = f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}))"
    shown = "print(speed.open_files(), r.getrlimit(r.RLIMIT_NOFILE))"
    assert run(f"{limits}; from utils.web import speed; {shown}") == f"{files} ({files}, {hard})\n"


def run(code: str) -> str:
    """Run code in a process of its own; return what it writes."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
