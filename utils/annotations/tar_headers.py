"""Keeps what tar files may be like: their headers, read one by one, with every read bounded.

This module alone knows the layout of tar. Python's own `tarfile` reads whole extended headers into
memory, however long they claim to be, and older releases of it can be led in circles; here nothing is
extracted, and whoever passes over a payload goes forward only.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import Protocol

BLOCK = 512
"""Bytes: of a header, and what a payload is filled up to a multiple of."""
MAX_HEADER_BYTES = 64 * 1024
"""Of an extended header, which holds little more than a long name."""

_NO_TAR = "it is not a tar archive from there on"
_TOO_LONG = "it has an extended header beyond all measure"
_NO_BLOCK = bytes(BLOCK)
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_PAYLOAD = (b"1", b"2", b"3", b"4", b"5", b"6")
_LONG_NAME, _EXTENDED, _SPARSE = b"L", b"x", b"S"
_PAX_PATH = re.compile(rb"(?:^|\n)[0-9]{1,6} path=([^\n]{1,4096})\n")
_PAX_SIZE = re.compile(rb"(?:^|\n)[0-9]{1,6} size=([0-9]{1,24})\n")


class Blocks(Protocol):
    """Where the blocks of a tar come from, one after the other."""

    def read(self, size: int, /) -> bytes:
        """Read exactly so many bytes, or raise EOFError."""


@dataclass(frozen=True, slots=True)
class TarHeader:
    """A header of a tar file, and what follows it.

    Attributes
    ----------
    name
        As written, folders and all; empty if the header only extends the next one.
    regular
        Whether it is a regular file: no link, no device, no folder, nothing sparse.
    size
        Bytes of its payload, which follows at once.
    stamp
        A checksum of the header, by which it is known again.
    """

    name: bytes
    regular: bool
    size: int
    stamp: int

    @property
    def room(self) -> int:
        """Bytes up to the next header."""
        return padded(self.size)


@dataclass(frozen=True, slots=True)
class _Header:
    """What matters of one block: `kind` is its type flag, `goes_on` whether a map of holes does."""

    name: bytes
    kind: bytes
    size: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class _Extension:
    """What an extended header says of the next one; nothing as a rule."""

    name: bytes = b""
    size: int | None = None


class Headers:
    """The headers of one tar, in their order.

    Of a header that could not be read whole nothing is remembered: who has led the source back to where
    the header begins may ask again when more has arrived.
    """

    def __init__(self) -> None:
        self._extension = _Extension()

    def read(self, source: Blocks) -> TarHeader | None:
        """Read the next header; None at the archive's end. The payload is left to be read or passed over.

        Raises
        ------
        EOFError
            If the source ends before the header does.
        ValueError
            If there is no header; the text says so.
        """
        block = source.read(BLOCK)
        if block == _NO_BLOCK:
            return None
        header, stamp = _parse(block), zlib.crc32(block)
        if header.kind in (_LONG_NAME, _EXTENDED):
            self._extension = _extended(self._extension, header.kind, _payload(source, header.size))
            return TarHeader(b"", regular=False, size=0, stamp=stamp)
        if header.kind == _SPARSE and header.goes_on:
            _pass_map(source)
        extension, self._extension = self._extension, _Extension()
        size = header.size if extension.size is None else extension.size
        return TarHeader(
            name=extension.name or header.name,
            regular=header.kind in _REGULAR,
            size=0 if header.kind in _WITHOUT_PAYLOAD else size,
            stamp=stamp,
        )


def padded(size: int) -> int:
    """Say how much room a payload takes, in bytes."""
    return -(-size // BLOCK) * BLOCK


def is_header(block: bytes) -> bool:
    """Whether these bytes are the header of something; the mark at an archive's end is none."""
    try:
        return len(block) == BLOCK and bool(_parse(block))
    except ValueError:
        return False


def _parse(block: bytes) -> _Header:
    checksum = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if checksum != _number(block[148:156]):
        raise ValueError(_NO_TAR)
    return _Header(
        name=block[:100].partition(b"\0")[0],
        kind=block[156:157],
        size=_number(block[124:136]),
        goes_on=block[482] != 0,
    )


def _number(field: bytes) -> int:
    """Read a number of a tar header: octal digits, or binary where those do not suffice."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):  # a sign, too: who skips backwards comes under every limit
        raise ValueError(_NO_TAR)
    return int(digits or b"0", 8)


def _payload(source: Blocks, size: int) -> bytes:
    if size > MAX_HEADER_BYTES:
        raise ValueError(_TOO_LONG)
    return source.read(padded(size))[:size]


def _extended(known: _Extension, kind: bytes, payload: bytes) -> _Extension:
    if kind == _LONG_NAME:
        return replace(known, name=payload.rstrip(b"\0") or known.name)
    path, size = _PAX_PATH.search(payload), _PAX_SIZE.search(payload)
    return _Extension(
        name=path[1] if path else known.name,
        size=int(size[1]) if size else known.size,
    )


def _pass_map(source: Blocks) -> None:
    """Pass over the further blocks that the map of a sparse file's holes may need."""
    for _ in range(MAX_HEADER_BYTES // BLOCK):
        if not source.read(BLOCK)[504]:
            return
    raise ValueError(_TOO_LONG)
