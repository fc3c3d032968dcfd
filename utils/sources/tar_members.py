"""Keeps where the images of a tar lie in it: found while it still grows, read one at a time, never extracted.

Of a member's path nothing but its last part is looked at, and that must be an image code with an
extension. Folders, links, devices, sparse files and whatever is named otherwise are passed over. An image
larger than `MAX_IMAGE_BYTES` is given like any other, to be reported, but not read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..annotations.tar_headers import BLOCK, Headers, TarHeader
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import TarMember

MAX_HEADERS = 50_000
"""Of one tar; ImageNet's largest category has 3,047 images."""
UNREADABLE = (OSError, EOFError, ValueError)
"""What `read` raises when a member's bytes cannot be had."""

_IMAGE_FILE = re.compile(rb"(n[0-9]{8}_[0-9]{1,12})\.[A-Za-z0-9]{1,8}")


def read(path: Path, member: TarMember) -> bytes:
    """Read the bytes of one image.

    Raises
    ------
    OSError, EOFError, ValueError
        See `UNREADABLE`: if the file has gone, or holds something else there by now; or if the image is
        larger than any that is judged.
    """
    if member.size > MAX_IMAGE_BYTES:
        raise ValueError(f"{member.name} is larger than {MAX_IMAGE_BYTES // 10**6} MB")
    with path.open("rb") as file:
        file.seek(member.offset - BLOCK)
        header, data = file.read(BLOCK), file.read(member.size)
    if zlib.crc32(header) != member.stamp:
        raise ValueError(f"{member.name} lies no longer where it lay")
    if len(data) < member.size:
        raise EOFError(f"{member.name} is not there whole")
    return data


class Scan:
    """Goes through a tar once, from header to header, as far as it has arrived.

    Attributes
    ----------
    place
        Where the next header is expected, or where the archive ended.
    ended
        Whether the mark at the archive's end has been seen.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._headers = Headers()
        self._seen = 0
        self._awaited: TarMember | None = None
        self.place = 0
        self.ended = False

    def further(self, size: int) -> Iterator[TarMember]:
        """Go on; gives the members that lie whole within the first `size` bytes, each once.

        Raises
        ------
        ValueError
            Where it is no tar any more, or beyond the limits; the text says how. What was given is good.
        """
        while not self.ended:
            if self._awaited is not None:
                if self._awaited.end > size:
                    return
                member, self._awaited = self._awaited, None
                yield member
            if not self._step(size):
                return

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _step(self, size: int) -> bool:
        """Read one header; say whether it is there already."""
        window = _Window(self._file, self.place, size)
        try:
            entry = self._headers.read(window)
        except EOFError:
            return False
        self._seen += 1
        if self._seen > MAX_HEADERS:
            raise ValueError(f"it has more than {MAX_HEADERS:,} members")
        if entry is None:
            self.ended = True
            return True
        self.place = window.place + entry.room
        self._awaited = _member(entry, window.place)
        return True


class _Window:
    """What has arrived of a file, read on from some place."""

    def __init__(self, file: BinaryIO, place: int, end: int) -> None:
        self._file, self._end = file, end
        self.place = place

    def read(self, size: int, /) -> bytes:
        if self.place + size > self._end:  # nor is there any seeking to where a header's lie would lead
            raise EOFError
        self._file.seek(self.place)
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        self.place += size
        return data


def _member(entry: TarHeader, offset: int) -> TarMember | None:
    name = entry.name.rpartition(b"/")[2]
    found = _IMAGE_FILE.fullmatch(name) if entry.regular else None
    if not found:
        return None
    return TarMember(found[1].decode(), name.decode(), offset, entry.size, entry.stamp)
