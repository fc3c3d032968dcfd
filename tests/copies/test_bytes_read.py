"""Only the bytes of wanted images are read, and indexes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.copies.lookalikes import DOG, FISH, LAYOUTS, SHARK, category_tars, tar, write_files
from utils.copies.copy import Copies, Copy
from utils.tar_reader import padded

IO = Path("/proc/self/io")
HOLE = 8 * 1024**3
pytestmark = pytest.mark.skipif(not IO.exists(), reason="needs Linux's /proc")


def bytes_read() -> int:
    """Return the bytes that this process has read."""
    return int(IO.read_text().partition("rchar: ")[2].partition("\n")[0])


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Open a copy with two selected categories."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
    unpacked = folder.parent / "unpacked"
    unpacked.mkdir(exist_ok=True)
    return Copies([Copy(str(folder), wanted=(FISH, DOG), folder=unpacked)], print)


def add_hole(folder: Path) -> None:
    """Write a tar of tars; one of them has a hole, which takes no space on disk."""
    with (folder / "ILSVRC2012_img_train.tar").open("wb") as file:
        for code in (FISH, SHARK, DOG):
            inner = category_tars()[f"{code}.tar"]
            member = tarfile.TarInfo(f"{code}.tar")
            member.size = HOLE if code == SHARK else len(inner)
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            begin = file.tell()
            file.write(inner)
            file.seek(begin + padded(member.size))
        file.write(bytes(1024))


@pytest.mark.parametrize(
    "layout", ["tars", "tar of tars", "class folders", "Kaggle", "Kaggle's zip", "shards with labels"]
)
def test_images_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    """With the index of an earlier run, hardly more than the images is read."""
    folder = tmp_path / "copy"
    LAYOUTS[layout](folder)
    if layout == "tar of tars":
        add_hole(folder)
    write_files(folder, {"n09999999.tar": tar({"n09999999_1.JPEG": bytes(30_000_000)})})
    opened(folder, monkeypatch)
    before = bytes_read()
    copies = opened(folder, monkeypatch)
    images = [found.image.read() for code in (FISH, DOG) for found in copies.images(code)]
    assert len(images) >= 6
    assert bytes_read() - before < 1.2 * sum(map(len, images)) + 300_000
