"""What `download_imagenet_prerequisites.py` shows: on terminals of every width, and where there is none."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from tests.prerequisites.helpers import (
    ROWS,
    SCRIPT,
    TGZ,
    TXT,
    WHOLE,
    ended,
    names,
    offer,
    rows_in,
    run,
    source,
    start,
)
from utils.cli import console

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the three."""
    return tmp_path / "home"


def on_a_terminal(columns: int, *flags: str, interrupt_at: str = "\0") -> tuple[int, str]:
    """Run the script on a pseudo-terminal of its own; give its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    redirected = (
        f'exec "$0" "$@" <>{os.ttyname(theirs)} >&0 2>&0'  # opened by a session's leader: Ctrl-C works
    )
    command = ["sh", "-c", redirected, sys.executable, str(SCRIPT), *flags]
    written = b""
    with subprocess.Popen(command, start_new_session=True) as process:
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.05)[0]:
                written += os.read(ours, 65536)
            if interrupt_at.encode() in written:
                os.write(ours, b"\x03")
                interrupt_at = "\0"
    os.close(ours)
    os.close(theirs)
    return process.returncode, written.decode()


def left_on_screen(written: str) -> list[str]:
    """Give the lines that are left when all has been written over."""
    lines = written.replace("\r\n", "\n").rstrip("\n").split("\n")
    return [line.rpartition("\r")[2].strip() for line in lines]


@pytest.mark.parametrize("columns", [100, 3])
def test_a_terminal_shows_a_bar(home: Path, web: Web, columns: int) -> None:
    """While it downloads there is a bar with speed and time left; when it has ended only lines are left."""
    web.answer("/list", Answer(body=TXT, pace=2 * len(TXT)))
    code, written = on_a_terminal(
        columns, "--ncodes_dir", str(home), "--only", "urls", "--urls_source", web.url("/list")
    )
    assert code == 0
    assert rows_in(home) == ROWS
    if columns == 100:
        assert re.search(r"  downloading: +\d+%\|.*\| [\d.]+k/[\d.]+k \[\d\d:\d\d<.*B/s\]", written)
    assert left_on_screen(written) == [
        f"imageNetURLs.csv: from {web.url('/list')}",
        "imageNetURLs.csv: 1,000 rows",
    ]


def test_ctrl_c_on_a_terminal(home: Path, web: Web) -> None:
    """It ends with 130 and a sentence on a line of its own, whatever bar was there."""
    web.answer("/list", Answer(body=TXT, pace=20_000))
    flags = ("--ncodes_dir", str(home), "--only", "urls", "--urls_source", web.url("/list"))
    code, written = on_a_terminal(80, *flags, interrupt_at="%|")
    assert code == 130
    assert left_on_screen(written)[-1] == "Interrupted. Run the same command again to go on."


def test_trouble_under_a_bar_is_a_line_of_its_own(home: Path, web: Web) -> None:
    """A broken connection is told while the bar is there, and goes into no part of it."""
    cut = Answer(body=TXT, headers=('ETag: "1"',), pace=4 * len(TXT), cut=len(TXT) // 2)
    web.answer("/list", cut, resumable(TXT))
    code, written = on_a_terminal(
        90, "--ncodes_dir", str(home), "--only", "urls", "--urls_source", web.url("/list")
    )
    assert code == 0
    left = left_on_screen(written)
    assert re.fullmatch(r"the connection broke after [\d,]+ bytes; trying again in 1 s", left[1])
    assert re.fullmatch(r"resuming at 0\.\d MB", left[2])


def test_a_locale_that_lacks_letters(tmp_path: Path) -> None:
    """A folder beyond ASCII is worked in as ever; on the screen a letter may be lost, and no more."""
    home = tmp_path / "größe ☁"
    home.mkdir()
    flags = ("--only", "urls", "--urls_source", source(home / "below", TGZ))
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    good = run(home, *flags, **environment)
    assert (good.code, good.err) == (0, "")
    assert rows_in(home) == ROWS
    bad = run(home, "--force", *flags[:-1], str(home / "nothing"), **environment)
    assert bad.code == 1
    assert re.search("gr.+e .+/nothing: it cannot be opened", bad.err)


def test_nobody_reads(home: Path, web: Web) -> None:
    """With its output closed early (`| head`) the work is done all the same."""
    flags = offer(web)
    process = start(home, *flags)
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert ended(process).code == 0
    assert names(home) == WHOLE


def test_bar_with_unknown_or_changing_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The total may be unknown or come later, and a download may start over."""
    monkeypatch.setattr("utils.cli.console.SECONDS_BETWEEN_BARS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.Console().bar("a file") as advance:
        for done, total in ((0, 0), (5_000, 0), (6_000, 10_000), (1_000, 10_000), (10_000, 10_000)):
            advance(done, total)
    written = capsys.readouterr().err
    assert "a file: 5.00kB" in written
    assert "60%|" in written
    assert "10%|" in written


def test_without_a_terminal_lines_come_at_a_human_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand steps within a moment are no line; one after the pause is."""
    with console.Console().bar("a file") as advance:
        for done in range(1000):
            advance(done, 10_000)
        monkeypatch.setattr("utils.cli.console.SECONDS_BETWEEN_LINES", 0.0)
        advance(5_000_000, 10_000_000)
    assert capsys.readouterr() == ("  a file: 5 of 10 MB\n", "")
