"""A new source needs one module and one line in the registry; everything else works with it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, ROOT, Finished, Project

RED = "n00000001"
REGISTERED = (
    sys.executable,
    "-c",
    f"import sys; del sys.argv[1:3]; sys.path.insert(0, {str(ROOT)!r}); "
    "from tests.sources import folder_source; folder_source.register(); "
    "from utils.cli.extract import main; sys.exit(main())",
)
"""The beginning of a command line that registers the source before it runs the script."""


@pytest.fixture
def copy(project: Project) -> Path:
    """Make a folder with eight images of a category, and a broken one; every second has boxes."""
    folder = project.path / "copy" / RED
    folder.mkdir(parents=True)
    project.category(RED, "red")
    for number in range(8):
        (folder / f"{RED}_{number}.JPEG").write_bytes(pictures.jpeg(seed=number))
        if number % 2:
            project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
    (folder / f"{RED}_4.JPEG").write_bytes(pictures.jpeg(seed=4)[:300])
    return folder


def run(project: Project, *flags: str, source: str = "folders") -> Finished:
    """Run the script with the source."""
    finished = project.run("--source", source, *flags, prefix=REGISTERED)
    assert "Traceback" not in finished.err
    return finished


def codes(*numbers: int) -> set[str]:
    """Name images."""
    return {f"{RED}_{number}.jpg" for number in numbers}


def test_run(project: Project, copy: Path) -> None:
    """Images are read by workers, paired with boxes, and reported; the next run reads none of them again."""
    dry = run(project, "--dry_run")
    assert "red (n00000001): 8 files, 8 to try\n" in dry.out
    finished = run(project)
    assert finished.code == 0, finished.err
    assert project.images("red") == codes(0, 1, 2, 3, 5, 6, 7)
    assert project.xmls("red") == {f"{RED}_{number}.xml" for number in (1, 3, 5, 7)}
    rows = project.report("red")
    assert [row["url"] for row in rows] == [f"{RED}/{RED}_{number}.JPEG" for number in range(8)]
    assert [row["reason"] for row in rows] == ["", "", "", "", "corrupt", "", "", ""]
    for path in copy.iterdir():
        path.write_bytes(b"")
    assert run(project, *ALONE).code == 0
    assert Counter(row["status"] for row in project.report("red")) == {"already_present": 7, "failed": 1}
    assert project.folders() == {"red"}


def test_limits(project: Project, copy: Path) -> None:
    """`--how_many` and `--fill` mean the same as for URLs."""
    assert run(project, *ALONE, "--how_many", "2").code == 0
    assert project.images("red") == codes(0, 1)
    assert run(project, *ALONE, "--how_many", "5", "--fill").code == 0
    assert len(project.images("red")) == 5
    finished = run(project, *ALONE, "--how_many", "5", "--fill", "--with_annotation")
    assert "red: 4 of 5 images with boxes; no more were found." in finished.out


def test_unreadable_file(project: Project, copy: Path) -> None:
    """It fails alone, for a reason that is temporary."""
    (copy / f"{RED}_0.JPEG").unlink()
    (copy / f"{RED}_0.JPEG").mkdir()
    assert run(project, *ALONE).code == 0
    first = project.report("red")[0]
    assert (first["status"], first["reason"]) == ("failed", "truncated")
    assert first["description"] == "It cannot be read: Is a directory."
    assert len(project.images("red")) == 6


def test_after_urls(project: Project, copy: Path, web: Web) -> None:
    """As the second source it is asked for what the first one could not deliver."""
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=100)))
    for number in (1, 2, 9):
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    assert run(project, *ALONE, source="urls_and_folders").code == 0
    assert project.images("red") == codes(0, 1, 2, 3, 5, 6, 7)
    assert (project.result / "red" / "Images" / f"{RED}_1.jpg").read_bytes() == pictures.jpeg(seed=100)
    failed = {(row["image_code"], row["reason"]) for row in project.report("red") if row["reason"]}
    assert failed == {(f"{RED}_2", "http_404"), (f"{RED}_9", "http_404"), (f"{RED}_4", "corrupt")}


def test_unknown_source(project: Project, copy: Path) -> None:
    """Without registration the word is refused, and the known ones are named."""
    finished = project.run("--source", "folders")
    assert finished.code == 2
    assert "urls, archive, copy, both" in finished.err
