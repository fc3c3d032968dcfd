"""Keeps the skeletons of all image formats but JPEG: how large a picture is, and whether all of it is there.

This module alone reads headers and chunks by hand. It decodes no pixel and allocates nothing, so a
picture of absurd size is found out for free, and it sees what decoders forgive: a missing last chunk, a
later frame that is cut, a wrong checksum. What follows a whole image is ignored.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ..models.enums import ImageFormat

MAX_PAGES = 100
"""Of a TIFF that are looked at; a chain of pages may be endless, or lead in a circle."""

MAX_STRIPS = 100_000
"""Of a page of a TIFF; one strip a row is usual."""

MAX_TILE_PIXELS = 50_000_000

_BMP_RUN_LENGTH = (1, 2)
_PNG_CHUNKS_DECODED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_TIFF_NUMBERS = {3: "H", 4: "I"}
"""Types of TIFF fields whose values are of interest here, as `struct` spells them."""

_TIFF_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""By type of a TIFF field."""

_LAST_PIXEL_TAG = 532
"""TIFF fields up to this one may be needed for decoding; beyond are metadata, broken as often as not."""


class _TiffTag(IntEnum):
    """The TIFF fields that are of interest here."""

    WIDTH = 256
    HEIGHT = 257
    STRIPS = 273
    STRIP_SIZES = 279
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILES = 324
    TILE_SIZES = 325


_WANTED_TAGS = frozenset(_TiffTag)
_PIECES = {_TiffTag.STRIPS: _TiffTag.STRIP_SIZES, _TiffTag.TILES: _TiffTag.TILE_SIZES}
"""Where the pixels lie, and how many bytes there."""


class DamagedError(ValueError):
    """The image cannot be taken; the text says why. Never leaves `images`."""


class EndsEarlyError(DamagedError):
    """Bytes are missing at the end."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


def measure(image_format: ImageFormat, data: bytes) -> Size:
    """Read the size of a picture from its header.

    Raises
    ------
    EndsEarlyError, DamagedError
        If the header is cut or senseless.
    """
    try:
        return _SIZES[image_format](data)
    except (struct.error, IndexError) as error:
        raise EndsEarlyError("its header is cut") from error


def check(image_format: ImageFormat, data: bytes) -> bytes:
    """Check that all parts of an image are there, and return the bytes that are worth decoding.

    Raises
    ------
    EndsEarlyError, DamagedError
        If they are not.
    """
    try:
        return _CHECKS[image_format](data)
    except (struct.error, IndexError) as error:
        raise EndsEarlyError("it ends too early") from error


def _size_png(data: bytes) -> Size:
    return Size(*struct.unpack_from(">II", data, 16))


def _check_png(data: bytes) -> bytes:
    """Leave out texts, profiles and animation: they are whole, but no pixels of the picture."""
    parts, at, kind = [data[:8]], 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        is_vital = kind in _PNG_CHUNKS_DECODED
        if (is_vital or kind == b"fdAT") and zlib.crc32(data[at + 4 : end - 4]) != checksum:
            raise DamagedError(f"the checksum of its part {kind.decode('ascii')} is wrong")
        if is_vital:
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _size_gif(data: bytes) -> Size:
    return Size(*struct.unpack_from("<HH", data, 6))


def _check_gif(data: bytes) -> bytes:
    at = 13 + _color_table_bytes(data[10])
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _color_table_bytes(data[at + 9])
        elif data[at] == 0x21:
            at += 2
        else:
            raise DamagedError("there is no block where one should begin")
        while data[at]:
            at += 1 + data[at]
        at += 1
    return data


def _color_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _size_webp(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return Size(1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", data, 26)
    return Size(width & 0x3FFF, height & 0x3FFF)


def _check_webp(data: bytes) -> bytes:
    (length,) = struct.unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise EndsEarlyError("it ends too early")
    at = 12
    while at + 8 <= end:
        (length,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + length + length % 2
    if at > end + 1:  # some leave out the last filling byte
        raise DamagedError("a part of it is longer than the whole")
    return data[:end]


def _size_bmp(data: bytes) -> Size:
    if data[14] == 12:
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Size(abs(width), abs(height))


def _check_bmp(data: bytes) -> bytes:
    """Hold a run-length coded one to its length, for its decoder takes what there is."""
    (length,) = struct.unpack_from("<I", data, 2)
    if data[14] != 12 and data[30] in _BMP_RUN_LENGTH and length > len(data):
        raise EndsEarlyError("it ends too early")
    return data


def _size_tiff(data: bytes) -> Size:
    page = next(_tiff_pages(data), {})
    try:
        return Size(page[_TiffTag.WIDTH][0], page[_TiffTag.HEIGHT][0])
    except KeyError as error:
        raise DamagedError("it states no size") from error


def _check_tiff(data: bytes) -> bytes:
    for page in _tiff_pages(data):
        for starts, sizes in _PIECES.items():
            ends = map(sum, zip(page.get(starts, ()), page.get(sizes, ()), strict=False))
            if max(ends, default=0) > len(data):
                raise EndsEarlyError("it ends too early")
        if page.get(_TiffTag.TILE_WIDTH, (0,))[0] * page.get(_TiffTag.TILE_HEIGHT, (0,))[0] > MAX_TILE_PIXELS:
            raise DamagedError("its tiles are larger than any picture")
    return data


def _tiff_pages(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Go through the pages; of each, the wanted fields, by their tags."""
    order = "<" if data[:1] == b"I" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    for _ in range(MAX_PAGES):
        if not at:
            return
        (count,) = struct.unpack_from(f"{order}H", data, at)
        end = at + 2 + 12 * count
        yield _tiff_fields(data, order, range(at + 2, end, 12))
        (at,) = struct.unpack_from(f"{order}I", data, end)


def _tiff_fields(data: bytes, order: str, places: range) -> dict[int, tuple[int, ...]]:
    fields: dict[int, tuple[int, ...]] = {}
    for place in places:
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        length = count * _TIFF_VALUE_BYTES.get(kind, 0)
        at = place + 8 if length <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        if tag <= _LAST_PIXEL_TAG and at + length > len(data):
            raise EndsEarlyError("it ends too early")
        if tag in _WANTED_TAGS and tag not in fields and kind in _TIFF_NUMBERS and count:
            fields[tag] = _tiff_numbers(data, at, f"{order}{count}{_TIFF_NUMBERS[kind]}")
    return fields


def _tiff_numbers(data: bytes, at: int, layout: str) -> tuple[int, ...]:
    if struct.calcsize(layout) > MAX_STRIPS * 4:
        raise DamagedError(f"it has more than {MAX_STRIPS:,} strips")
    return struct.unpack_from(layout, data, at)


_SIZES: dict[ImageFormat, Callable[[bytes], Size]] = {
    ImageFormat.PNG: _size_png,
    ImageFormat.GIF: _size_gif,
    ImageFormat.WEBP: _size_webp,
    ImageFormat.BMP: _size_bmp,
    ImageFormat.TIFF: _size_tiff,
}

_CHECKS: dict[ImageFormat, Callable[[bytes], bytes]] = {
    ImageFormat.PNG: _check_png,
    ImageFormat.GIF: _check_gif,
    ImageFormat.WEBP: _check_webp,
    ImageFormat.BMP: _check_bmp,
    ImageFormat.TIFF: _check_tiff,
}
