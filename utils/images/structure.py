"""Reads the structure of image files, without decoding: sizes, completeness, segments.

Nothing is allocated for pixels, so an image of absurd size is rejected from its header. The checks, which all
formats but JPEG have, find damage that decoders tolerate: a missing last chunk, a truncated later frame, a
wrong checksum. Data after the end of an image is ignored.

Messages of the errors complete the sentence "A damaged PNG: ...".
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ..models.images import ImageFormat

MAX_PIXELS = 50_000_000
"""Of an image."""

MAX_SEGMENTS, MAX_CHUNKS = 10_000, 100_000
"""Of a JPEG, and of a PNG, WebP or GIF; with millions of them a small file takes long to read."""

MAX_RUN_LENGTH_PIXELS, RUN_LENGTH_BYTES = 5_000_000, 3
"""Of a BMP with run-length encoding, which Pillow decodes in Python, and of its encoding for one pixel."""

MAX_PAGES, MAX_FIELDS = 100, 1_000
"""Pages of a TIFF that are checked, and fields of a page; the chain of pages can be endless or circular."""

MAX_STRIPS = 100_000
"""Strips or tiles in a TIFF; usually there is at most one strip per row."""

MAX_TILE_PIXELS = 4 * MAX_PIXELS
"""Of all tiles on a page of a TIFF, which may reach beyond the picture, in all colour planes."""

JPEG_END = 0xD9
JPEG_SCAN = 0xDA
_JPEG_SCAN_BYTE = bytes([JPEG_SCAN])
_SEQUENTIAL_FRAMES = (0xC0, 0xC1, 0xC9)
JPEG_END_MARKER = bytes([0xFF, JPEG_END])
_ICC_PROFILE = re.compile(rb"\xff\xe2..ICC_PROFILE\0", re.DOTALL)
_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
"""Of a segment or the end of a JPEG; restart markers and stuffed bytes in compressed data are neither."""

_BMP_SHORT_HEADER, _BMP_RUN_LENGTH = 12, (1, 2)
_GIF_FRAME, _GIF_EXTENSION, _GIF_GRAPHIC_CONTROL, _GIF_TRAILER = 0x2C, 0x21, 0xF9, b";"
_GIF_ENDS = (_GIF_TRAILER, b"\0", b"")
_PNG_CHUNKS_DECODED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
_TIFF_NUMBERS = {3: "H", 4: "I"}
"""`struct` codes of the TIFF field types that hold sizes and offsets."""

_TIFF_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of one value by TIFF field type."""

_LAST_DECODING_TAG = 532
"""Fields with higher tags are metadata: decoders do not need them, and they are often broken."""


class _TiffTag(IntEnum):
    WIDTH = 256
    HEIGHT = 257
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    STRIP_SIZES = 279
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_SIZES = 325


_READ_TAGS = frozenset(_TiffTag)
_TIFF_DATA = {_TiffTag.STRIP_OFFSETS: _TiffTag.STRIP_SIZES, _TiffTag.TILE_OFFSETS: _TiffTag.TILE_SIZES}


class DamagedError(ValueError):
    """The image cannot be used; the message says why."""


class TruncatedError(DamagedError):
    """Data is missing at the end."""

    def __init__(self, message: str = "data is missing at the end") -> None:
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


class Segment(NamedTuple):
    """A segment of a JPEG: its marker, and the offsets of its begin and end."""

    marker: int
    begin: int
    end: int


class Chunk(NamedTuple):
    """A chunk of a PNG: its type, and the offsets of its begin and end."""

    kind: bytes
    begin: int
    end: int


def jpeg_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG up to its end marker, at most `MAX_SEGMENTS`.

    Compressed data belong to the preceding segment.
    """
    found = _JPEG_MARKER.search(data, 2)
    for _ in range(MAX_SEGMENTS):
        if not found:
            return
        marker, begin, end = found[1][0], found.start(), found.end()
        if marker == JPEG_END:
            yield Segment(marker, begin, end)
            return
        length = int.from_bytes(data[end : end + 2], "big")
        found = _JPEG_MARKER.search(data, end + length)
        yield Segment(marker, begin, found.start() if found else len(data))


def count_jpeg_scans(data: bytes) -> int:
    """Count the scans of a JPEG that a decoder reads, at least one.

    A sequential JPEG whose first scan has all components has no others.

    Raises
    ------
    DamagedError
        If the first scan comes after too many segments.
    """
    header: list[Segment] = []
    for segment in jpeg_segments(data):
        header.append(segment)
        if data[segment.end + 1 : segment.end + 2] == _JPEG_SCAN_BYTE:  # the end of the scan is not needed
            break
    if len(header) == MAX_SEGMENTS:
        raise DamagedError(f"it has more than {MAX_SEGMENTS:,} segments")
    frame = next((one for one in header if one.marker in _SEQUENTIAL_FRAMES), None)
    if frame:
        scan = header[-1].end
        if data[frame.begin + 9 : frame.begin + 10] == data[scan + 4 : scan + 5]:  # the numbers of components
            return 1
    return max(1, sum(segment.marker == JPEG_SCAN for segment in jpeg_segments(data)))


def without_stray_bytes(jpeg: bytes) -> bytes:
    """Leave out the bytes of a JPEG that belong to no segment: in its header and after its end."""
    parts = [jpeg[:2]]
    for marker, begin, end in jpeg_segments(jpeg):
        if marker not in (JPEG_SCAN, JPEG_END):
            end = min(end, begin + 2 + int.from_bytes(jpeg[begin + 2 : begin + 4], "big"))
        parts.append(jpeg[begin:end])
    return b"".join(parts)


def without_colour_profile(jpeg: bytes) -> bytes:
    """Leave out the ICC profile of a JPEG."""
    segments = (jpeg[begin:end] for _, begin, end in jpeg_segments(jpeg))
    return jpeg[:2] + b"".join(one for one in segments if not _ICC_PROFILE.match(one))


def without_last_zeros(jpeg: bytes) -> bytes:
    """Leave out the zeros before the end marker, which must be the last bytes of the JPEG.

    If the zeros belong to the compressed data, the result is damaged, and strict decoders reject it.
    """
    if not jpeg.endswith(JPEG_END_MARKER):
        return jpeg
    data = jpeg[:-2].rstrip(b"\xff").rstrip(b"\0")  # 0xFF is padding of the marker
    is_stuffed = data.endswith(b"\xff")  # a byte 0xFF of the data, which a zero must follow
    return data + b"\0" * is_stuffed + JPEG_END_MARKER


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG up to its end.

    Raises
    ------
    struct.error
        If it ends before a chunk.
    DamagedError
        If there are too many.
    """
    offset = 8
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        yield Chunk(kind, offset, end)
        if kind == b"IEND":
            return
        offset = end
    raise DamagedError(f"it has more than {MAX_CHUNKS:,} chunks")


def read_size(image_format: ImageFormat, data: bytes) -> Size:
    """Read the size of an image from its header.

    Raises
    ------
    TruncatedError, DamagedError
        If the header is incomplete or invalid.
    """
    try:
        return _SIZE_READERS[image_format](data)
    except (struct.error, IndexError) as error:
        raise TruncatedError("the header is incomplete") from error


def read_orientation(tiff: bytes) -> int:
    """Read the orientation, from 1 to 8, of a TIFF, or of EXIF data, which are one; 1 if there is none.

    Raises
    ------
    TruncatedError, DamagedError
        If the fields of the first page cannot be read.
    """
    if not _TIFF_HEADER.match(tiff):
        raise DamagedError("the header is invalid")
    try:
        return next(_tiff_pages(tiff), {}).get(_TiffTag.ORIENTATION, (1,))[0]
    except (struct.error, IndexError) as error:
        raise TruncatedError from error


def check(image_format: ImageFormat, data: bytes) -> bytes:
    """Check that an image is complete, and return the part of it that has to be decoded.

    Of a PNG or TIFF this is the first frame without metadata, so that decoders return the stored pixels.

    Raises
    ------
    TruncatedError, DamagedError
        If it is not complete.
    """
    try:
        return _CHECKS[image_format](data)
    except (struct.error, IndexError) as error:
        raise TruncatedError from error


def _check_png(data: bytes) -> bytes:
    """Check all chunks; leave out metadata and animation, which do not belong to the first frame."""
    chunks = [data[:8]]
    for kind, begin, end in png_chunks(data):
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        is_decoded = kind in _PNG_CHUNKS_DECODED
        if (is_decoded or kind == b"fdAT") and zlib.crc32(data[begin + 4 : end - 4]) != checksum:
            raise DamagedError(f"the checksum of chunk {kind.decode('ascii')} is wrong")
        if is_decoded:
            chunks.append(data[begin:end])
    return b"".join(chunks)


def _check_gif(data: bytes) -> bytes:
    """Check all blocks; leave out all but the first frame.

    The last byte, the trailer, may be missing or zero, as browsers allow. Then the last frame may have been
    cut off and padded with zeros, so it has to be decoded, too.
    """
    offset = header = 13 + _gif_color_table_bytes(data[10])
    control, frames = b"", list[bytes]()
    for number in itertools.count():
        if data[offset : offset + 1] in _GIF_ENDS:
            break
        if number == MAX_CHUNKS:
            raise DamagedError(f"it has more than {MAX_CHUNKS:,} blocks")
        begin = offset
        if data[offset] == _GIF_FRAME:
            offset += 11 + _gif_color_table_bytes(data[offset + 9])
        elif data[offset] == _GIF_EXTENSION:
            offset += 2
        else:
            raise DamagedError("a block is missing")
        while data[offset]:
            offset += 1 + data[offset]
        offset += 1
        if data[begin] == _GIF_FRAME:
            frames = [*frames[:1], control + data[begin:offset]]
            control = b""
        elif data[begin + 1] == _GIF_GRAPHIC_CONTROL:
            control = data[begin:offset]
    if not frames:
        raise TruncatedError
    has_trailer = data[offset : offset + 1] == _GIF_TRAILER
    return data[:header] + b"".join(frames[:1] if has_trailer else frames) + _GIF_TRAILER


def _gif_color_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_webp_size(data: bytes) -> Size:
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
        raise TruncatedError
    offset = 12
    for number in itertools.count():
        if offset + 8 > end:
            break
        if number == MAX_CHUNKS:
            raise DamagedError(f"it has more than {MAX_CHUNKS:,} chunks")
        (length,) = struct.unpack_from("<I", data, offset + 4)
        offset += 8 + length + length % 2
    if offset > end + 1:  # some encoders omit the last padding byte
        raise DamagedError("a chunk is longer than the file")
    return data[:end]


def _read_bmp_size(data: bytes) -> Size:
    if data[14] == _BMP_SHORT_HEADER:
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Size(abs(width), abs(height))


def _check_bmp(data: bytes) -> bytes:
    """Check the length of run-length encoded pixels, which the decoder does not check."""
    if not is_run_length_encoded(data):
        return data
    length, begin = struct.unpack_from("<I4xI", data, 2)
    size = _read_bmp_size(data)
    pixels = size.width * size.height
    if pixels > MAX_RUN_LENGTH_PIXELS:
        raise DamagedError("it has too many pixels for its run-length encoding")
    if length > len(data):
        raise TruncatedError
    return data[: begin + RUN_LENGTH_BYTES * (pixels + size.height) + 2]  # more add no pixel


def is_run_length_encoded(bmp: bytes) -> bool:
    """Whether the pixels of a BMP are run-length encoded."""
    return bmp[14] != _BMP_SHORT_HEADER and bmp[30] in _BMP_RUN_LENGTH


def _read_tiff_size(data: bytes) -> Size:
    page = next(_tiff_pages(data), {})
    try:
        return Size(page[_TiffTag.WIDTH][0], page[_TiffTag.HEIGHT][0])
    except KeyError as error:
        raise DamagedError("it has no size") from error


def _check_tiff(data: bytes) -> bytes:
    strips = 0
    for page in _tiff_pages(data):
        for offsets, sizes in _TIFF_DATA.items():
            ends = map(sum, zip(page.get(offsets, ()), page.get(sizes, ()), strict=False))
            if max(ends, default=0) > len(data):
                raise TruncatedError
            if sum(page.get(sizes, ())) > 2 * len(data):
                raise DamagedError("its strips overlap")
            strips += len(page.get(offsets, ()))
        if strips > MAX_STRIPS:
            raise DamagedError(f"it has more than {MAX_STRIPS:,} strips")
        if _tile_pixels(page) > MAX_TILE_PIXELS:
            raise DamagedError("its tiles are too large")
    return _without_tiff_metadata(data)


def _tile_pixels(page: dict[int, tuple[int, ...]]) -> int:
    """Return the pixels in all tiles on a page of a TIFF; 0 if it has none."""
    width, height, tile_width, tile_height = (
        page.get(tag, (0,))[0]
        for tag in (_TiffTag.WIDTH, _TiffTag.HEIGHT, _TiffTag.TILE_WIDTH, _TiffTag.TILE_HEIGHT)
    )
    if not tile_width or not tile_height:
        return 0
    tiles = -(-width // tile_width) * -(-height // tile_height)
    return max(tiles, len(page.get(_TiffTag.TILE_OFFSETS, ()))) * tile_width * tile_height


def _without_tiff_metadata(data: bytes) -> bytes:
    """Keep only the first page and the fields that decoders need; the orientation is none of them."""
    order = _tiff_byte_order(data)
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    fields = [data[begin : begin + 12] for begin in range(offset + 2, offset + 2 + 12 * count, 12)]
    tags = [struct.unpack_from(f"{order}H", field)[0] for field in fields]
    kept = [
        field
        for tag, field in zip(tags, fields, strict=True)
        if tag <= _LAST_DECODING_TAG and tag != _TiffTag.ORIENTATION
    ]
    page = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)  # no other page follows
    return data[:offset] + page + data[offset + len(page) :]


def _tiff_byte_order(data: bytes) -> str:
    return "<" if data[:1] == b"I" else ">"


def _tiff_pages(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield the needed fields of each page by their tags."""
    order = _tiff_byte_order(data)
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    for _ in range(MAX_PAGES):
        if not offset:
            return
        (count,) = struct.unpack_from(f"{order}H", data, offset)
        if count > MAX_FIELDS:
            raise DamagedError(f"a page has more than {MAX_FIELDS:,} fields")
        end = offset + 2 + 12 * count
        yield _read_tiff_fields(data, order, range(offset + 2, end, 12))
        (offset,) = struct.unpack_from(f"{order}I", data, end)


def _read_tiff_fields(data: bytes, order: str, field_offsets: range) -> dict[int, tuple[int, ...]]:
    fields: dict[int, tuple[int, ...]] = {}
    for field_offset in field_offsets:
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, field_offset)
        length = count * _TIFF_VALUE_BYTES.get(kind, 0)
        offset = field_offset + 8  # of the values, which are elsewhere if they have more than four bytes
        if length > 4:
            (offset,) = struct.unpack_from(f"{order}I", data, offset)
        if tag <= _LAST_DECODING_TAG and offset + length > len(data):
            raise TruncatedError
        if tag in _READ_TAGS and tag not in fields and kind in _TIFF_NUMBERS and count:
            if length > MAX_STRIPS * 4:
                raise DamagedError(f"it has more than {MAX_STRIPS:,} strips")
            fields[tag] = struct.unpack_from(f"{order}{count}{_TIFF_NUMBERS[kind]}", data, offset)
    return fields


_SIZE_READERS: dict[ImageFormat, Callable[[bytes], Size]] = {
    ImageFormat.PNG: lambda data: Size(*struct.unpack_from(">II", data, 16)),
    ImageFormat.GIF: lambda data: Size(*struct.unpack_from("<HH", data, 6)),
    ImageFormat.WEBP: _read_webp_size,
    ImageFormat.BMP: _read_bmp_size,
    ImageFormat.TIFF: _read_tiff_size,
}
_CHECKS: dict[ImageFormat, Callable[[bytes], bytes]] = {
    ImageFormat.PNG: _check_png,
    ImageFormat.GIF: _check_gif,
    ImageFormat.WEBP: _check_webp,
    ImageFormat.BMP: _check_bmp,
    ImageFormat.TIFF: _check_tiff,
}
