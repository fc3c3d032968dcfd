"""Archives of XML files, honest and hostile: read as a stream, never extracted."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
from pathlib import Path

import pytest

from utils import tar_reader
from utils.annotations import archives
from utils.annotations.archives import find, members
from utils.tar_reader import READ_ERRORS

CODE = "n00000001"


def tar(*entries: tuple[str, bytes], tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    """Make a tar of these names and contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tar_format) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def put(folder: Path, data: bytes, name: str = f"{CODE}.tar.gz") -> Path:
    """Make a file."""
    path = folder / name
    path.write_bytes(data)
    return path


def codes(path: Path) -> list[str]:
    """Return the image codes that are found."""
    return [member.image_code for member in members(path)]


def test_find_order(tmp_path: Path) -> None:
    """A packed archive goes before a plain one, and that before a folder."""
    assert find(tmp_path, CODE) is None
    (tmp_path / CODE).mkdir()
    assert find(tmp_path, CODE) == tmp_path / CODE
    plain = put(tmp_path, b"", f"{CODE}.tar")
    assert find(tmp_path, CODE) == plain
    packed = put(tmp_path, b"")
    assert find(tmp_path, CODE) == packed


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "Annotation/n00000001/", "deep/" * 18, "./", "é/"])
def test_formats(tmp_path: Path, tar_format: int, folder: str) -> None:
    """All formats of tar are read, packed or not, whatever folders lie above the XML files."""
    data = tar(
        (f"{folder}n00000001_7.xml", b"<a/>"), (f"{folder}n00000002_8.xml", b""), tar_format=tar_format
    )
    for name, archive in ((f"{CODE}.tar", data), (f"{CODE}.tar.gz", gzip.compress(data))):
        found = list(members(put(tmp_path, archive, name)))
        assert [(each.image_code, each.data) for each in found] == [
            ("n00000001_7", b"<a/>"),
            ("n00000002_8", b""),
        ]


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(tmp_path: Path, tar_format: int) -> None:
    """A name too long for a header is taken from the extended header before it, and from no other."""
    data = tar(("x" * 150 + "/n00000001_7.xml", b"1"), ("n00000001_8.xml", b"2"), tar_format=tar_format)
    assert codes(put(tmp_path, gzip.compress(data))) == ["n00000001_7", "n00000001_8"]


def test_unpacked_on_the_way(tmp_path: Path) -> None:
    """What is named .tar.gz and is a plain tar is read all the same."""
    assert codes(put(tmp_path, tar(("n00000001_7.xml", b"x")))) == ["n00000001_7"]


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
    """Files that are not named by an image code are passed over."""
    data = tar((name, b"<a/>"), ("n00000001_9.xml", b""), tar_format=tarfile.PAX_FORMAT)
    assert codes(put(tmp_path, gzip.compress(data))) == ["n00000001_9"]


def test_paths_lead_nowhere(tmp_path: Path) -> None:
    """Of an absolute path, or one that climbs, nothing but the image code is used."""
    data = tar(("../../n00000001_1.xml", b"a"), ("/etc/n00000001_2.xml", b"b"))
    before = sorted(tmp_path.parent.rglob("*"))
    assert codes(put(tmp_path, gzip.compress(data))) == ["n00000001_1", "n00000001_2"]
    assert sorted(tmp_path.parent.rglob("*")) == sorted([*before, tmp_path / f"{CODE}.tar.gz"])


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE],
)
def test_only_regular_files(tmp_path: Path, kind: bytes) -> None:
    """Links, devices, pipes and folders are passed over, and what follows them is read."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo("n00000001_1.xml")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
        archive.addfile(tarfile.TarInfo("n00000001_2.xml"))
    assert codes(put(tmp_path, packed.getvalue())) == ["n00000001_2"]


def test_sparse(tmp_path: Path) -> None:
    """A sparse file of 10 GB is passed over at once, with the further blocks of its map."""
    header = tarfile.TarInfo("n00000001_1.xml")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[483:495] = b"%011o\0" % (10 * 1024**3 % 8**11)
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    sparse = bytes(block) + bytes(504) + b"\1" + bytes(7) + bytes(512) + b"\xff" * 512
    assert codes(put(tmp_path, sparse + tar(("n00000001_2.xml", b"x")))) == ["n00000001_2"]


def claim(size: int, name: str = "n00000001_1.xml", kind: bytes = b"0") -> bytes:
    """Make the header of a member that claims to have this size."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"g", b"K", b"S", b"z"])
@pytest.mark.parametrize("size", [10 * 1024**3, 2**80])
def test_absurd_sizes(tmp_path: Path, kind: bytes, size: int) -> None:
    """A member that claims to be larger than all limits ends the archive at once, whatever its kind."""
    began = time.process_time()
    with pytest.raises(ValueError, match=r"more than 32 MB|more than 64 KB"):
        codes(put(tmp_path, claim(size, kind=kind) + bytes(2048)))
    assert time.process_time() - began < 1


def test_large_member(tmp_path: Path) -> None:
    """A member larger than any XML comes without its bytes, and the next ones are read."""
    data = tar(("n00000001_1.xml", bytes(archives.MAX_MEMBER_BYTES + 1)), ("n00000001_2.xml", b"x"))
    assert [member.data for member in members(put(tmp_path, gzip.compress(data)))] == [b"", b"x"]


def test_negative_size(tmp_path: Path) -> None:
    """A size below zero, by which tar readers can be led in circles, ends the archive."""
    block = bytearray(claim(0))
    block[124:136] = b"\xff" * 12
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    with pytest.raises(READ_ERRORS):
        codes(put(tmp_path, bytes(block) + bytes(1024)))


def test_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive ends after so many members."""
    monkeypatch.setattr(tar_reader, "MAX_MEMBERS", 10)
    data = b"".join(claim(0, f"n00000001_{number}.xml") for number in range(20))
    found: list[str] = []
    with pytest.raises(ValueError, match="more than 10 members"):
        found.extend(member.image_code for member in members(put(tmp_path, data)))


def test_bomb(tmp_path: Path) -> None:
    """Zeros that unpack to more than the limit are given up soon."""
    path = put(tmp_path, gzip.compress(claim(0, "x") + claim(120 * 1024**2, "y") + bytes(140 * 1024**2), 1))
    began = time.process_time()
    with pytest.raises(ValueError, match="more than 32 MB"):
        codes(path)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut(tmp_path: Path, share: float) -> None:
    """Of a cut archive all that came before the cut is had, and then an error."""
    whole = tar(*((f"n00000001_{number}.xml", os.urandom(600)) for number in range(50)))
    packed = gzip.compress(whole)
    found: list[str] = []
    path = put(tmp_path, packed[: int(len(packed) * share)])
    with pytest.raises(READ_ERRORS):
        found.extend(member.image_code for member in members(path))
    assert 50 * share - 12 < len(found) <= 50


def test_wrong_checksum(tmp_path: Path) -> None:
    """A packed archive whose checksum is wrong is not taken for sound."""
    packed = bytearray(gzip.compress(tar(("n00000001_1.xml", b"x"))))
    packed[-5] ^= 1
    packed[-7] ^= 1
    with pytest.raises(READ_ERRORS):
        codes(put(tmp_path, bytes(packed)))


@pytest.mark.parametrize(
    "data", [b"", b"<html>not found</html>" * 50, b"\x1f\x8b", b"\x1f\x8bnonsense" * 99, b"x"]
)
def test_no_archive(tmp_path: Path, data: bytes) -> None:
    """Nothing, a web page or garbage in an archive's place is an error, not a crash."""
    with pytest.raises(READ_ERRORS):
        codes(put(tmp_path, data))


def test_folder(tmp_path: Path) -> None:
    """A folder is read at any depth; links in it, and pipes, are not followed."""
    nested = tmp_path / CODE / "Annotation" / CODE
    nested.mkdir(parents=True)
    outside = tmp_path / "n00000001_9.xml"
    outside.write_bytes(b"secret")
    (nested / "n00000001_1.xml").write_bytes(b"<a/>")
    (nested / "n00000001_2.xml").write_bytes(bytes(archives.MAX_MEMBER_BYTES + 1))
    (nested / "n00000001_3.xml").symlink_to(outside)
    (tmp_path / CODE / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(nested / "n00000001_4.xml")
    found = [(each.image_code, each.data) for each in members(tmp_path / CODE)]
    assert found == [("n00000001_1", b"<a/>"), ("n00000001_2", b"")]
