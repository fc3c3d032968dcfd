"""The output of a run: on a terminal, in poor locales, into closed and full outputs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, SCRIPT, Project
from tests.terminal import final_lines, run_on_terminal

RED, BLUE = "n00000001", "n00000002"
URLS = 8
POOR_LOCALES = {
    "C locale": ("LANG=C", "LC_ALL=C"),
    "ASCII output": ("PYTHONIOENCODING=ascii:strict", "LC_ALL=C"),
}
REDIRECTIONS = {
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout to a full device": ">/dev/full",
    "both to a full device": ">/dev/full 2>/dev/full",
}


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Make two categories with slow images, one of them with a name beyond ASCII."""
    project.category(RED, "red")
    project.category(BLUE, "bleu céleste ☁")
    for code in (RED, BLUE):
        for number in range(URLS):
            path = f"/{code}_{number}"
            web.answer(path, Answer(body=pictures.jpeg(seed=number), delay=number % 5 / 20))
            project.url(f"{code}_{number}", web.url(path))
    return project


def check_all_saved(project: Project) -> None:
    """Check that all images are saved and reported."""
    for folder in ("red", "bleu_céleste_☁"):
        assert len(project.images(folder)) == URLS
        assert {row["status"] for row in project.report(folder)} <= {"downloaded", "already_present"}


def test_terminal(offered: Project) -> None:
    """A terminal shows a bar with counts and rates during the run, and only lines after it."""
    offered.write()
    command = [sys.executable, str(SCRIPT), *offered.arguments("--batch_size", "8")]
    code, written = run_on_terminal(command, columns=120, environment=offered.variables())
    assert code == 0
    assert re.search(r"%\|.*\| \d+ of \d+ there, .*images/s.*MB/s.* \[", written)
    left = final_lines(written)
    assert not [line for line in left if "images/s" in line or "|" in line]
    assert f"red: {URLS} saved" in left
    assert f"bleu_céleste_☁: {URLS} saved" in left
    assert any(line.endswith(str(offered.result)) for line in left)
    check_all_saved(offered)


def test_no_terminal(offered: Project) -> None:
    """A file or a pipe gets plain lines without control characters."""
    finished = offered.run()
    assert (finished.code, finished.err) == (0, "")
    assert not re.search(r"[\r\x1b\x08]", finished.out)
    assert f"red: {URLS} saved" in finished.out
    assert finished.out.endswith("\n")


@pytest.mark.parametrize("locale", POOR_LOCALES)
def test_poor_locale(offered: Project, locale: str) -> None:
    """Files and reports have all letters in any locale; output may lack some."""
    prefix = ("env", "-u", "LC_CTYPE", *POOR_LOCALES[locale])
    finished = offered.run(*ALONE, prefix=prefix)
    assert (finished.code, finished.err) == (0, "")
    assert re.search(f"bleu_c.+leste_.+: {URLS} saved", finished.out)
    check_all_saved(offered)
    if locale == "C locale":
        again = offered.run("--categories", "bleu céleste ☁", *ALONE, prefix=prefix)
        assert (again.code, again.err) == (0, "")
        assert f"{URLS} already there" in again.out


def test_ascii_file_system(offered: Project) -> None:
    """If Python can only use ASCII file names, one message says so and names the remedy."""
    poor = ("env", "LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0")
    finished = offered.run("--categories", RED, BLUE, prefix=poor)
    assert finished.code == 2
    assert "PYTHONUTF8" in finished.err
    assert finished.err.count("\n") == 1
    assert offered.run(*ALONE).code == 0
    check_all_saved(offered)


@pytest.mark.parametrize("streams", ["all closed", "stdout to a full device", "both to a full device"])
def test_unwritable_output(offered: Project, streams: str) -> None:
    """Closed or full outputs change neither results nor the exit code."""
    flags = () if streams == "all closed" else ALONE  # workers inherit the outputs
    finished = offered.run(*flags, prefix=("sh", "-c", f'exec "$0" "$@" {REDIRECTIONS[streams]}'))
    assert finished.code == 0
    assert "Traceback" not in finished.out + finished.err
    check_all_saved(offered)


@pytest.mark.parametrize("streams", ["stdout closed", "stderr closed", "both to a full device"])
def test_error_with_unwritable_output(project: Project, streams: str) -> None:
    """The exit code is right even if no message can be written."""
    project.category(RED, "red", marked=False)
    finished = project.run(prefix=("sh", "-c", f'exec "$0" "$@" {REDIRECTIONS[streams]}'))
    assert finished.code == 2
    assert "Traceback" not in finished.out + finished.err


def test_head(offered: Project) -> None:
    """With `| head` the run continues to its end, and prints nothing more."""
    pipe = '"$0" "$@" | head -n 3; exit "${PIPESTATUS[0]}"'
    finished = offered.run(*ALONE, prefix=("bash", "-c", pipe))
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.count("\n") == 3
    check_all_saved(offered)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("flags", [(), ("--format", "csv"), ("--mark", "3")])
def test_incomplete_list(project: Project, flags: tuple[str, ...]) -> None:
    """A list that a full disk cut exits with 1, one that `| head` cut with 0; marks are written in both."""
    project.category(RED, "red", marked=False)
    project.url(f"{RED}_1", "http://a.example/1.jpg")
    cut = project.run("--find", "red", *flags, prefix=("sh", "-c", 'exec "$0" "$@" >/dev/full'))
    assert cut.code == 1
    assert cut.err.splitlines()[-1].startswith("Standard output could not be written in full (No space")
    table = (project.path / "ncodes.csv").read_text(encoding="utf-8")
    assert (f"{RED},red,True,3" in table) is ("--mark" in flags)
    if flags:
        return
    pipe = '"$0" "$@" | true; exit "${PIPESTATUS[0]}"'
    head = project.run("--find", "red", "--mark", "3", prefix=("bash", "-c", pipe))
    assert (head.code, "written" in head.err) == (0, False)
    assert f"{RED},red,True,3" in (project.path / "ncodes.csv").read_text(encoding="utf-8")


def test_final_lines() -> None:
    """The helper interprets overwriting, moving up and clearing as a terminal does."""
    assert final_lines("abc\rX\n12\x1b[A\rY\n\r\x1b[Kend") == ["Ybc", "end"]
    assert final_lines("50%|##|\r       \rdone\n") == ["done", ""]
