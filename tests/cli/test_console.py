"""The console writes to a terminal, to a file, and to outputs that are closed."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.project import ROOT
from tests.terminal import final_lines, run_on_terminal
from utils.cli.console import Console

LINES = """
from utils.cli.console import Console
console = Console()
for number in range({count}):
    console.print("line %d" % number)
"""
PROGRESS = """
import time
from utils.cli import console as module
from utils.results.progress import Progress
module.SECONDS_BETWEEN_LINES = {pause}
console = module.Console()
progress = Progress(total=10)
for done in range(1, 11):
    progress.done = progress.saved = done
    progress.failed, progress.bytes = 1, done * 1_000_000
    console.update(progress)
    time.sleep(0.03)
console.close()
console.print("over")
"""


WAITING = """
    module.STALL_SECONDS = 0.05
    module.SECONDS_BETWEEN_BARS = 0.0
    progress.total, progress.present, progress.done, progress.in_flight = 240, 200, 225, 8
    progress.saved = 25
    if done > 6:
        progress.total, progress.present, progress.done = 140_240, 12_200, 12_345"""


def shell(command: str, code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python code in a shell command, where `{}` stands for it."""
    return subprocess.run(
        ["bash", "-c", command.format(f"{sys.executable} -c '{code}'")],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        env=os.environ | environment,
        check=False,
    )


def test_closed_pipe() -> None:
    """`| head` ends the output, not the work."""
    whole = shell("{}; echo ended ${{PIPESTATUS[0]}} >&2", LINES.format(count=5))
    assert whole.stdout.splitlines() == [b"line %d" % number for number in range(5)]
    head = shell("{} | head -n 1; echo ${{PIPESTATUS[0]}} >&2", LINES.format(count=50_000))
    assert (head.stdout, head.stderr) == (b"line 0\n", b"0\n")


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "2>&-"])
def test_closed_outputs(redirection: str) -> None:
    """Closed outputs are no error."""
    done = shell("{} " + redirection, PROGRESS.format(pause=0.0))
    assert (done.returncode, done.stderr) == (0, b"")


def test_ascii_output() -> None:
    """Letters that the encoding lacks become question marks."""
    code = 'from utils.cli.console import Console\nConsole().print("caf\\u00e9 \\u732b \\ud800")\n'
    done = shell("{}", code, PYTHONIOENCODING="ascii", LANG="C")
    assert (done.stdout, done.stderr) == (b"caf? ? ?\n", b"")


def test_progress_without_terminal() -> None:
    """Without a terminal progress is a line every few seconds, and never a bar."""
    often = shell("{}", PROGRESS.format(pause=0.0))
    lines = often.stdout.decode().splitlines()
    assert len(lines) == 11
    assert re.fullmatch(r"10 of 10 there, [\d.]+ images/s, 1 failed, [\d.]+ MB/s", lines[9])
    assert often.stderr == b""
    seldom = shell("{}", PROGRESS.format(pause=10.0))
    assert seldom.stdout == b"over\n"


def test_progress_on_terminal() -> None:
    """A terminal shows a bar with counts and rates, which is removed at the end."""
    code, written = run_on_terminal(
        ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", PROGRESS.format(pause=0.0)], columns=100
    )
    assert code == 0
    assert re.search(r"%\|.*\| \d+ of 10 there, [\d.]+ images/s, 1 failed.* \[", written)
    assert [line for line in final_lines(written) if line] == ["over"]


@pytest.mark.parametrize("columns", [80, 120])
def test_bar_fits_the_terminal(columns: int) -> None:
    """The bar is one line, which says how many images are there and which URLs it waits for."""
    code = PROGRESS.format(pause=0.0).replace("progress.done = progress.saved = done", WAITING)
    _, written = run_on_terminal(["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", code], columns=columns)
    bars = [part for part in re.split(r"[\r\n]", written) if "%|" in part]
    assert max(len(bar.removeprefix("\x1b[K")) for bar in bars) < columns
    assert any(re.search(r"\| 225 of 240 there, waiting for 8 slow URLs.* \[", bar) for bar in bars)
    assert any(re.search(r"\| 12345 of 140240 done, waiting for 8 slow URLs.* \[", bar) for bar in bars)


def test_preparations_are_no_waiting() -> None:
    """The time before the first progress, when tables are read, does not count as waiting for URLs."""
    code = PROGRESS.format(pause=0.0).replace("progress.done =", "progress.in_flight = progress.done =")
    late = code.replace("progress = ", "module.STALL_SECONDS = 0.5; time.sleep(0.6)\nprogress = ")
    assert b"waiting" not in shell("{}", late).stdout


def test_bytes_without_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Many steps within a moment print nothing; one after the interval prints a line."""
    with Console().bar("a file") as advance:
        for done in range(1000):
            advance(done, 10_000)
        monkeypatch.setattr("utils.cli.console.SECONDS_BETWEEN_LINES", 0.0)
        advance(5_000_000, 10_000_000)
    assert capsys.readouterr() == ("  a file: 5 of 10 MB\n", "")


def test_bytes_with_changing_total(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The total may be unknown or come later, and a download may start over."""
    monkeypatch.setattr("utils.cli.console.SECONDS_BETWEEN_BARS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Console().bar("a file") as advance:
        for done, total in ((0, 0), (5_000, 0), (6_000, 10_000), (1_000, 10_000), (10_000, 10_000)):
            advance(done, total)
    written = capsys.readouterr().err
    assert "a file: 5.00kB" in written
    assert "60%|" in written
    assert "10%|" in written
