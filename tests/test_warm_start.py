"""Forked runs behave like runs that users start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests import warm_start
from tests.machine import wait_until
from tests.project import ALONE, Finished, Project
from tests.warm_start import ForkedRun

RED = "n00000001"
pytestmark = pytest.mark.skipif(not warm_start.IS_SUPPORTED, reason="runs are not forked on this system")


def warm(project: Project, *flags: str) -> Finished:
    """Run the script; check that it was forked."""
    with project.start(*flags) as process:
        assert isinstance(process, ForkedRun)
        out, err = process.communicate(timeout=60)
    return Finished(process.returncode, out, err, 0.0)


@pytest.fixture
def project_with_urls(project: Project, web: Web) -> Project:
    """Make a project with some images with boxes, and dead URLs."""
    project.category(RED, "red")
    for number in range(6):
        if number % 2:
            web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 1, 9, 9))
    return project


def saved_files(project: Project) -> dict[str, bytes]:
    """Return the saved images and XML files."""
    files = project.result.glob("red/*/*")
    return {path.name: path.read_bytes() for path in files}


def outline(text: str) -> list[str]:
    """Return the lines without those of progress, which only long runs print."""
    return [line for line in text.splitlines() if "images/s" not in line]


@pytest.mark.parametrize("flags", [(), ("--no_such_flag",)])
def test_same_result(project_with_urls: Project, flags: tuple[str, ...]) -> None:
    """Exit code, output and files are those of a run that is started normally."""
    one = (warm(project_with_urls, *flags), saved_files(project_with_urls))
    shutil.rmtree(project_with_urls.result, ignore_errors=True)
    other = (project_with_urls.run(*flags, prefix=("env",)), saved_files(project_with_urls))
    for finished, files in (one, other):
        assert finished.code == (2 if flags == ("--no_such_flag",) else 0)
        assert len(files) == (0 if flags else 6)
    assert (outline(one[0].out), one[0].err, one[1]) == (outline(other[0].out), other[0].err, other[1])


def test_own_environment(project_with_urls: Project) -> None:
    """Each run has its own environment."""
    project_with_urls.environment["COLUMNS"] = "60"
    narrow = warm(project_with_urls, "--find", "red").out.splitlines()
    del project_with_urls.environment["COLUMNS"]
    wide = warm(project_with_urls, "--find", "red").out.splitlines()
    assert max(map(len, narrow)) < 60 < max(map(len, wide))


def test_other_environment_is_not_forked(project_with_urls: Project) -> None:
    """If any other variable differs, the run is started normally."""
    project_with_urls.environment["PYTHONHASHSEED"] = "7"
    with project_with_urls.start("--parallel", "False") as process:
        assert not isinstance(process, ForkedRun)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_signals(project: Project, web: Web) -> None:
    """Several runs at once are killed and interrupted like processes that were started normally."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    web.answer("/1", Answer(hang=True))
    with project.start(*ALONE) as hanging, project.start("--find", "red") as other:
        assert other.wait(60) == 0
        with pytest.raises(subprocess.TimeoutExpired):
            hanging.communicate(timeout=0.5)
        assert hanging.poll() is None
        os.killpg(hanging.pid, signal.SIGKILL)
        hanging.communicate(timeout=60)
    assert hanging.returncode == -signal.SIGKILL
    with project.start(*ALONE) as process:
        wait_until(lambda: web.count("/1") > 1)
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.poll() == process.returncode == 143


def test_timeout(project: Project, web: Web) -> None:
    """A run that takes too long is killed; the next one works."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    web.answer("/1", Answer(hang=True))
    with pytest.raises(subprocess.TimeoutExpired):
        project.run(timeout=2)
    assert project.run("--dry_run").code == 0
