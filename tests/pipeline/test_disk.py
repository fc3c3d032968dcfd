"""Full and read-only disks, and paths that are too long: one message, and no partial files."""

from __future__ import annotations

import os
import re
import shutil
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
    finished = offered.run("--parallel", "True")
    check_stopped(finished)
    assert re.match(r"\d+ images? of red could not be written: No space left on device\.", finished.err)
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


WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""The command that makes permissions apply to root, too."""
needs_permissions = pytest.mark.skipif(
    bool(WITHOUT_PRIVILEGES) and shutil.which("setpriv") is None, reason="root may write everywhere"
)


def offer_gitars(project: Project, web: Web, *codes: str) -> None:
    """Add categories of 24 working URLs each, the first with boxes."""
    for number, code in enumerate(codes):
        project.category(code, f"gitar {number}" if number else "gitar")
        for image in range(24):
            web.answer(f"/{code}_{image}", Answer.jpeg(pictures.jpeg(seed=1000 * number + image)))
            project.url(f"{code}_{image}", web.url(f"/{code}_{image}"))
            if not number:
                project.annotate(f"{code}_{image}", (5, 5, 30, 30))


@needs_permissions
@pytest.mark.parametrize(("subfolder", "parallel"), [("Images", "True"), ("Annotation", "False")])
def test_folder_without_permission(offered: Project, web: Web, subfolder: str, parallel: str) -> None:
    """Images that cannot be written are counted, with the error; other categories are not affected."""
    offer_gitars(offered, web, "n00000002")
    folder = offered.result / "gitar" / subfolder
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    finished = offered.run("--parallel", parallel, prefix=WITHOUT_PRIVILEGES)
    expected = "24 images of gitar could not be written: Permission denied. Fix this, and run again.\n"
    assert (finished.code, finished.err) == (1, expected)
    assert {row["reason"] for row in offered.report("gitar")} == {"disk_error"}
    assert offered.images("gitar") == set()
    assert len(offered.images("red")) == URLS
    folder.chmod(0o755)
    assert offered.run().code == 0
    assert (len(offered.images("gitar")), len(offered.xmls("gitar"))) == (24, 24)


@needs_permissions
def test_no_category_has_permission(project: Project, web: Web) -> None:
    """One sentence counts the images of all categories, and names the first few."""
    project.always = ALONE
    offer_gitars(project, web, *(f"n0000001{number}" for number in range(7)))
    for number in range(7):
        folder = project.result / (f"gitar_{number}" if number else "gitar") / "Images"
        folder.mkdir(parents=True)
        folder.chmod(0o555)
    finished = project.run(prefix=WITHOUT_PRIVILEGES)
    names = ", ".join(["gitar", *(f"gitar_{number}" for number in range(1, 5))])
    expected = f"168 images of {names} and 2 more could not be written: Permission denied. Fix this, and"
    assert finished.code == 1
    assert finished.err.startswith(expected)
    assert finished.err.count("\n") == 1


def test_limit_of_file_sizes(offered: Project, web: Web) -> None:
    """Images that are larger than the limit cannot be written; smaller ones are saved."""
    offer_gitars(offered, web, "n00000002")
    for number in range(3):
        web.answer(f"/n00000002_{number}", Answer.jpeg(pictures.jpeg(2000, 1600, seed=number)))
    prefix = ("bash", "-c", 'ulimit -f 300; exec "$0" "$@"')
    finished = offered.run("--parallel", "True", prefix=prefix)
    expected = "3 images of gitar could not be written: File too large. Fix this, and run again.\n"
    assert (finished.code, finished.err) == (1, expected)
    assert len(offered.images("gitar")) == 21
    assert list(offered.result.rglob("*.part")) == []
    assert offered.run().code == 0
    assert len(offered.images("gitar")) == 24


def test_read_only_images(offered: Project, web: Web, mount: Callable[[Path, str], None]) -> None:
    """A category on a read-only file system does not affect the others."""
    offer_gitars(offered, web, "n00000002")
    make_read_only(offered.result / "gitar" / "Images", mount)
    finished = offered.run()
    assert finished.code == 1
    assert finished.err.startswith("24 images of gitar could not be written: ")
    assert len(offered.images("red")) == URLS


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
    """If only the paths of files in the result folder are too long, messages name them."""
    longest = os.pathconf(offered.path, "PC_PATH_MAX") - 1
    save_dir = _of_length(offered.path, longest - room)
    finished = offered.run("--save_dir", str(save_dir))
    assert finished.code in (1, 2)
    assert finished.code == 1 or "--save_dir" in finished.err
    lines = finished.err.splitlines()
    assert lines
    assert all("too long" in line for line in lines)


def _of_length(start: Path, length: int) -> Path:
    """Make a folder whose path has a certain length."""
    path = start
    while (left := length - len(str(path))) > 1:
        part = min(200, left - 1)
        path /= "x" * (part if left - 1 - part != 1 else part - 1)
        path.mkdir()
    return path
