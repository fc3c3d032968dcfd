"""What the tests of archives share: tars of images, headers that lie, and feeds read to their end."""

from __future__ import annotations

import io
import random
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from utils.fetch.file_download import DownloadOptions
from utils.models.rows import TarMember
from utils.sources.tar_download import TarDownload
from utils.sources.tar_members import read

WNID = "n00000001"
QUICK = DownloadOptions(retry_delays=(0.01,) * 4, connect_timeout=2.0, read_timeout=2.0)


def tar(*entries: tuple[str, bytes], tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    """Make a tar of these names and contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tar_format) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def bodies(count: int, size: int = 20_000, seed: int = 1) -> dict[str, bytes]:
    """Make up the bytes of images, by image code."""
    dice = random.Random(seed)
    return {f"{WNID}_{number}": dice.randbytes(size + number) for number in range(count)}


def packed(images: dict[str, bytes]) -> bytes:
    """Make the tar that the archive keeps of these images."""
    return tar(*((f"{code}.JPEG", data) for code, data in images.items()))


def claim(size: int, name: str = f"{WNID}_1.JPEG", kind: bytes = b"0") -> bytes:
    """Make the header of a member that claims to have this size."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, "/etc/passwd"
    return info.tobuf(tarfile.GNU_FORMAT)


def mended(block: bytearray) -> bytes:
    """Set the checksum of a header right."""
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * ord(" "))
    return bytes(block)


def until(
    feed: TarDownload, condition: Callable[[list[TarMember]], bool], seconds: float = 20.0
) -> list[TarMember]:
    """Poll a feed until something is so, or it has ended; no poll may take long."""
    members: list[TarMember] = []
    deadline = time.monotonic() + seconds
    while not (condition(members) or feed.ended):
        assert time.monotonic() < deadline, "it never ended"
        begun = time.monotonic()
        members += feed.poll()
        assert time.monotonic() - begun < 1  # half of what it waits for a server
        time.sleep(0.002)
    return members


def to_end(feed: TarDownload, seconds: float = 20.0) -> list[TarMember]:
    """Read a feed to its end."""
    members = until(feed, lambda _members: False, seconds)
    assert feed.ended
    return members


def contents(feed: TarDownload, members: list[TarMember]) -> dict[str, bytes]:
    """Read the members' bytes from disk, by image code."""
    return {member.image_code: read(feed.path, member) for member in members}


def feed_threads() -> list[str]:
    """Name the threads of feeds that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("feed ")]


def files(folder: Path) -> list[str]:
    """Name what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
