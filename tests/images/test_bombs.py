"""Small files that would keep a decoder busy are rejected from their structure, without decoding."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from tests.pictures import accepted, encode, paint, rejection, run_length_bmp
from utils.images import decoding, structure
from utils.models.images import ImageFormat
from utils.reasons import Reason

WIDTH, HEIGHT = 2_000, 1_500


def segment(marker: int, content: bytes) -> bytes:
    """Encode a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(frame: int, scans: int, side: int = 3_000) -> bytes:
    """Encode a JPEG of scans without data, each of one of its three components."""
    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    header = segment(0xDB, bytes(65)) + segment(frame, struct.pack(">BHHB", 8, side, side, 3) + components)
    tables = b"".join(segment(0xC4, bytes((kind, 1)) + bytes(16)) for kind in (0x00, 0x10))
    contents = b"".join(segment(0xDA, bytes((1, 1 + number % 3, 0, 0, 63, 0))) for number in range(scans))
    return b"\xff\xd8" + header + tables + contents + b"\xff\xd9"


def tiff(fields: list[tuple[int, int, int]], data: bytes = b"", *, pages: int = 1) -> bytes:
    """Encode a TIFF of gray pixels with further fields (tag, count and value); all pages are the same."""
    standard = [(256, 1, WIDTH), (257, 1, HEIGHT), (258, 1, 8), (259, 1, 1), (262, 1, 1), (277, 1, 1)]
    page = struct.pack("<H", len(standard + fields))
    page += b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in standard + fields)
    offsets = [8 + number * (len(page) + 4) for number in range(pages)]
    links = [struct.pack("<I", offset) for offset in [*offsets[1:], 0]]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(page + link for link in links) + data


def tiff_of_shared_strips() -> bytes:
    """Encode a TIFF whose strips, one for each row, are all the same bytes."""
    data, begin = bytes(30_000), len(tiff([(0, 0, 0)] * 3))
    lists = struct.pack("<I", begin) * HEIGHT + struct.pack("<I", len(data)) * HEIGHT
    offsets = begin + len(data)
    sizes = offsets + 4 * HEIGHT
    return tiff([(273, HEIGHT, offsets), (278, 1, 1), (279, HEIGHT, sizes)], data + lists)


def with_chunks(count: int) -> bytes:
    """Insert empty chunks before the pixels of a PNG."""
    data = encode("PNG")
    chunk = bytes(4) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return data[:33] + chunk * count + data[33:]


def webp_with_chunks(count: int) -> bytes:
    """Append empty chunks to a WebP."""
    data = encode("WEBP") + b"ABCD\0\0\0\0" * count
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def gif_with_comments(count: int) -> bytes:
    """Insert empty comments before the frame of a GIF."""
    data = encode("GIF")
    begin = 13 + (6 << (data[10] & 7))
    return data[:begin] + b"\x21\xfe\0" * count + data[begin:]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    **{
        f"JPEG {frame:x}, {scans} scans": (
            lambda frame=frame, scans=scans: jpeg(frame, scans),
            "too many scans",
        )
        for frame in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
        for scans in (101, 9_000, 50_000)
    },
    "large JPEG": (lambda: jpeg(0xC2, 30, side=7_000), "too many scans"),
    "JPEG of segments": (
        lambda: encode("JPEG")[:2] + b"\xff\xfe\0\2" * 4_000_000 + encode("JPEG")[2:],
        "10,000 segments",
    ),
    "JPEG of segments that simplejpeg does not support": (
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 4_000_000 + jpeg(0xC9, 1)[2:],
        "10,000 segments",
    ),
    "PNG": (lambda: with_chunks(1_000_000), "100,000 chunks"),
    "WebP": (lambda: webp_with_chunks(1_000_000), "100,000 chunks"),
    "GIF": (lambda: gif_with_comments(4_000_000), "100,000 blocks"),
    "BMP": (lambda: run_length_bmp(b"\1\0\0\0" * 16, (3_000_000, 16)), "too many pixels"),
    "TIFF of tiles": (
        lambda: tiff([(322, 1, 1_600_000), (323, 1, 16), (324, 1, 8), (325, 1, 9)]),
        "tiles are too large",
    ),
    "TIFF of strips": (tiff_of_shared_strips, "strips overlap"),
    "TIFF of fields": (lambda: tiff([(700, 1, 0)] * 60_000, pages=20), "1,000 fields"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would take seconds is corrupt."""
    for decoder in ("_decode_strictly", "_open_with_pillow"):
        monkeypatch.setattr(decoding, decoder, pytest.fail)
    make, why = BOMBS[name]
    found = rejection(make())
    assert found.reason is Reason.CORRUPT
    assert why in found.description


@pytest.mark.parametrize("make", [with_chunks, webp_with_chunks, gif_with_comments])
def test_many_chunks(make: Callable[[int], bytes]) -> None:
    """Some thousand chunks or blocks are no reason to reject an image."""
    accepted(make(5_000))


def test_jpeg_of_separate_components() -> None:
    """A sequential JPEG has one scan or several; data that look like scans, as in a thumbnail, are none."""
    data = encode("JPEG", comment=b"\xff\xda" * 9_000)
    accepted(data)
    assert structure.count_jpeg_scans(data) == 1
    assert structure.count_jpeg_scans(jpeg(0xC0, 3)) == 3
    assert structure.count_jpeg_scans(encode("JPEG", progressive=True)) > 5
    assert structure.count_jpeg_scans(encode("JPEG", paint().convert("L"))) == 1


def test_run_length_codes_without_pixels() -> None:
    """Of a run-length encoded BMP, only as much is decoded as its pixels may take."""
    codes = b"\x28\1" + b"\1\0" * 9_000_000
    data = run_length_bmp(codes, (40, 30))
    assert len(structure.check(ImageFormat.BMP, data)) < 6_000
    assert rejection(data).reason is Reason.CORRUPT
    longest = b"".join(b"\1\5" * 40 + b"\0\0" for _ in range(30)) + b"\0\1"
    accepted(run_length_bmp(longest, (40, 30)) + bytes(99))


def test_tiles_beyond_the_picture() -> None:
    """Tiles of a TIFF may reach beyond a small picture."""
    page = {256: (40,), 257: (30,), 322: (256,), 323: (256,), 324: (8,)}
    assert structure._tile_pixels(page) == 256 * 256
