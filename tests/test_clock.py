"""The wall clock may jump by hours without any effect on a run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ROOT, Project

RED = "n00000001"
WALL_CLOCKS = frozenset({"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"})
ALLOWED = {
    "run_history.py": "the dataset card states the date of a run",
    "headers.py": "Retry-After may be a date, which can only be compared with the wall clock",
    "host_limits.py": "a learned limit is kept for a day, longer than a process lives",
    "journal.py": "the line of a run states its date; only its position in the file matters",
    "run_record.py": "run.json states when a run started",
    "speed_test.py": "a measured speed is kept for a day, longer than a process lives",
}
JUMPING = """
import itertools, pathlib, time
pathlib.Path(__file__).with_suffix(".seen").touch()
_real, _calls = time.time, itertools.count()
time.time = lambda: _real() + (3600, -3600, 0)[next(_calls) % 3]
"""


def wall_clocks(path: Path) -> set[str]:
    """Return the wall clocks that a module reads."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
    return {ast.unparse(node) for node in calls} & WALL_CLOCKS


def test_uses_of_wall_clock() -> None:
    """Only the modules in `ALLOWED` read the wall clock."""
    reading = {path.name for path in (ROOT / "utils").rglob("*.py") if wall_clocks(path)}
    assert reading == set(ALLOWED)


def test_wall_clocks(tmp_path: Path) -> None:
    """The helper finds wall clocks, and ignores monotonic ones."""
    path = tmp_path / "module.py"
    path.write_text("import time\nfrom datetime import datetime\nx = time.time()\ny = datetime.now()\n")
    assert wall_clocks(path) == {"time.time", "datetime.now"}
    path.write_text("import time\nx = time.monotonic()\n")
    assert not wall_clocks(path)


def test_jumping_clock(project: Project, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run under a clock that jumps by hours at each call takes no longer, and no image fails."""
    (project.path / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    project.category(RED, "red")
    for number in range(40):
        good = Answer(body=pictures.jpeg(seed=number), delay=0.2)
        web.answer(f"/{number}", *[Answer(status=500)] * (number % 4 == 0), good)
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    finished = project.run()
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == 40
    assert all(float(row["seconds"]) < 20 for row in project.report("red"))
    assert (project.path / "sitecustomize.seen").exists()
    asked = len(web.requests)
    assert "40 already there" in project.run().out
    assert len(web.requests) == asked
