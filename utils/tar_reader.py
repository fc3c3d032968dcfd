"""Reads tar archives as streams, within limits.

Nothing is extracted: only the last component of a path is used, and links, devices, folders and sparse files
are skipped. `tarfile` of the standard library reads extended headers of any length into memory, and its older
releases can be made to loop; here every read is bounded, and the position only increases.

The messages of all errors complete the sentence "The archive cannot be read: ...".
"""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

BLOCK = 512
"""Bytes of a header; the content of a member is padded to a multiple of it."""
MAX_MEMBERS = 50_000
"""Headers of one archive, extended headers included. ImageNet's largest archives have about 3,700 members."""
MAX_EXTENSION_BYTES = 64 * 1024
"""Content of an extended header, which holds little more than a long name."""
GZIP_MAGIC = b"\x1f\x8b"
READ_ERRORS = (OSError, EOFError, zlib.error, ValueError)
"""Errors of reading a damaged archive."""

_CHUNK = 64 * 1024
_END_MARK = bytes(BLOCK)
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")
_LONG_NAME, _EXTENDED, _SPARSE = b"L", b"x", b"S"
_PAX_PATH = re.compile(rb"(?:^|\n)[0-9]{1,6} path=([^\n]{1,4096})\n")
_PAX_SIZE = re.compile(rb"(?:^|\n)[0-9]{1,6} size=([0-9]{1,24})\n")
_NOT_A_TAR = "it is not a tar archive, or damaged"
_EXTENSION_TOO_LONG = f"it has an extended header of more than {MAX_EXTENSION_BYTES // 1024} KB"


class TarLimitError(ValueError):
    """The archive has more members or bytes than allowed."""


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""


@dataclass(frozen=True, slots=True)
class TarHeader:
    """The header of a member.

    Attributes
    ----------
    name
        The path as stored; empty for an extended header, which describes the next member.
    is_file
        Whether the member is a regular file.
    size
        Bytes of content after the header, without padding.
    checksum
        CRC-32 of the header block.
    """

    name: bytes
    is_file: bool
    size: int
    checksum: int


class FileRange:
    """Reads a file from `position` on, up to `end`; both are offsets in bytes."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, position: int, end: int) -> None:
        self._file, self._start, self.position, self._end = file, position, position, end

    def read(self, size: int, /) -> bytes:
        """Read so many bytes; raises EOFError, and stays where it is, if there are fewer."""
        if self.position + size > self._end:  # checked before seeking: sizes in a tar can be false
            raise self.cut_off()
        self._file.seek(self.position)
        data = self._file.read(size)
        if len(data) < size:
            raise self.cut_off()
        self.position += size
        return data

    def cut_off(self) -> EOFError:
        """Return the error for a tar that ends too early."""
        size = self._end - self._start
        return EOFError(f"it is cut off after {size:,} bytes; the images before that are used")


class HeaderReader:
    """Parses the headers of one archive in order.

    If the source ends within a header, the state is unchanged: the same header can be read again once more
    data is available.

    Parameters
    ----------
    max_members
        The maximum number of headers.
    """

    def __init__(self, *, max_members: int = MAX_MEMBERS) -> None:
        self._max_members = max_members
        self._count = 0
        self._next_name = b""
        self._next_size: int | None = None

    def read(self, source: Readable) -> TarHeader | None:
        """Read the next header, but not the content after it; return None at the end mark.

        Parameters
        ----------
        source
            Its `read` returns exactly as many bytes as requested, or raises EOFError.

        Raises
        ------
        EOFError
            If the source ends before the header does.
        ValueError
            If there is no valid header.
        TarLimitError
            If there are more headers than allowed.
        """
        block = source.read(BLOCK)
        if block == _END_MARK:
            return None
        size, kind, checksum = _parse_size(block), block[156:157], zlib.crc32(block)
        if kind in (_LONG_NAME, _EXTENDED):
            self._read_extension(source, kind, size)
            header = TarHeader(b"", is_file=False, size=0, checksum=checksum)
        else:
            if kind == _SPARSE and block[482]:
                _skip_sparse_map(source)
            name = self._next_name or block[:100].partition(b"\0")[0]
            if kind in _WITHOUT_CONTENT:
                size = 0
            elif self._next_size is not None:
                size = self._next_size
            header = TarHeader(name, is_file=kind in _REGULAR, size=size, checksum=checksum)
            self._next_name, self._next_size = b"", None
        self._count += 1
        if self._count > self._max_members:
            raise TarLimitError(f"it has more than {self._max_members:,} members")
        return header

    def _read_extension(self, source: Readable, kind: bytes, size: int) -> None:
        if size > MAX_EXTENSION_BYTES:
            raise ValueError(_EXTENSION_TOO_LONG)
        content = source.read(padded(size))[:size]
        if kind == _LONG_NAME:
            self._next_name = content.rstrip(b"\0") or self._next_name
            return
        if path := _PAX_PATH.search(content):
            self._next_name = path[1]
        if pax_size := _PAX_SIZE.search(content):
            self._next_size = int(pax_size[1])


class TarFile:
    """A regular file in an archive, readable until the next one is requested.

    Attributes
    ----------
    path, name
        Its path as stored, and the last component of that.
    size
        In bytes.
    """

    def __init__(self, path: str, size: int, stream: _Stream) -> None:
        self.path = path
        self.name = path.rpartition("/")[2]
        self.size = size
        self._unread = size
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, or the rest."""
        data = self._stream.read(self._unread if size < 0 else min(size, self._unread))
        self._unread -= len(data)
        return data


def iter_files(
    file: BinaryIO, *, max_bytes: int, max_members: int = MAX_MEMBERS
) -> Generator[TarFile, None, None]:
    """Iterate over the regular files of an archive, which may be compressed with gzip.

    A compressed archive is read to its end, which verifies the checksum of gzip.

    Parameters
    ----------
    max_bytes, max_members
        Limits for the uncompressed archive.

    Raises
    ------
    TarLimitError
        If there are more bytes or members than allowed.
    OSError, EOFError, zlib.error, ValueError
        If the archive is damaged (see `READ_ERRORS`); the files before the damage have been returned.
    """
    file.seek(0)
    start = file.read(len(GZIP_MAGIC))
    file.seek(0)
    if not start:
        raise EOFError("it is empty")
    is_compressed = start == GZIP_MAGIC
    with gzip.GzipFile(fileobj=file) if is_compressed else contextlib.nullcontext(file) as content:
        stream = _Stream(content, max_bytes)
        yield from _iter_stream(stream, HeaderReader(max_members=max_members))
        if is_compressed:
            stream.skip_to_end()


def iter_nested(tar: TarFile) -> Generator[TarFile, None, None]:
    """Iterate over the regular files of a tar in a tar; see `iter_files`."""
    return _iter_stream(_Stream(tar, tar.size), HeaderReader())


def _iter_stream(stream: _Stream, headers: HeaderReader) -> Generator[TarFile, None, None]:
    while header := headers.read(stream):
        end = stream.position + padded(header.size)
        stream.require_within_limit(end)
        if header.is_file:
            yield TarFile(header.name.decode("utf-8", "replace"), header.size, stream)
        stream.skip_to(end)


class _Stream:
    """Reads exactly as many bytes as requested, and not more than `max_bytes` in all."""

    def __init__(self, source: Readable, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self.position = 0

    def read(self, size: int, /) -> bytes:
        self.require_within_limit(self.position + size)
        data = self._source.read(size)
        self.position += len(data)
        if len(data) < size:
            raise EOFError("it ends too early")
        return data

    def skip_to(self, position: int) -> None:
        while self.position < position:
            self.read(min(_CHUNK, position - self.position))

    def skip_to_end(self) -> None:
        while data := self._source.read(_CHUNK):
            self.position += len(data)
            self.require_within_limit(self.position)

    def require_within_limit(self, position: int) -> None:
        if position > self._max_bytes:
            raise TarLimitError(f"it unpacks to more than {self._max_bytes // 1024**2:,} MB")


def padded(size: int) -> int:
    """Return the number of bytes that content of this size occupies in an archive."""
    return -(-size // BLOCK) * BLOCK


def is_header(block: bytes) -> bool:
    """Whether `block` is the header of a member; the end mark is not."""
    try:
        return len(block) == BLOCK and _parse_size(block) >= 0
    except ValueError:
        return False


def _parse_size(block: bytes) -> int:
    """Verify the checksum of a header block, and return its size field."""
    if sum(block) - sum(block[148:156]) + 8 * ord(" ") != _parse_number(block[148:156]):
        raise ValueError(_NOT_A_TAR)
    return _parse_number(block[124:136])


def _parse_number(field: bytes) -> int:
    """Parse octal digits, or the binary form of large numbers."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):  # also rejects negative sizes, which would move the position backwards
        raise ValueError(_NOT_A_TAR)
    return int(digits or b"0", 8)


def _skip_sparse_map(source: Readable) -> None:
    """Skip the additional header blocks that list the holes of a sparse file."""
    for _ in range(MAX_EXTENSION_BYTES // BLOCK):
        if not source.read(BLOCK)[504]:
            return
    raise ValueError(_EXTENSION_TOO_LONG)
