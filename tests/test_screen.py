"""What is said arrives, on a terminal, in a file, or nowhere when nobody listens."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
LINES = """
import sys
from utils.cli.console import Console
console = Console()
for number in range({count}):
    console.print("line %d" % number)
"""
LABELS = ("1 failed", "MB/s", "images/s")
BAR = """
import sys, time
import utils.cli.console as screen
from utils.results.progress import Progress
screen.SECONDS_BETWEEN_LINES = {pause}
console = screen.Console()
progress = Progress(total=10)
for done in range(1, 11):
    progress.done = progress.saved = done
    progress.failed, progress.bytes = 1, done * 1_000_000
    console.update(progress)
    time.sleep(0.03)
console.close()
console.print("over")
"""


def shell(command: str, code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run code in a shell's pipeline; `{}` in the command stands for the script."""
    python = f"{sys.executable} -c '{code}'"
    return subprocess.run(
        ["bash", "-c", command.format(python)],
        cwd=PROJECT,
        capture_output=True,
        timeout=30,
        env=os.environ | environment,
        check=False,
    )


def test_a_reader_that_goes_early_is_no_error() -> None:
    """`| head` ends the listening, not the work."""
    ended = shell("{}; echo ended ${{PIPESTATUS[0]}} >&2", LINES.format(count=5))
    assert ended.stdout.splitlines() == [b"line %d" % number for number in range(5)]
    piped = shell("{} | head -n 1; echo ${{PIPESTATUS[0]}} >&2", LINES.format(count=50_000))
    assert (piped.stdout, piped.stderr) == (b"line 0\n", b"0\n")


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "2>&-"])
def test_closed_outputs_are_no_error(redirection: str) -> None:
    """Nor is it if nobody ever listened."""
    code = (
        LINES.format(count=3)
        + "from utils.results.progress import Progress; console.update(Progress()); console.close()\n"
    )
    done = shell("{} " + redirection, code)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_letter_that_the_locale_lacks_is_replaced() -> None:
    """The line matters more than the letter."""
    code = 'from utils.cli.console import Console\nConsole().print("caf\\u00e9 \\u732b \\ud800")\n'
    done = shell("{}", code, PYTHONIOENCODING="ascii", LANG="C")
    assert (done.stdout, done.stderr) == (b"caf? ? ?\n", b"")


def test_without_a_terminal_progress_comes_in_lines_now_and_then() -> None:
    """Not at every update, and never as a bar."""
    often = shell("{}", BAR.format(pause=0.0))
    lines = often.stdout.decode().splitlines()
    assert len(lines) == 11
    assert lines[9].startswith("10 of 10: 10 saved, ")
    assert [words for words in LABELS if words not in lines[9]] == []
    assert often.stderr == b""
    seldom = shell("{}", BAR.format(pause=10.0))
    assert seldom.stdout == b"over\n"


def test_on_a_terminal_there_is_a_bar_and_it_goes_away() -> None:
    """It counts images; the lines beside it stay whole."""
    pty, fcntl, termios = map(pytest.importorskip, ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    os.set_blocking(ours, False)
    process = subprocess.Popen(
        [sys.executable, "-c", BAR.format(pause=0.0)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    out, _ = process.communicate(timeout=30)
    shown = os.read(ours, 1 << 20).decode()
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out.strip().splitlines()[-1].strip()) == (0, b"over")
    assert " images" in shown
    assert "1 failed" in shown
    assert shown.rstrip(" ").endswith("\r")
