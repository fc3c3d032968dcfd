"""Containers of every kind, sound and hostile, are read as streams and within bounds."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import socket
import tarfile
from pathlib import Path

import pytest

from tests.prerequisites import TGZ, TXT, tarred, zipped
from utils import tar_reader
from utils.errors import OneSourceError
from utils.fetch import archive_stream
from utils.fetch.archive_stream import open_regular_file, open_text
from utils.tar_reader import iter_files

BLOCK = 512
CONTAINERS = {"tgz": TGZ, "zip": zipped(a__txt=TXT), "gz": gzip.compress(TXT)}


def text_of(folder: Path, data: bytes) -> bytes:
    """Read the text of a container."""
    path = folder / "file"
    path.write_bytes(data)
    with open_text(path) as text:
        return text.stream.read()


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """Make a tar header that claims what it likes."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_formats_of_tar_are_read(tmp_path: Path, tar_format: int) -> None:
    """Long names, names beyond ASCII, and members of no interest stand in no way."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tar_format) as archive:
        for name, data in (("ü" * 60 + "/" + "x" * 90 + ".txt", TXT), ("b.jpg", bytes(999))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert text_of(tmp_path, buffer.getvalue()) == TXT


def test_only_regular_files_are_members() -> None:
    """Links, devices, folders and files with holes are passed over; a path is no more than its last part."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    data = b"".join(header(f"a{kind.decode()}.txt", 0, kind) for kind in kinds)
    data += header("holes.txt", 3, tarfile.GNUTYPE_SPARSE) + b"abc".ljust(BLOCK, b"\0")
    data += header("../../b.txt", 3) + b"abc".ljust(BLOCK, b"\0") + bytes(2 * BLOCK)
    found = [
        (member.name, member.size, member.read()) for member in iter_files(io.BytesIO(data), max_bytes=10**6)
    ]
    assert found == [("b.txt", 3, b"abc")]


def test_a_member_can_be_read_in_part_or_not_at_all() -> None:
    """The next one is found all the same."""
    data = tarred({name: name.encode() * 1000 for name in "abc"})
    read = []
    for member in iter_files(io.BytesIO(data), max_bytes=10**6):
        if member.name != "b":
            read += [member.read(3), member.read(2)]
    assert read == [b"aaa", b"aa", b"ccc", b"cc"]


def test_headers_beyond_all_measure_are_refused(tmp_path: Path) -> None:
    """A name of ten gigabytes takes no memory, and a file of as many is never the text."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        data = gzip.compress(header("x", 10**10, kind) + bytes(10**6))
        with pytest.raises(OneSourceError, match="more than 64 KB"):
            text_of(tmp_path, data)
    with pytest.raises(OneSourceError, match="ends too early"):
        text_of(tmp_path, gzip.compress(header("x.txt", 10**10) + bytes(10**6)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


def test_a_tar_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither bytes nor members are read without end."""
    monkeypatch.setattr(archive_stream, "MAX_UNPACKED", 10**6)
    with pytest.raises(OneSourceError, match="unpacks to more than"):
        text_of(tmp_path, gzip.compress(header("x.txt", 10**7) + bytes(10**7)))
    monkeypatch.setattr(tar_reader, "MAX_MEMBERS", 100)
    with pytest.raises(OneSourceError, match="more than 100 members"):
        text_of(tmp_path, gzip.compress(header("x.txt", 0) * 200 + bytes(2 * BLOCK)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_what_is_cut_is_told(tmp_path: Path, data: bytes, share: float) -> None:
    """Wherever a container ends too early, that is said before its text is taken for whole."""
    with pytest.raises(OneSourceError, match="damaged or cut"):
        text_of(tmp_path, data[: int(share * len(data))])


@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_what_is_spoilt_is_told_or_read(tmp_path: Path, data: bytes) -> None:
    """Whichever bytes change, there is a text or a sentence, never another end."""
    dice = random.Random(1)
    told = 0
    for _ in range(150):
        spoilt = bytearray(data)
        for _ in range(dice.choice((1, 2, 9))):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        try:
            text_of(tmp_path, bytes(spoilt))
        except OneSourceError:
            told += 1
    assert told > 30


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a pipe, a device, a socket, a path that is none: each is one sentence, at once."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        listener.bind("socket")
        for name, words in {
            "folder": "it is a folder",
            "pipe": "it is a pipe or a device",
            "socket": "it is a pipe or a device",
            "/dev/zero": "it is a pipe or a device",
            "nothing": "it cannot be opened .No such file",
            "x" * 5000: "it cannot be opened .File name too long",
            "folder\0": "it cannot be opened .embedded null byte",
            "/dev/null/x": "it cannot be opened .Not a directory",
        }.items():
            with pytest.raises(OneSourceError, match=words), open_regular_file(Path(name)):
                pytest.fail("it was opened")
