"""What the script's words meet: a terminal, none, one that is closed, one that knows ASCII only."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
RED, BLUE = "n00000001", "n00000002"
URLS = 8
ROWS, COLUMNS = 40, 120


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Offer two categories, one with a name beyond ASCII, none of whose images come at once."""
    project.category(RED, "red")
    project.category(BLUE, "bleu céleste ☁")
    for code in (RED, BLUE):
        for number in range(URLS):
            path = f"/{code}_{number}"
            web.answer(path, Answer(body=pictures.jpeg(seed=number), delay=0.1 + number % 5 / 10))
            project.url(f"{code}_{number}", web.url(path))
    return project


def check_all_saved(project: Project) -> None:
    """Check that no word's fate cost an image, a row or a report."""
    for folder in ("red", "bleu_céleste_☁"):
        assert len(project.images(folder)) == URLS
        assert {row["status"] for row in project.report(folder)} <= {"downloaded", "already_present"}


def on_a_terminal(project: Project, *flags: str) -> str:
    """Run the script on a pseudo-terminal, and give all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    redirected = ("sh", "-c", f'exec "$0" "$@" <>{os.ttyname(theirs)} >&0 2>&0')
    written = b""
    deadline = time.monotonic() + 60
    with project.start(*flags, prefix=redirected) as process:
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            assert time.monotonic() < deadline, written
            if select.select([ours], [], [], 0.1)[0]:
                written += os.read(ours, 65536)
        assert process.communicate() == ("", "")
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    return written.decode()


def screen_after(written: str) -> list[str]:
    """Play a terminal: give the lines that are left standing when all has been written."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[A":
            row = max(0, row - 1)
        elif piece in ("\x1b[K", "\x1b[0K"):
            lines[row] = lines[row][:column]
        elif not piece.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + piece + lines[row][column + len(piece) :]
            column += len(piece)
    return [line.rstrip() for line in lines]


def test_a_terminal_shows_a_bar_and_is_clean_after(offered: Project) -> None:
    """While it works there is a bar with counts and pace; when it has ended only lines are left."""
    written = on_a_terminal(offered, "--batch_size", "8")
    assert re.search(r"%\|.*\| \d+/\d+ \[.*images/s.*MB/s", written)
    left = screen_after(written)
    assert not [line for line in left if "images/s" in line or "|" in line]
    assert f"red: {URLS} saved" in left
    assert f"bleu_céleste_☁: {URLS} saved" in left
    assert any(line.startswith("Images, annotations and reports lie in") for line in left)
    check_all_saved(offered)


def test_no_terminal_shows_plain_lines(offered: Project) -> None:
    """Into a file or a pipe go whole lines, with nothing that only a terminal understands."""
    finished = offered.run()
    assert (finished.code, finished.err) == (0, "")
    assert not re.search(r"[\r\x1b\x08]", finished.out)
    assert f"red: {URLS} saved" in finished.out
    assert finished.out.endswith("\n")


POOR = {
    "the C locale": ("LANG=C", "LC_ALL=C"),
    "ASCII output": ("PYTHONIOENCODING=ascii:strict", "LC_ALL=C"),
}


@pytest.mark.parametrize("locale", POOR)
def test_a_locale_that_lacks_letters(offered: Project, locale: str) -> None:
    """Names beyond ASCII are folders and cells as ever; on the screen a letter may be lost, and no more."""
    finished = offered.run(prefix=("env", "-u", "LC_CTYPE", *POOR[locale]))
    assert (finished.code, finished.err) == (0, "")
    assert re.search(f"bleu_c.+leste_.+: {URLS} saved", finished.out)
    check_all_saved(offered)
    again = offered.run("--categories", "bleu céleste ☁", prefix=("env", "-u", "LC_CTYPE", *POOR[locale]))
    assert (again.code, again.err) == (0, "")
    assert f"{URLS} already there" in again.out


def test_a_file_system_that_lacks_letters(offered: Project) -> None:
    """Where Python was told to name files in ASCII only, one sentence says so, and how to end it."""
    poor = ("env", "LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0")
    finished = offered.run("--categories", RED, BLUE, prefix=poor)
    assert finished.code == 2
    assert "PYTHONUTF8" in finished.err
    assert finished.err.count("\n") == 1
    assert offered.run().code == 0
    check_all_saved(offered)


CLOSED = {
    "stdout": ">&-",
    "stderr": "2>&-",
    "both": ">&- 2>&-",
    "all three": "<&- >&- 2>&-",
    "to a full device": ">/dev/full",
    "both to a full device": ">/dev/full 2>/dev/full",
}


@pytest.mark.parametrize("streams", CLOSED)
def test_nobody_listens(offered: Project, streams: str) -> None:
    """Closed or full outputs cost words and nothing else: no image, no row, no exit code."""
    finished = offered.run(prefix=("sh", "-c", f'exec "$0" "$@" {CLOSED[streams]}'))
    assert finished.code == 0
    assert "Traceback" not in finished.out + finished.err
    check_all_saved(offered)


@pytest.mark.parametrize("streams", CLOSED)
def test_errors_that_nobody_hears(project: Project, streams: str) -> None:
    """The exit code tells, even if no message can."""
    project.category(RED, "red", marked=False)
    finished = project.run(prefix=("sh", "-c", f'exec "$0" "$@" {CLOSED[streams]}'))
    assert finished.code == 2
    assert "Traceback" not in finished.out + finished.err


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_head(offered: Project, lines: int) -> None:
    """`| head` reads some lines and goes; the run goes on to its end, and in silence."""
    pipe = f'"$0" "$@" | head -n {lines}; exit "${{PIPESTATUS[0]}}"'
    finished = offered.run("--batch_size", "8", prefix=("bash", "-c", pipe))
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.count("\n") == lines
    check_all_saved(offered)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to play a full disk")
@pytest.mark.parametrize("flags", [(), ("--format", "csv"), ("--mark", "3")])
def test_a_list_that_was_cut_does_not_look_whole(project: Project, flags: tuple[str, ...]) -> None:
    """What a full disk took of a search's words is missed, what `| head` left is not; marks stand."""
    project.category(RED, "red", marked=False)
    cut = project.run("--find", "red", *flags, prefix=("sh", "-c", 'exec "$0" "$@" >/dev/full'))
    assert cut.code == 1
    last = "Standard output could not be written in full (No space left on device); all other work was done."
    assert cut.err.splitlines()[-1] == last
    table = (project.path / "ncodes.csv").read_text(encoding="utf-8")
    assert (f"{RED},red,True,3" in table) is ("--mark" in flags)
    gone = project.run(
        "--find", "red", *flags, prefix=("bash", "-c", '"$0" "$@" | true; exit "${PIPESTATUS[0]}"')
    )
    assert (gone.code, "written" in gone.err) == (0, False)


def test_the_screen_is_played_as_terminals_do() -> None:
    """The test's own terminal overwrites, goes up, and clears."""
    assert screen_after("abc\rX\n12\x1b[A\rY\n\r\x1b[Kend") == ["Ybc", "end"]
    assert screen_after("50%|##|\r       \rdone\n") == ["done", ""]
