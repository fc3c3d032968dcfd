"""Paths in the result folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import FolderError, InputError
from utils.models.images import ImageFormat
from utils.results.paths import CategoryFolder, result_folder


def test_category_folder(tmp_path: Path) -> None:
    """A category has the documented files; paths in reports have slashes."""
    folder = CategoryFolder(tmp_path / "hinny")
    folder.make()
    folder.make()
    assert sorted(path.name for path in folder.path.iterdir()) == ["Annotation", "Images"]
    image = folder.image("n02390258_1", ImageFormat.JPEG)
    assert folder.relative(image) == "Images/n02390258_1.jpg"
    assert folder.relative(folder.annotation("n02390258_1")) == "Annotation/n02390258_1.xml"
    assert folder.relative(folder.report) == "hinny_download_report.csv"


def test_folders_that_cannot_be_created(tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot work with .*/file/hinny: Not a directory\."):
        CategoryFolder(tmp_path / "file" / "hinny").make()
    (tmp_path / "hinny").mkdir()
    (tmp_path / "hinny" / "Annotation").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot work with .*/hinny/Annotation: File exists\."):
        CategoryFolder(tmp_path / "hinny").make()
    with pytest.raises(InputError, match=r"--save_dir .*Choose another folder\."):
        result_folder(tmp_path / "file")


def test_partial_files_of_a_killed_run(tmp_path: Path) -> None:
    """Incomplete files are deleted; files with similar names are not."""
    folder = CategoryFolder(tmp_path / "hinny")
    folder.make()
    partial = [folder.images / ".a.jpg.part", folder.annotations / ".a.xml.part", folder.path / ".r.csv.part"]
    others = [folder.images / "a.jpg", folder.images / "a.part", folder.images / ".hidden", folder.journal]
    for path in partial + others:
        path.write_bytes(b"x")
    folder.remove_partials()
    assert [path.exists() for path in partial + others] == [False] * 3 + [True] * 4


def test_result_folder(tmp_path: Path) -> None:
    """The folder is created with its parents; an existing one is used."""
    for _ in range(2):
        assert result_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "partial_imagenet"
    assert (tmp_path / "a" / "b" / "partial_imagenet").is_dir()
