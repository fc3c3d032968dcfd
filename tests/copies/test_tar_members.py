"""Images are found in a tar, complete or still growing, and read one at a time."""

from __future__ import annotations

import contextlib
import random
import tarfile
from pathlib import Path

import pytest

from tests.tars import WNID, bodies, claim, packed, tar, with_checksum
from utils import tar_reader
from utils.copies.tar_members import TarScanner, read
from utils.models.http_defaults import MAX_IMAGE_BYTES
from utils.models.rows import TarMember

LAST = f"{WNID}_9"
END = tar((f"{LAST}.JPEG", b"last"))


def put(folder: Path, data: bytes) -> Path:
    """Write a tar."""
    path = folder / "x.tar"
    path.write_bytes(data)
    return path


def members(path: Path) -> list[TarMember]:
    """Scan a complete tar."""
    scanner = TarScanner(path)
    with contextlib.closing(scanner):
        return list(scanner.scan_to(path.stat().st_size))


def codes(folder: Path, data: bytes) -> list[str]:
    """Return the image codes found in a tar."""
    return [member.image_code for member in members(put(folder, data))]


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "../../", "deep/" * 18, "é/", "x" * 150 + "/"])
def test_offsets(tmp_path: Path, tar_format: int, folder: str) -> None:
    """Images are read from their offsets in all formats of tar; only the last component of a path is used."""
    if tar_format == tarfile.USTAR_FORMAT and len(folder) > 100:
        pytest.skip("this format has no names of that length")
    images = {f"{WNID}_7": b"seven" * 300, "n00000002_123456789012": b"", f"{WNID}_8": b"x" * 512}
    entries = ((f"{folder}{code}.JPEG", data) for code, data in images.items())
    path = put(tmp_path, tar(*entries, tar_format=tar_format))
    found = members(path)
    assert {member.image_code: read(path, member) for member in found} == images
    assert [member.name for member in found] == [f"{code}.JPEG" for code in images]


@pytest.mark.parametrize(
    "name",
    [
        "x.JPEG",
        f"{WNID}_1",
        f"{WNID}_1.JPEG/x",
        f"{WNID}_1.JPEG\n",
        f"{WNID}_1.tar.gz",
        f"._{WNID}_1.JPEG",
        f"{WNID}_\u0663.JPEG",
        f"{WNID}_.JPEG",
        f"{WNID}_1234567890123.JPEG",
        "n1_7.JPEG",
        f"{WNID}_1.",
        f"{WNID}_1./../x",
        f"..\\{WNID}_1.JPEG",
    ],
)
def test_other_names(tmp_path: Path, name: str) -> None:
    """Files that are not named by an image code and an extension are skipped."""
    data = tar((name, b"abc"), (f"{LAST}.JPEG", b""), tar_format=tarfile.PAX_FORMAT)
    assert codes(tmp_path, data) == [LAST]


def test_large_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of 10 GB is listed without reading its content, and cannot be read."""
    path = put(tmp_path, claim(10 * 1024**3))
    with path.open("r+b") as file:  # sparse: takes no space on disk
        file.seek(512 + 10 * 1024**3)
        file.write(END)
    sizes: list[int] = []
    original = tar_reader.FileRange.read

    def read_counted(window: tar_reader.FileRange, size: int) -> bytes:
        sizes.append(size)
        return original(window, size)

    monkeypatch.setattr(tar_reader.FileRange, "read", read_counted)
    large, last = members(path)
    assert sizes == [512, 512, 512]
    assert (large.size, last.image_code) == (10 * 1024**3, LAST)
    with pytest.raises(ValueError, match="larger than 20 MB"):
        read(path, large)
    assert read(path, last) == b"last"


def test_largest_image(tmp_path: Path) -> None:
    """An image of the maximum size can be read."""
    path = put(tmp_path, tar((f"{WNID}_1.JPEG", bytes(MAX_IMAGE_BYTES)), (f"{WNID}_2.JPEG", b"x")))
    first, _second = members(path)
    assert len(read(path, first)) == MAX_IMAGE_BYTES


@pytest.mark.parametrize("size", [10 * 1024**3, 2**80])
def test_false_size(tmp_path: Path, size: int) -> None:
    """A member that claims to extend beyond the file is not listed."""
    assert codes(tmp_path, END[:1024] + claim(size) + bytes(2048)) == [LAST]


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_long_extended_header(tmp_path: Path, kind: bytes) -> None:
    """An extended header that claims 10 GB is rejected without reading it."""
    with pytest.raises(ValueError, match="more than 64 KB"):
        codes(tmp_path, claim(10 * 1024**3, kind=kind) + bytes(2048))


def test_negative_size(tmp_path: Path) -> None:
    """A negative size, which could lead backwards, is rejected."""
    block = bytearray(claim(0))
    block[124:136] = b"\xff" * 12
    with pytest.raises(ValueError, match="not a tar"):
        codes(tmp_path, with_checksum(block) + bytes(1024))


def test_damage(tmp_path: Path) -> None:
    """Images before the damage are returned."""
    scanner = TarScanner(put(tmp_path, END[:1024] + b"garbage" * 100))
    found: list[str] = []
    with contextlib.closing(scanner), pytest.raises(ValueError, match="not a tar"):
        found.extend(member.image_code for member in scanner.scan_to(1700))
    assert found == [LAST]


@pytest.mark.parametrize("step", [1, 511, 512, 4099])
def test_growing(tmp_path: Path, step: int) -> None:
    """In a growing tar, each image is returned once, as soon as its last byte is available."""
    images = bodies(4, size=700)
    long_name = "x" * 150 + f"/{WNID}_5.JPEG"
    whole = tar(*((f"{code}.JPEG", data) for code, data in images.items()), (long_name, b"five" * 200))
    found: list[str] = []
    with contextlib.closing(TarScanner(put(tmp_path, whole))) as scanner:
        for size in [*range(0, len(whole), step), len(whole)]:
            complete = list(scanner.scan_to(size))
            assert all(size - step < member.end <= size for member in complete)
            found += [member.image_code for member in complete]
        assert found == [*images, f"{WNID}_5"]
        assert scanner.ended


def test_end_mark(tmp_path: Path) -> None:
    """Data after the end mark is ignored."""
    with contextlib.closing(TarScanner(put(tmp_path, END + claim(5) + bytes(512)))) as scanner:
        assert [member.image_code for member in scanner.scan_to(10**6)] == [LAST]
        assert scanner.ended


def test_random_changes(tmp_path: Path) -> None:
    """A tar with changed bytes gives readable images or a ValueError."""
    dice = random.Random(5)
    whole = packed(bodies(3, size=100))
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path = put(tmp_path, bytes(data[: dice.randrange(len(data))]))
        found: list[TarMember] = []
        with contextlib.suppress(ValueError):
            found = members(path)
        assert len(found) <= 3
        assert all(len(read(path, member)) == member.size for member in found)


def test_replaced_file(tmp_path: Path) -> None:
    """A member cannot be read if the file has been replaced or removed."""
    path = put(tmp_path, packed(bodies(3)))
    member = members(path)[1]
    for other in (packed(bodies(3, size=30_000)), b"", bytes(200_000), path.read_bytes()[:30_000]):
        path.unlink(missing_ok=True)
        put(tmp_path, other)
        with pytest.raises((OSError, EOFError, ValueError)):
            read(path, member)
    path.unlink()
    with pytest.raises((OSError, EOFError, ValueError)):
        read(path, member)
