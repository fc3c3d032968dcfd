"""Full and read-only disks, and paths that are too long: one message, and no partial files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, Finished, Project

RED = "n00000001"
URLS = 60
PAGE_KB = 4
pytestmark = pytest.mark.skipif(os.name != "posix", reason="only POSIX systems mount file systems like this")


@pytest.fixture
def mount() -> Iterator[Callable[[Path, str], None]]:
    """Return a function that mounts a tmpfs with some options on a folder."""
    mounted: list[Path] = []

    def make(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount file systems")
        mounted.append(folder)

    yield make
    for folder in reversed(mounted):
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the options of a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Make a project of sixty working URLs, whose runs start no workers."""
    project.always = ALONE
    project.category(RED, "red")
    for number in range(URLS):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    return project


def check_stopped(finished: Finished) -> None:
    """Check that a run ended with one message on the full disk."""
    assert finished.code == 1
    assert "make room" in finished.err
    assert "Traceback" not in finished.err
    assert finished.err.count("\n") == 1


def check_sound(project: Project) -> None:
    """Check that all images decode, and that there are no partial files."""
    for name in project.images("red"):
        with Image.open(project.result / "red" / "Images" / name) as image:
            image.load()
    assert not list(project.result.rglob("*.part"))


def check_complete(project: Project) -> None:
    """Check that all images are saved and reported."""
    check_sound(project)
    assert len(project.images("red")) == URLS
    assert [row["image_code"] for row in project.report("red")] == [f"{RED}_{n}" for n in range(URLS)]
    assert {row["status"] for row in project.report("red")} <= {"downloaded", "already_present"}


def test_full_for_journal(offered: Project, web: Web, mount: Callable[[Path, str], None]) -> None:
    """If the journal has no room, the run stops; the next one downloads no saved image again."""
    mount(offered.result / "red", f"size={4 * PAGE_KB}k")
    mount(offered.result / "red" / "Images", "size=20m")
    check_stopped(offered.run())
    check_sound(offered)
    saved = {name.removesuffix(".jpg") for name in offered.images("red")}
    assert 0 < len(saved) <= URLS
    remount(offered.result / "red", "size=20m")
    requested = len(web.requests)
    assert offered.run().code == 0
    assert not saved & {f"{RED}_{request.path[1:]}" for request in web.requests[requested:]}
    check_complete(offered)


def test_full_for_report(offered: Project, web: Web, mount: Callable[[Path, str], None]) -> None:
    """If the report has no room, the next run writes it, and downloads nothing."""
    assert offered.run().code == 0
    journal = (offered.result / "red" / ".journal.jsonl").stat().st_size
    report = (offered.result / "red" / "red_download_report.csv").stat().st_size
    assert report > 2 * PAGE_KB * 1024  # else it would fit in the room left by the journal
    offered.result.rename(offered.path / "undisturbed")
    mount(offered.result / "red", f"size={(journal // (PAGE_KB * 1024) + 2) * PAGE_KB}k")
    mount(offered.result / "red" / "Images", "size=20m")
    check_stopped(offered.run())
    check_sound(offered)
    assert len(offered.images("red")) == URLS
    assert not (offered.result / "red" / "red_download_report.csv").exists()
    remount(offered.result / "red", "size=20m")
    requested = len(web.requests)
    assert offered.run().code == 0
    assert len(web.requests) == requested
    check_complete(offered)


def test_full_for_images(offered: Project, web: Web, mount: Callable[[Path, str], None]) -> None:
    """If an image has no room, the run stops without partial files; the next one downloads the rest."""
    for number in range(URLS):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(640, 480, seed=number)))
    mount(offered.result, "size=400k")
    check_stopped(offered.run("--parallel", "True"))
    check_sound(offered)
    remount(offered.result, "size=20m")
    assert offered.run().code == 0
    check_complete(offered)


def test_images_on_another_disk(offered: Project, mount: Callable[[Path, str], None]) -> None:
    """Category folders may lie on other file systems than the result folder."""
    mount(offered.result / "red" / "Images", "size=20m")
    assert offered.run().code == 0
    check_complete(offered)
    assert "60 already there" in offered.run().out


def make_read_only(folder: Path, mount: Callable[[Path, str], None]) -> None:
    """Make a folder read-only, also for root."""
    if os.geteuid() == 0:
        mount(folder, "size=1m")
        remount(folder, "ro")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o555)


@pytest.mark.parametrize("which", [".", "partial_imagenet"])
def test_read_only_save_dir(
    offered: Project, web: Web, mount: Callable[[Path, str], None], which: str
) -> None:
    """A result folder that cannot be made or written to ends the run before any request."""
    save_dir = offered.path / "read_only"
    make_read_only(save_dir / which, mount)
    finished = offered.run("--save_dir", str(save_dir))
    assert finished.code == 2
    assert finished.err.startswith(f"--save_dir {save_dir}")
    assert "Traceback" not in finished.err
    assert web.requests == []


def test_read_only_category(offered: Project, mount: Callable[[Path, str], None]) -> None:
    """A category whose folder is read-only is reported."""
    make_read_only(offered.result / "red", mount)
    finished = offered.run()
    assert finished.code == 1
    assert str(offered.result / "red") in finished.err
    assert "Traceback" not in finished.err


def test_path_too_long(offered: Project, web: Web) -> None:
    """A path that is too long is rejected before any request."""
    for save_dir in (offered.path / ("x" * 300), offered.path.joinpath(*["x" * 200] * 25)):
        finished = offered.run("--save_dir", str(save_dir))
        assert finished.code == 2
        assert finished.err.startswith("--save_dir ")
        assert "too long" in finished.err
        assert "Traceback" not in finished.err
    assert web.requests == []


@pytest.mark.parametrize("room", [18, 24, 36, 48])
def test_path_too_long_for_images(offered: Project, room: int) -> None:
    """If only the paths of files in the result folder are too long, the run ends with one message."""
    longest = os.pathconf(offered.path, "PC_PATH_MAX") - 1
    save_dir = _of_length(offered.path, longest - room)
    finished = offered.run("--save_dir", str(save_dir))
    assert finished.code in (1, 2)
    assert finished.code == 1 or "--save_dir" in finished.err
    assert finished.err.count("\n") == 1
    assert "too long" in finished.err
    assert "Traceback" not in finished.err


def _of_length(start: Path, length: int) -> Path:
    """Make a folder whose path has a certain length."""
    path = start
    while (left := length - len(str(path))) > 1:
        part = min(200, left - 1)
        path /= "x" * (part if left - 1 - part != 1 else part - 1)
        path.mkdir()
    return path
