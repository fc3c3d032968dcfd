"""Runs that start warm are runs as users have them, and know nothing of each other."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests import warm_start
from tests.project import ALONE, SCRIPT, Finished, Project

RED = "n00000001"
pytestmark = pytest.mark.skipif(not warm_start.POSSIBLE, reason="here every run starts as users start it")


def warm(project: Project, *flags: str) -> Finished:
    """Run the script; it must start warm."""
    project.write()
    ended = warm_start.run([str(SCRIPT), *project.arguments(*flags)], project.variables(), 60)
    assert ended
    return Finished(*ended, 0.0)


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Offer some images with boxes, and dead links."""
    project.category(RED, "red")
    for number in range(6):
        if number % 2:
            web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 1, 9, 9))
    return project


def left(project: Project) -> dict[str, bytes]:
    """Give the images that were saved, and their boxes."""
    files = project.result.glob("red/*/*")
    return {path.name: path.read_bytes() for path in files}


def outline(text: str) -> list[str]:
    """Give lines without those of progress, which come where a run takes long."""
    return [line for line in text.splitlines() if "images/s" not in line]


@pytest.mark.parametrize("flags", [(), ALONE, ("--find", "red"), ("--no_such_flag",)])
def test_the_same_comes_of_it(offered: Project, flags: tuple[str, ...]) -> None:
    """Exit code, words and files are those of a run that has loaded everything itself."""
    one = (warm(offered, *flags), left(offered))
    shutil.rmtree(offered.result, ignore_errors=True)
    other = (offered.run(*flags, prefix=("env",)), left(offered))
    for finished, files in (one, other):
        assert finished.code == (2 if flags == ("--no_such_flag",) else 0)
        assert len(files) == (6 if flags in ((), ALONE) else 0)
    assert (outline(one[0].out), one[0].err, one[1]) == (outline(other[0].out), other[0].err, other[1])


def test_each_has_what_it_was_given(offered: Project) -> None:
    """An environment is its own, and what one run loads or changes the next one does not meet."""
    offered.environment["COLUMNS"] = "60"
    narrow = warm(offered, "--find", "red").out.splitlines()
    del offered.environment["COLUMNS"]
    wide = warm(offered, "--find", "red").out.splitlines()
    assert max(map(len, narrow)) < 60 < max(map(len, wide))


def test_what_python_reads_as_it_starts_is_no_matter_of_it(offered: Project) -> None:
    """Where a variable differs of which nobody knows who has read it, a run starts as users start it."""
    offered.environment["PYTHONHASHSEED"] = "7"
    offered.write()
    assert warm_start.run([str(SCRIPT), *offered.arguments()], offered.variables(), 60) is None
    assert offered.run("--parallel", "False").code == 0


def test_one_that_takes_too_long_is_killed(project: Project, web: Web) -> None:
    """And the next one starts as ever."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    web.answer("/1", Answer(hang=True))
    with pytest.raises(subprocess.TimeoutExpired):
        project.run(timeout=2)
    assert project.run("--dry_run").code == 0
