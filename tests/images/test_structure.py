"""Sizes and missing parts are found without decoding."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.pictures import GOOD, accepted, encode, rejection
from utils.images import validation
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
    monkeypatch.setattr(validation, "_decode_other", pytest.fail)
    assert rejection(HUGE[kind]).reason is Reason.TOO_LARGE


def test_too_many_pixels_in_a_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG of absurd size is rejected from its header, without decoding."""
    monkeypatch.setattr(validation, "_decode_jpeg", pytest.fail)
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


def test_png_metadata_is_not_decoded() -> None:
    """A decompression bomb in the metadata of a PNG is not unpacked."""
    bomb = b"zTXtComment\0\0" + zlib.compress(bytes(30_000_000))
    chunk = struct.pack(">I", len(bomb) - 4) + bomb + struct.pack(">I", zlib.crc32(bomb))
    data = encode("PNG")
    accepted(data[:33] + chunk + data[33:])
