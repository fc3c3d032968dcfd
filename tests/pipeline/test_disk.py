"""A disk that is full, read-only, or cannot spell so long a path: one message, nothing half written."""

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
from tests.project import Finished, Project

RED = "n00000001"
URLS = 60
PAGE_KB = 4
pytestmark = pytest.mark.skipif(os.name != "posix", reason="file systems are mounted as POSIX systems do")


@pytest.fixture
def mount() -> Iterator[Callable[[Path, str], None]]:
    """Give a maker of file systems of their own, with the options of tmpfs."""
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


def change(folder: Path, options: str) -> None:
    """Change a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Offer sixty URLs, all of them alive."""
    project.category(RED, "red")
    for number in range(URLS):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    return project


def check_stopped(finished: Finished) -> None:
    """Check that a run ended with one message that says what to do."""
    assert finished.code == 1
    assert "make room" in finished.err
    assert "Traceback" not in finished.err
    assert finished.err.count("\n") == 1


def check_sound(project: Project) -> None:
    """Check that what lies there is whole, and that nothing half written lies beside it."""
    for name in project.images("red"):
        with Image.open(project.result / "red" / "Images" / name) as image:
            image.load()
    assert not list(project.result.rglob("*.part"))


def check_whole(project: Project) -> None:
    """Check that all is there, and said."""
    check_sound(project)
    assert len(project.images("red")) == URLS
    assert [row["image_code"] for row in project.report("red")] == [f"{RED}_{n}" for n in range(URLS)]
    assert {row["status"] for row in project.report("red")} <= {"downloaded", "already_present"}


def test_full_while_the_journal_is_written(
    offered: Project, web: Web, mount: Callable[[Path, str], None]
) -> None:
    """The images had room and the journal had none: the run stops, and the next one fetches none again."""
    mount(offered.result / "red", f"size={4 * PAGE_KB}k")
    mount(offered.result / "red" / "Images", "size=20m")
    check_stopped(offered.run())
    check_sound(offered)
    saved = {name.removesuffix(".jpg") for name in offered.images("red")}
    assert 0 < len(saved) <= URLS
    change(offered.result / "red", "size=20m")
    asked = len(web.requests)
    assert offered.run().code == 0
    assert not saved & {f"{RED}_{request.path[1:]}" for request in web.requests[asked:]}
    check_whole(offered)


@pytest.mark.alone
def test_full_while_the_report_is_written(
    offered: Project, web: Web, mount: Callable[[Path, str], None]
) -> None:
    """All images are there, and the journal: with room again the report is made, and nothing is fetched."""
    assert offered.run().code == 0
    journal = (offered.result / "red" / ".journal.jsonl").stat().st_size
    report = (offered.result / "red" / "red_download_report.csv").stat().st_size
    assert report > 2 * PAGE_KB * 1024  # else the room that the journal is given would do for it
    offered.result.rename(offered.path / "undisturbed")
    mount(offered.result / "red", f"size={(journal // (PAGE_KB * 1024) + 2) * PAGE_KB}k")
    mount(offered.result / "red" / "Images", "size=20m")
    check_stopped(offered.run())
    check_sound(offered)
    assert len(offered.images("red")) == URLS
    assert not (offered.result / "red" / "red_download_report.csv").exists()
    change(offered.result / "red", "size=20m")
    asked = len(web.requests)
    assert offered.run().code == 0
    assert len(web.requests) == asked
    check_whole(offered)


def make_read_only(folder: Path, mount: Callable[[Path, str], None]) -> None:
    """Take the right to write away, of which root has too much."""
    if os.geteuid() == 0:
        mount(folder, "size=1m")
        change(folder, "ro")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o555)


@pytest.mark.parametrize("which", [".", "partial_imagenet"])
def test_a_read_only_place(
    offered: Project, web: Web, mount: Callable[[Path, str], None], which: str
) -> None:
    """A result folder that cannot be made or written to ends the run before it asks anyone."""
    place = offered.path / "place"
    make_read_only(place / which, mount)
    finished = offered.run("--save_dir", str(place))
    assert finished.code == 2
    assert finished.err.startswith(f"--save_dir {place}")
    assert "Traceback" not in finished.err
    assert web.requests == []


def test_a_read_only_category(offered: Project, mount: Callable[[Path, str], None]) -> None:
    """A category's folder that cannot be written to is said, in one sentence."""
    make_read_only(offered.result / "red", mount)
    finished = offered.run()
    assert finished.code == 1
    assert str(offered.result / "red") in finished.err
    assert "Traceback" not in finished.err


def test_a_path_that_is_too_long(offered: Project, web: Web) -> None:
    """A folder that no system could name is refused before anyone is asked."""
    for save_dir in (offered.path / ("x" * 300), offered.path.joinpath(*["x" * 200] * 25)):
        finished = offered.run("--save_dir", str(save_dir))
        assert finished.code == 2
        assert finished.err.startswith("--save_dir ")
        assert "too long" in finished.err
        assert "Traceback" not in finished.err
    assert web.requests == []


@pytest.mark.parametrize("room", [18, 24, 36, 48])
def test_a_path_in_which_not_all_has_room(offered: Project, room: int) -> None:
    """Where the result folder can be named, and not what is to lie in it, the run says so once, and ends."""
    longest = os.pathconf(offered.path, "PC_PATH_MAX") - 1
    save_dir = _of_length(offered.path, longest - room)
    finished = offered.run("--save_dir", str(save_dir))
    assert finished.code in (1, 2)
    assert finished.code == 1 or "--save_dir" in finished.err
    assert finished.err.count("\n") == 1
    assert "too long" in finished.err
    assert "Traceback" not in finished.err


def _of_length(start: Path, length: int) -> Path:
    """Make a folder whose path has so many characters."""
    path = start
    while (left := length - len(str(path))) > 1:
        part = min(200, left - 1)
        path /= "x" * (part if left - 1 - part != 1 else part - 1)
        path.mkdir()
    return path
