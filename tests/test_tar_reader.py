"""Tar archives, valid and hostile, are read as streams and within limits."""

from __future__ import annotations

import gzip
import io
import random
import resource
import tarfile
from collections.abc import Callable

import pytest

from tests.tars import claim, tar, with_checksum
from utils.tar_reader import READ_ERRORS, TarLimitError, is_header, iter_files

LAST = tar(("last", b"data"))
"""An archive of one file."""
BLOCK = 512


def read(data: bytes, max_bytes: int = 10**6) -> dict[str, bytes]:
    """Read all files of an archive."""
    return {file.name: file.read() for file in iter_files(io.BytesIO(data), max_bytes=max_bytes)}


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "./", "/", "../../", "deep/" * 18, "é/", "x" * 90 + "/"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_formats(compress: Callable[[bytes], bytes], folder: str, tar_format: int) -> None:
    """All formats of tar can be read, compressed or not; only the last component of a path is used."""
    files = {"a": b"seven" * 300, "b": b"", "c": b"x" * 512}
    entries = ((folder + name, data) for name, data in files.items())
    assert read(compress(tar(*entries, tar_format=tar_format))) == files


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(tar_format: int) -> None:
    """A long name in an extended header applies to the next member only."""
    data = tar(("x" * 150 + "/a", b"1"), ("b", b"2"), tar_format=tar_format)
    assert read(data) == {"a": b"1", "b": b"2"}


def test_size_in_extended_header() -> None:
    """A size in an extended header applies to the next member only."""
    record = b"14 size=1000\n"
    data = claim(len(record), "x", b"x") + record.ljust(BLOCK, b"\0") + claim(0, "a") + bytes(1024)
    assert read(data + LAST) == {"a": bytes(1000), "last": b"data"}


def test_partial_reads() -> None:
    """A file can be read in part or not at all; the next file is still found."""
    data = tar(*((name, name.encode() * 1000) for name in "abc"))
    found = []
    for file in iter_files(io.BytesIO(data), max_bytes=10**6):
        if file.name != "b":
            found += [file.read(3), file.read(2)]
    assert found == [b"aaa", b"aa", b"ccc", b"cc"]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"g", b"K", b"z"])
def test_only_regular_files(kind: bytes) -> None:
    """Links, devices, pipes, folders and unknown members are skipped."""
    assert read(claim(0, kind=kind) + LAST) == {"last": b"data"}


def test_sparse_file() -> None:
    """A sparse file is skipped, including the additional blocks of its map."""
    block = bytearray(claim(512, kind=b"S"))
    block[482], block[483:495] = 1, b"%011o\0" % (10 * 1024**3 % 8**11)
    further_map = bytes(504) + b"\1" + bytes(7) + bytes(512)
    assert read(with_checksum(block) + further_map + b"\xff" * 512 + LAST) == {"last": b"data"}


def test_endless_sparse_map() -> None:
    """An endless map of a sparse file is rejected."""
    block = bytearray(claim(0, kind=b"S"))
    block[482] = 1
    with pytest.raises(ValueError, match="more than 64 KB"):
        read(with_checksum(block) + (bytes(504) + b"\1" + bytes(7)) * 1000)


@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"g", b"K", b"S", b"z"])
@pytest.mark.parametrize("size", [10 * 1024**3, 2**80])
def test_huge_sizes(kind: bytes, size: int) -> None:
    """A member that claims more than the limit is rejected before anything is read or allocated."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"more than (9 MB|64 KB)"):
        read(claim(size, kind=kind) + bytes(2048), max_bytes=10**7)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


def test_negative_size() -> None:
    """A negative size, which can make readers loop, is rejected."""
    block = bytearray(claim(0))
    block[124:136] = b"\xff" * 12
    with pytest.raises(ValueError, match="not a tar"):
        read(with_checksum(block) + bytes(1024))


@pytest.mark.parametrize("member", [claim(0, "x"), claim(0, kind=b"L")])
def test_too_many_members(member: bytes) -> None:
    """The number of headers is limited, extended headers included."""
    with pytest.raises(TarLimitError, match="more than 10 members"):
        list(iter_files(io.BytesIO(member * 20), max_bytes=10**6, max_members=10))


@pytest.mark.parametrize(
    "data", [claim(10**7, "x") + bytes(10**7), LAST + bytes(10**7)], ids=["content", "padding"]
)
def test_decompression_bomb(data: bytes) -> None:
    """A compressed archive is read up to the limit, also after its end mark."""
    with pytest.raises(TarLimitError, match="unpacks to more than"):
        read(gzip.compress(data, 1), max_bytes=3 * 10**6)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_truncated(compress: Callable[[bytes], bytes], share: float) -> None:
    """All files before the end of a truncated archive are returned, followed by an error."""
    content = random.Random(1).randbytes(600)
    data = compress(tar(*((str(number), content) for number in range(50)))[: -15 * BLOCK])  # without padding
    found: list[str] = []
    with pytest.raises(READ_ERRORS):
        found.extend(
            file.name for file in iter_files(io.BytesIO(data[: int(len(data) * share)]), max_bytes=10**6)
        )
    assert found == [str(number) for number in range(len(found))]


def test_wrong_checksum() -> None:
    """A compressed archive with a wrong checksum is rejected after its last file."""
    data = bytearray(gzip.compress(tar(("a", b"x"))))
    data[-5] ^= 1
    data[-7] ^= 1
    found: list[str] = []
    with pytest.raises(READ_ERRORS):
        found.extend(file.name for file in iter_files(io.BytesIO(bytes(data)), max_bytes=10**6))
    assert found == ["a"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"x", "ends too early"),
        (b"<html>not found</html>" * 50, "not a tar"),
        (b"\x1f\x8b", None),
        (b"\x1f\x8bnonsense" * 99, None),
        (LAST[: 2 * BLOCK] + b"garbage" * 100, "not a tar"),
    ],
)
def test_not_a_tar(data: bytes, message: str | None) -> None:
    """Anything else than an archive raises an error."""
    with pytest.raises(READ_ERRORS, match=message):
        read(data)


def test_random_changes() -> None:
    """An archive with changed bytes is read or raises one of the documented errors."""
    dice = random.Random(5)
    whole = tar(*((str(number), b"x" * 100) for number in range(3)))
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            assert len(read(bytes(data[: dice.randrange(1, len(data))]))) <= 3
        except READ_ERRORS:
            continue


def test_is_header() -> None:
    """Headers are recognised by their checksum; the end mark is not a header."""
    assert is_header(LAST[:BLOCK])
    for block in (bytes(BLOCK), b"", LAST[: BLOCK - 1], b"<html>".ljust(BLOCK)):
        assert not is_header(block)
