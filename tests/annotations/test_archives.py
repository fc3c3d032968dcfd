"""XML files of a category are found in archives and folders."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import pytest

from tests.tars import claim, tar
from utils.annotations import archives
from utils.annotations.archives import find_archive, has_archives, iter_xml_files
from utils.tar_reader import READ_ERRORS, TarLimitError

CODE = "n00000001"


def put(folder: Path, data: bytes, name: str = f"{CODE}.tar.gz") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(data)
    return path


def codes(path: Path) -> list[str]:
    """Return the image codes that are found."""
    return [file.image_code for file in iter_xml_files(path)]


def test_find_order(tmp_path: Path) -> None:
    """A compressed archive is preferred to a plain one, and that to a folder, also as tar unpacks it."""
    assert find_archive(tmp_path, CODE) is None
    assert not has_archives(tmp_path)
    unpacked = tmp_path / "Annotation" / CODE
    unpacked.mkdir(parents=True)
    assert find_archive(tmp_path, CODE) == unpacked
    assert has_archives(tmp_path)
    (tmp_path / CODE).mkdir()
    assert find_archive(tmp_path, CODE) == tmp_path / CODE
    plain = put(tmp_path, b"", f"{CODE}.tar")
    assert find_archive(tmp_path, CODE) == plain
    compressed = put(tmp_path, b"")
    assert find_archive(tmp_path, CODE) == compressed


@pytest.mark.parametrize("folder", ["", "Annotation/n00000001/", "deep/" * 18, "./", "../../", "/etc/", "é/"])
def test_archives(tmp_path: Path, folder: str) -> None:
    """XML files are found at any depth, in plain and compressed archives whatever their names."""
    data = tar((f"{folder}n00000001_7.xml", b"<a/>"), (f"{folder}n00000002_8.xml", b""))
    for archive in (data, gzip.compress(data)):
        found = [(file.image_code, file.data) for file in iter_xml_files(put(tmp_path, archive))]
        assert found == [("n00000001_7", b"<a/>"), ("n00000002_8", b"")]
    assert [path.name for path in tmp_path.rglob("*")] == [f"{CODE}.tar.gz"]


@pytest.mark.parametrize(
    "name",
    [
        "x.xml",
        "n00000001_7.txt",
        "n00000001_7.xml.exe",
        "._n00000001_7.xml",
        "n00000001_٣.xml",
        "n1_7.xml",
        "n00000001_.xml",
    ],
)
def test_other_names(tmp_path: Path, name: str) -> None:
    """Files that are not named by an image code are skipped."""
    data = tar((name, b"<a/>"), ("n00000001_9.xml", b""), tar_format=tarfile.PAX_FORMAT)
    assert codes(put(tmp_path, gzip.compress(data))) == ["n00000001_9"]


def test_large_xml(tmp_path: Path) -> None:
    """The data of a file that is too large for an XML is empty, and the next files are read."""
    data = tar(("n00000001_1.xml", bytes(archives.MAX_XML_BYTES + 1)), ("n00000001_2.xml", b"x"))
    assert [file.data for file in iter_xml_files(put(tmp_path, gzip.compress(data)))] == [b"", b"x"]


def test_large_archive(tmp_path: Path) -> None:
    """An archive that unpacks to more than 32 MB is rejected."""
    data = claim(0, "x") + claim(120 * 1024**2, "y") + bytes(33 * 1024**2)
    with pytest.raises(TarLimitError, match="more than 32 MB"):
        codes(put(tmp_path, gzip.compress(data, 1)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path: Path, share: float) -> None:
    """The files of a truncated archive are returned up to the end, followed by an error."""
    data = gzip.compress(tar(*((f"n00000001_{number}.xml", os.urandom(600)) for number in range(50))))
    path = put(tmp_path, data[: int(len(data) * share)])
    found: list[str] = []
    with pytest.raises(READ_ERRORS):
        found.extend(file.image_code for file in iter_xml_files(path))
    assert 50 * share - 12 < len(found) <= 50


def test_folder(tmp_path: Path) -> None:
    """A folder is read at any depth, but links and pipes in it are not followed."""
    nested = tmp_path / CODE / "Annotation" / CODE
    nested.mkdir(parents=True)
    outside = tmp_path / "n00000001_9.xml"
    outside.write_bytes(b"secret")
    (nested / "n00000001_1.xml").write_bytes(b"<a/>")
    (nested / "n00000001_2.xml").write_bytes(bytes(archives.MAX_XML_BYTES + 1))
    (nested / "n00000001_3.xml").symlink_to(outside)
    (tmp_path / CODE / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(nested / "n00000001_4.xml")
    found = [(file.image_code, file.data) for file in iter_xml_files(tmp_path / CODE)]
    assert found == [("n00000001_1", b"<a/>"), ("n00000001_2", b"")]
