"""Sizes and missing parts are found without decoding."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest

from tests.pictures import GOOD, accepted, encode, rejection
from utils.images import decoding, structure
from utils.reasons import Reason


def png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG of this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


HUGE = {
    "png": png_header(20_000, 20_000) + bytes(99),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + bytes(99),
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 20_000, -20_000) + bytes(99),
    "webp": b"RIFF\x80\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3e\0" * 2 + bytes(99),
    "webp lossless": b"RIFF\x80\0\0\0WEBPVP8L\x40\0\0\0\x2f\xff\xff\xff\x0f" + bytes(99),
    "tiff": b"II*\0\x08\0\0\0\2\0" + b"\0\1\4\0\1\0\0\0 N\0\0" + b"\1\1\4\0\1\0\0\0 N\0\0" + bytes(99),
}


@pytest.mark.parametrize("kind", HUGE)
def test_too_many_pixels(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image of absurd size is rejected from its header, without decoding."""
    monkeypatch.setattr(decoding, "decode", pytest.fail)
    assert rejection(HUGE[kind]).reason is Reason.TOO_LARGE


def test_too_many_pixels_in_a_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG of absurd size is rejected from its header, without decoding."""
    monkeypatch.setattr(decoding, "decode", pytest.fail)
    data = bytearray(encode("JPEG"))
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, 65_000, 65_000)
    assert rejection(bytes(data)).reason is Reason.TOO_LARGE


def test_gif_frame_larger_than_screen() -> None:
    """A GIF whose frame is larger than the size in its header is rejected by the size of the frame."""
    data = bytearray(encode("GIF"))
    offset = data.find(b"\x2c", 13 + (6 << (data[10] & 7)))
    struct.pack_into("<HH", data, offset + 5, 8_000, 8_000)
    assert rejection(bytes(data)).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("kind", ["png plain", "png animated"])
def test_wrong_checksum(kind: str) -> None:
    """A wrong bit in any frame of a PNG is detected."""
    data = bytearray(GOOD[kind]())
    data[len(data) * 9 // 10] ^= 4
    assert rejection(bytes(data)).reason is Reason.CORRUPT


def test_jpeg_segments() -> None:
    """Segments follow each other up to the end of the first picture; restarts belong to their scan."""
    jpeg = encode("JPEG", restart_marker_rows=1, progressive=True, comment=b"\xff\xd9")
    segments = list(structure.jpeg_segments(jpeg + b"\xff\xff\0" + jpeg))
    assert (segments[0].begin, segments[-1]) == (2, (0xD9, len(jpeg) - 2, len(jpeg)))
    assert all(one.end == following.begin for one, following in pairwise(segments))
    markers = [one.marker for one in segments]
    assert (markers.count(0xFE), markers.count(0xC2), markers.count(0xD9)) == (1, 1, 1)
    assert markers.count(0xDA) == jpeg.count(b"\xff\xda") > 5


def test_padding_of_jpeg_segments() -> None:
    """A marker may be preceded by any number of 0xFF, and a file may end before the end marker."""
    jpeg = encode("JPEG")
    padded = jpeg[:20] + b"\xff" * 9 + jpeg[20:-2] + b"\xff" * 3 + jpeg[-2:]
    assert [one.marker for one in structure.jpeg_segments(padded)] == [
        one.marker for one in structure.jpeg_segments(jpeg)
    ]
    (*_, last) = structure.jpeg_segments(jpeg[:-2])
    assert (last.marker, last.end) == (0xDA, len(jpeg) - 2)
    assert list(structure.jpeg_segments(b"\xff\xd8" + bytes(99))) == []


@pytest.mark.parametrize("byte_order", ["II", "MM"])
def test_orientation(byte_order: str) -> None:
    """The orientation of a TIFF or of EXIF data is read in both byte orders; damaged data raise an error."""
    order = {"II": "<", "MM": ">"}[byte_order]
    header = byte_order.encode() + struct.pack(f"{order}HI", 42, 8)
    exif = header + struct.pack(f"{order}HHHIHHI", 1, 274, 3, 1, 6, 0, 0)
    assert structure.read_orientation(exif) == 6
    assert structure.read_orientation(exif.replace(struct.pack(f"{order}H", 274), b"\1\0")) == 1
    for damaged in (exif[:-9], exif[:9], b"", b"XX" + exif[2:]):
        with pytest.raises(structure.DamagedError):
            structure.read_orientation(damaged)


def test_png_metadata_is_not_decoded() -> None:
    """A decompression bomb in the metadata of a PNG is not unpacked."""
    bomb = b"zTXtComment\0\0" + zlib.compress(bytes(30_000_000))
    chunk = struct.pack(">I", len(bomb) - 4) + bomb + struct.pack(">I", zlib.crc32(bomb))
    data = encode("PNG")
    accepted(data[:33] + chunk + data[33:])
