"""Links, pipes and false lines in a result folder, as another user or an unpacked archive may leave them."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, Project
from utils.results.paths import FINGERPRINTS_NAME, MANIFEST_NAME

RED, BLUE = "n00000001", "n00000002"
EXPORT = ("--export", "imagefolder")
PRECIOUS = b"a file of another user"
FILES = [
    "index.html",
    "dataset_card.md",
    ".gallery.jsonl",
    ".hosts.json",
    "red/red_download_report.csv",
    "red/.own_images.json",
    "red/.archive.json",
    f"red/Annotation/{RED}_1.xml",
    f"red/Images/{RED}_2.jpg",
]
PARTIAL = [f"{Path(name).parent}/.{Path(name).name}.part" for name in FILES]
STOPPING = [".lock", "excluded.txt", ".staging", ".fingerprints.csv", ".splits.csv", "red/.journal.jsonl"]
"""Files without which the run, a category or the export cannot go on."""
WHY_PIPE = {".staging": "File exists"}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes in folders")


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Make a project with a finished run: two categories, one with boxes and a photo of the user's own."""
    project = Project(tmp_path_factory.mktemp("finished"), always=ALONE)
    with Web() as web:
        for code, name in ((RED, "red"), (BLUE, "azure")):
            project.category(code, name)
            for number in (1, 2):
                web.answer(f"/{name}{number}", Answer.jpeg(pictures.jpeg(seed=number)))
                project.url(f"{code}_{number}", web.url(f"/{name}{number}"))
        project.annotate(f"{RED}_1", (1, 2, 9, 8))
        (project.result / "red" / "Images").mkdir(parents=True)
        (project.result / "red" / "Images" / "mine.jpg").write_bytes(pictures.jpeg(seed=3))
        assert project.run().code == 0
        yield project


@pytest.fixture
def saved(finished_project: Project, tmp_path: Path) -> Project:
    """Copy the project with the finished run."""
    folder = shutil.copytree(finished_project.path, tmp_path / "project")
    return dataclasses.replace(finished_project, path=folder)


@pytest.fixture
def precious(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of another user, with the layout of a category's."""
    folder = tmp_path_factory.mktemp("precious")
    (folder / "file").write_bytes(PRECIOUS)
    for name in ("Images", "Annotation"):
        (folder / name).mkdir()
    for name in ("Images/.x.part", f"Images/{RED}_7.jpg", f"Annotation/{RED}_8.xml", f"{RED}_9.jpg"):
        (folder / name).write_bytes(PRECIOUS)
    (folder / f"{RED}_9.xml").write_bytes(PRECIOUS)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plant(path: Path, make: Callable[[Path], None]) -> None:
    """Put a link or a pipe in the place of a file."""
    path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        *((FILES + PARTIAL, kind) for kind in ("link", "dangling link", "pipe")),
        *(([name], kind) for name in STOPPING for kind in ("link", "pipe")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_files(saved: Project, precious: Path, names: list[str], kind: str) -> None:
    """A link is replaced or refused, never followed; no pipe is waited for; a sentence says what is wrong."""
    make: Callable[[Path], None] = {
        "link": lambda path: path.symlink_to(precious / "file"),
        "dangling link": lambda path: path.symlink_to(precious / "new"),
        "pipe": os.mkfifo,
    }[kind]
    for name in names:
        plant(saved.result / name, make)
    before = contents(precious)

    finished = saved.run(*EXPORT, timeout=30)

    assert contents(precious) == before
    assert "Traceback" not in finished.err
    if names[0] in STOPPING:
        assert finished.code in (1, 2)
        assert str(saved.result / names[0]) in finished.err
        assert (
            "it is a symbolic link" if "link" in kind else WHY_PIPE.get(names[0], "it is a pipe")
        ) in finished.err
    else:
        assert finished.code == 0
        assert "index.html could not be written" in finished.err
        assert {row["status"] for row in saved.report("red")} == {"already_present", "downloaded"}
        assert (saved.result / "red" / "Annotation" / f"{RED}_1.xml").read_bytes().startswith(b"<annotation>")


@pytest.mark.parametrize("name", ["red", "red/Images", "red/Annotation"])
@pytest.mark.parametrize(
    "flags", [(), ("--verify",), ("--dry_run",), ("--verify", "--dry_run")], ids=" ".join
)
def test_folders(saved: Project, precious: Path, name: str, flags: tuple[str, ...]) -> None:
    """A folder that is a link costs its category, in one sentence; nothing behind it is changed."""
    link = saved.result / name
    shutil.rmtree(link)
    link.symlink_to(precious / Path(name).relative_to("red"))
    before = contents(precious)

    finished = saved.run(*flags)

    assert contents(precious) == before
    assert finished.code == 1
    assert f"Cannot work with {link}: it is a symbolic link. Move it out of the way" in finished.err
    assert finished.err.count("Cannot work") == 1
    assert saved.images("azure") == {f"{BLUE}_1.jpg", f"{BLUE}_2.jpg"}


def test_linked_folder_is_not_exported(saved: Project, precious: Path) -> None:
    """The other categories are; a photo behind the link is not taken for one of the user's own."""
    (precious / "Images" / "photo.jpg").write_bytes(pictures.jpeg(seed=4))
    shutil.rmtree(saved.result / "red" / "Images")
    (saved.result / "red" / "Images").symlink_to(precious / "Images")
    finished = saved.run(*EXPORT)
    assert "red: Cannot work with" in finished.err
    exported = {path.name for path in (saved.path / "partial_imagenet_imagefolder").rglob("*.jpg")}
    assert exported == {f"{BLUE}_1.jpg", f"{BLUE}_2.jpg"}
    assert not (saved.result / "red" / ".own_images.json").is_symlink()


def test_result_folder_may_be_a_link(saved: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Users put it on another disk."""
    elsewhere = tmp_path_factory.mktemp("disk") / "images"
    shutil.move(saved.result, elsewhere)
    saved.result.symlink_to(elsewhere)
    assert saved.run(*EXPORT).code == 0
    assert {row["status"] for row in saved.report("red")} == {"already_present"}


@pytest.mark.parametrize(
    ("file", "flags"),
    [
        ("../../precious.jpg", EXPORT),
        ("../../precious.jpg", ("--verify",)),
        ("../azure/Images/{}_1.jpg", ("--retry_failed", *EXPORT)),
        ("Images/../../../precious.jpg", EXPORT),
    ],
)
def test_lines_that_name_another_file(saved: Project, file: str, flags: tuple[str, ...]) -> None:
    """Such a line neither removes nor exports the file."""
    precious = saved.path / "precious.jpg"
    precious.write_bytes(pictures.jpeg(seed=9))
    journal = saved.result / "red" / ".journal.jsonl"
    lines = journal.read_text(encoding="utf-8")
    for number in (1, 2):
        lines = lines.replace(f"Images/{RED}_{number}.jpg", file.format(BLUE))
    journal.write_text(lines, encoding="utf-8")

    finished = saved.run(*flags)

    assert "Traceback" not in finished.err
    assert precious.read_bytes() == pictures.jpeg(seed=9)
    assert saved.images("azure") == {f"{BLUE}_1.jpg", f"{BLUE}_2.jpg"}
    assert {row["file"] for row in saved.report("red")} == {f"Images/{RED}_1.jpg", f"Images/{RED}_2.jpg"}
    exported = [path for path in saved.path.glob("partial_imagenet_*/**/*.jpg") if path.samefile(precious)]
    assert exported == []


def test_hashes_that_cannot_be_recorded(saved: Project) -> None:
    """A folder in the place of the hashes costs the manifest only: images are saved, and the run says so."""
    shutil.rmtree(saved.result)
    (saved.result / FINGERPRINTS_NAME).mkdir(parents=True)
    finished = saved.run()
    assert finished.code == 0, finished.err
    for folder in ("red", "azure"):
        assert [row["status"] for row in saved.report(folder)] == ["downloaded"] * 2
    assert f"{MANIFEST_NAME} was not written. " in finished.out + finished.err
