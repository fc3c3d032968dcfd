"""Where images lie in a tar, honest or hostile, whole or still growing."""

from __future__ import annotations

import contextlib
import random
import tarfile
import time
from pathlib import Path

import pytest

from tests.archives import WNID, bodies, claim, mended, packed, tar
from utils import tar_reader
from utils.models.http_defaults import MAX_IMAGE_BYTES
from utils.models.rows import TarMember
from utils.sources.tar_members import UNREADABLE, TarScanner, read

LAST = f"{WNID}_9"
END = tar((f"{LAST}.JPEG", b"last"))


def put(folder: Path, data: bytes) -> Path:
    """Make a tar on disk."""
    path = folder / "x.tar"
    path.write_bytes(data)
    return path


def members(path: Path) -> list[TarMember]:
    """Give all members, to the end or as far as it goes."""
    scan = TarScanner(path)
    try:
        return list(scan.scan_to(path.stat().st_size))
    finally:
        scan.close()


def codes(folder: Path, data: bytes) -> list[str]:
    """Give the image codes that are found in a tar."""
    return [member.image_code for member in members(put(folder, data))]


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "./", "/", "../../", f"{WNID}/", "deep/" * 18, "é/", "x" * 90 + "/"])
def test_formats(tmp_path: Path, tar_format: int, folder: str) -> None:
    """In all formats the bytes are found where they lie; of the folders above them nothing is used."""
    images = {f"{WNID}_7": b"seven" * 300, "n00000002_123456789012": b"", f"{WNID}_8": b"x" * 512}
    entries = ((f"{folder}{code}.JPEG", data) for code, data in images.items())
    path = put(tmp_path, tar(*entries, tar_format=tar_format))
    found = members(path)
    assert {member.image_code: read(path, member) for member in found} == images
    assert [member.name for member in found] == [f"{code}.JPEG" for code in images]


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(tmp_path: Path, tar_format: int) -> None:
    """A name too long for a header is taken from the extended header before it, and from no other."""
    data = tar(("x" * 150 + f"/{WNID}_1.JPEG", b"1"), (f"{WNID}_2.JPEG", b"2"), tar_format=tar_format)
    assert codes(tmp_path, data) == [f"{WNID}_1", f"{WNID}_2"]


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
    """What is not named by an image code and an extension is passed over."""
    data = tar((name, b"abc"), (f"{LAST}.JPEG", b""), tar_format=tarfile.PAX_FORMAT)
    assert codes(tmp_path, data) == [LAST]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"g", b"K", b"z"])
def test_only_regular_files(tmp_path: Path, kind: bytes) -> None:
    """Links, devices, pipes, folders and what nobody knows are passed over, and what follows is read."""
    assert codes(tmp_path, claim(0, kind=kind) + END) == [LAST]


def test_sparse(tmp_path: Path) -> None:
    """A sparse file of 10 GB is passed over at once, with the further blocks of its map."""
    block = bytearray(claim(512, kind=b"S"))
    block[482], block[483:495] = 1, b"%011o\0" % (10 * 1024**3 % 8**11)
    further_map = bytes(504) + b"\1" + bytes(7) + bytes(512)
    assert codes(tmp_path, mended(block) + further_map + b"\xff" * 512 + END) == [LAST]


def test_endless_map_of_a_sparse_file(tmp_path: Path) -> None:
    """A map of holes that never ends is given up."""
    block = bytearray(claim(0, kind=b"S"))
    block[482] = 1
    with pytest.raises(ValueError, match="more than 64 KB"):
        codes(tmp_path, mended(block) + (bytes(504) + b"\1" + bytes(7)) * 1000)


def test_ten_gigabytes_in_front(tmp_path: Path) -> None:
    """A member of 10 GB costs no reading: what follows is found at once, and the large one can be told."""
    path = put(tmp_path, claim(10 * 1024**3))
    with path.open("r+b") as file:  # the file has a hole there, and takes no room
        file.seek(512 + 10 * 1024**3)
        file.write(END)
    begun = time.process_time()
    large, last = members(path)
    assert time.process_time() - begun < 1
    assert (large.size, last.image_code) == (10 * 1024**3, LAST)
    with pytest.raises(ValueError, match="larger than 20 MB"):
        read(path, large)
    assert read(path, last) == b"last"


def test_size_in_an_extended_header(tmp_path: Path) -> None:
    """A size that stands in an extended header counts, and only for the next member."""
    record = b"14 size=1000\n"
    data = claim(len(record), "x", b"x") + record.ljust(512, b"\0") + claim(0, f"{WNID}_1.JPEG") + bytes(1024)
    assert [(each.image_code, each.size) for each in members(put(tmp_path, data + END))] == [
        (f"{WNID}_1", 1000),
        (LAST, 4),
    ]


@pytest.mark.parametrize("size", [10 * 1024**3, 2**80])
def test_absurd_sizes(tmp_path: Path, size: int) -> None:
    """A member that claims more than there is never comes, and nothing is sought where it would end."""
    assert codes(tmp_path, END[:1024] + claim(size) + bytes(2048)) == [LAST]


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_absurd_extended_headers(tmp_path: Path, kind: bytes) -> None:
    """An extended header more than 64 KB ends it; it is never read."""
    with pytest.raises(ValueError, match="more than 64 KB"):
        codes(tmp_path, claim(10 * 1024**3, kind=kind) + bytes(2048))


def test_negative_size(tmp_path: Path) -> None:
    """A size below zero, by which tar readers can be led in circles, ends it."""
    block = bytearray(claim(0))
    block[124:136] = b"\xff" * 12
    with pytest.raises(ValueError, match="not a tar"):
        codes(tmp_path, mended(block) + bytes(1024))


def test_garbage_in_the_middle(tmp_path: Path) -> None:
    """What came before the damage is good."""
    scan = TarScanner(put(tmp_path, END[:1024] + b"garbage" * 100))
    found: list[str] = []
    with pytest.raises(ValueError, match="not a tar"):
        found.extend(member.image_code for member in scan.scan_to(1700))
    scan.close()
    assert found == [LAST]


def test_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar ends after so many headers, extended ones included."""
    monkeypatch.setattr(tar_reader, "MAX_MEMBERS", 10)
    for data in (claim(0, "x"), claim(0, kind=b"L")):
        with pytest.raises(ValueError, match="more than 10 members"):
            codes(tmp_path, data * 20)


@pytest.mark.parametrize("step", [1, 511, 512, 4099])
def test_growing(tmp_path: Path, step: int) -> None:
    """However a tar grows, each member is given once, as soon as its last byte is there, and no sooner."""
    images = bodies(4, size=700)
    long_name = "x" * 150 + f"/{WNID}_5.JPEG"
    whole = tar(*((f"{code}.JPEG", data) for code, data in images.items()), (long_name, b"five" * 200))
    path = put(tmp_path, whole)
    scan = TarScanner(path)
    given: list[str] = []
    for size in [*range(0, len(whole), step), len(whole)]:
        now = list(scan.scan_to(size))
        assert all(size - step < member.end <= size for member in now)
        given += [member.image_code for member in now]
    assert given == [*images, f"{WNID}_5"]
    assert scan.ended
    scan.close()


def test_end(tmp_path: Path) -> None:
    """Behind the mark of the end nothing is looked at."""
    scan = TarScanner(put(tmp_path, END + claim(5) + bytes(512)))
    assert [member.image_code for member in scan.scan_to(10**6)] == [LAST]
    assert scan.ended
    scan.close()


def test_random_bytes(tmp_path: Path) -> None:
    """No garbage, and no tar with a byte changed, leads to anything but members or a sentence."""
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


def test_another_file_in_its_place(tmp_path: Path) -> None:
    """A member is not read from a file that holds something else there by now."""
    path = put(tmp_path, packed(bodies(3)))
    member = members(path)[1]
    for other in (packed(bodies(3, size=30_000)), b"", bytes(200_000), path.read_bytes()[:30_000]):
        path.unlink(missing_ok=True)
        put(tmp_path, other)
        with pytest.raises(UNREADABLE):
            read(path, member)
    path.unlink()
    with pytest.raises(UNREADABLE):
        read(path, member)


def test_largest_image(tmp_path: Path) -> None:
    """An image of just the largest size is read."""
    path = put(tmp_path, tar((f"{WNID}_1.JPEG", bytes(MAX_IMAGE_BYTES)), (f"{WNID}_2.JPEG", b"x")))
    first, _second = members(path)
    assert len(read(path, first)) == MAX_IMAGE_BYTES
