"""Finds the images in a tar that may still be growing, and reads them one at a time.

An image is a regular file named by an image code and an extension; only the last component of its path is
used. Everything else is skipped. Images larger than `MAX_IMAGE_BYTES` are listed, but cannot be read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..models.fast_pickle import FastPickle
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import LocalImage, TarMember
from ..tar_reader import BLOCK, FileRange, HeaderReader, TarHeader, padded

_IMAGE_FILE = re.compile(rb"(n[0-9]{8}_[0-9]{1,12})\.[A-Za-z0-9]{1,8}")


def read(path: Path, member: TarMember) -> bytes:
    """Read the bytes of one image.

    Raises
    ------
    OSError, EOFError, ValueError
        If the file is gone or has other content at that place, or if the image is too large.
    """
    if member.size > MAX_IMAGE_BYTES:
        raise ValueError(f"{member.name} is larger than {MAX_IMAGE_BYTES // 10**6} MB")
    with path.open("rb") as file:
        file.seek(member.offset - BLOCK)
        header, data = file.read(BLOCK), file.read(member.size)
    if zlib.crc32(header) != member.stamp:
        raise ValueError(f"{member.name} is no longer at its place in the tar")
    if len(data) < member.size:
        raise EOFError(f"{member.name} is incomplete")
    return data


@dataclass(frozen=True, slots=True)
class TarMemberRef(FastPickle, LocalImage):
    """An image in a tar on disk, as workers read it."""

    path: Path
    member: TarMember

    def read(self) -> bytes:
        """Read its bytes; see `read`."""
        return read(self.path, self.member)


class TarScanner:
    """Scans a tar once, as far as it has been downloaded.

    Attributes
    ----------
    position
        Offset in bytes of the next header, or of the end mark.
    ended
        Whether the end mark has been reached.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._headers = HeaderReader()
        self._incomplete: TarMember | None = None
        self.position = 0
        self.ended = False

    def scan_to(self, size: int) -> Iterator[TarMember]:
        """Continue the scan; yield each image that lies completely within the first `size` bytes, once.

        Raises
        ------
        ValueError
            If the file is not a valid tar from there on, or exceeds the limits of `tar_reader`.
        """
        while not self.ended:
            if self._incomplete is not None:
                if self._incomplete.end > size:
                    return
                member, self._incomplete = self._incomplete, None
                yield member
            window = FileRange(self._file, self.position, size)
            try:
                header = self._headers.read(window)
            except EOFError:
                return
            if header is None:
                self.ended = True
                return
            self.position = window.position + padded(header.size)
            self._incomplete = _image_member(header, window.position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _image_member(header: TarHeader, offset: int) -> TarMember | None:
    name = header.name.rpartition(b"/")[2]
    found = _IMAGE_FILE.fullmatch(name) if header.is_file else None
    return (
        TarMember(found[1].decode(), name.decode(), offset, header.size, header.checksum) if found else None
    )
