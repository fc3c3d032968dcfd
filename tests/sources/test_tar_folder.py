"""`--archive_url FOLDER`: damaged and missing tars of categories in a folder."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from demo import pictures
from tests.project import ALONE, Project
from tests.tars import WNID, packed

BODY = packed({f"{WNID}_{number}": pictures.jpeg(seed=number) for number in range(4)})
ARCHIVE = ("--source", "archive", "--accept_imagenet_terms", "True", "--archive_url")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make a project with one category, and a folder for its tar."""
    made = Project(tmp_path, always=ALONE)
    made.category(WNID, "red")
    (tmp_path / "tars").mkdir()
    return made


@pytest.mark.parametrize(
    ("data", "words", "images"),
    [
        (b"", "it is empty", 0),
        (BODY[: len(BODY) // 2], "it is cut off after", 1),
        (b"<html>" * 500, "it is not a tar archive", 0),
        (random.Random(3).randbytes(5000), "it is not a tar archive", 0),
        (BODY.rstrip(b"\0") + b"garbage" * 2000, "it is not a tar archive, or damaged", 4),
    ],
)
def test_damaged_tar(project: Project, data: bytes, words: str, images: int) -> None:
    """The images before the damage are saved; the sentence says what is wrong, and the tar is not changed."""
    path = project.path / "tars" / f"{WNID}.tar"
    path.write_bytes(data)
    finished = project.run(*ARCHIVE, str(path.parent))
    assert finished.code == 1
    assert f"red: {path}: {words}" in finished.err
    assert len(project.images("red")) >= images
    assert path.read_bytes() == data


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_no_tar(project: Project, kind: str) -> None:
    """A missing file, a folder and a pipe are reported without waiting."""
    path = project.path / "tars" / f"{WNID}.tar"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    finished = project.run(*ARCHIVE, str(path.parent))
    words = "No such file or directory" if kind == "missing" else "it is not a file"
    assert f"red: {path}: {words}.\n" in finished.err
    assert finished.code == 1
