"""Helpers for the tests of tars: tars of images, false headers, and downloads read to their end."""

from __future__ import annotations

import io
import random
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from utils.copies.tar_members import read
from utils.fetch.file_download import DownloadOptions
from utils.models.rows import TarMember
from utils.sources.tar_download import TarDownload

WNID = "n00000001"
QUICK = DownloadOptions(retry_delays=(0.01,) * 4, connect_timeout=2.0, read_timeout=2.0)


def tar(*entries: tuple[str, bytes], tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar with these names and contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tar_format) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def bodies(count: int, size: int = 20_000, seed: int = 1) -> dict[str, bytes]:
    """Return random data of images by image code."""
    dice = random.Random(seed)
    return {f"{WNID}_{number}": dice.randbytes(size + number) for number in range(count)}


def packed(images: dict[str, bytes]) -> bytes:
    """Return a tar of images."""
    return tar(*((f"{code}.JPEG", data) for code, data in images.items()))


def claim(size: int, name: str = f"{WNID}_1.JPEG", kind: bytes = b"0") -> bytes:
    """Return the header of a member that claims to have this size."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, "/etc/passwd"
    return info.tobuf(tarfile.GNU_FORMAT)


def with_checksum(block: bytearray) -> bytes:
    """Return a header with a correct checksum."""
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * ord(" "))
    return bytes(block)


def until(
    download: TarDownload, condition: Callable[[list[TarMember]], bool], seconds: float = 20.0
) -> list[TarMember]:
    """Poll a download until a condition is true or it has ended."""
    members: list[TarMember] = []
    deadline = time.monotonic() + seconds
    while not (condition(members) or download.ended):
        assert time.monotonic() < deadline, "it never ended"
        members += download.poll()
        time.sleep(0.002)
    return members


def to_end(download: TarDownload, seconds: float = 20.0) -> list[TarMember]:
    """Read a download to its end."""
    members = until(download, lambda _members: False, seconds)
    assert download.ended
    return members


def contents(download: TarDownload, members: list[TarMember]) -> dict[str, bytes]:
    """Read the data of members from disk, by image code."""
    return {member.image_code: read(download.path, member) for member in members}


def download_threads() -> list[str]:
    """Return the names of running download threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tar-download ")]


def files(folder: Path) -> list[str]:
    """Return the sorted names in a folder."""
    return sorted(path.name for path in folder.iterdir())
