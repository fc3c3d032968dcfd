"""Images of all formats for the tests, encoded on demand."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import Image

from utils.images.validation import validate
from utils.models.images import Picture
from utils.reasons import Rejection

SIZE = (120, 90)


def paint(width: int = SIZE[0], height: int = SIZE[1]) -> Image.Image:
    """Draw a picture with some detail."""
    return Image.effect_mandelbrot((width, height), (-2, -1.5, 1, 1.5), 60).convert("RGB")


def encode(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    """Encode a picture."""
    stored = io.BytesIO()
    (image or paint()).save(stored, kind, **options)
    return stored.getvalue()


def frames(kind: str) -> bytes:
    """Encode an animation, or several pages."""
    return encode(kind, save_all=True, append_images=[paint().rotate(10), paint().rotate(20)])


def rotated_by_exif() -> bytes:
    """Encode a JPEG with an EXIF orientation of a quarter turn."""
    exif = Image.Exif()
    exif[274] = 6
    return encode("JPEG", exif=exif)


def run_length_bmp(codes: bytes = b"", size: tuple[int, int] = SIZE) -> bytes:
    """Encode a run-length encoded BMP, which Pillow can read but not write."""
    codes = codes or b"".join(bytes((size[0], row, 0, 0)) for row in range(size[1])) + b"\0\1"
    palette = bytes(range(256)) * 4
    offset = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", offset + len(codes), 0, 0, offset)
    return head + struct.pack("<IiiHHIIiiII", 40, *size, 1, 8, 1, len(codes), 0, 0, 256, 0) + palette + codes


def slow_bmp() -> bytes:
    """Encode a BMP that keeps Pillow busy for seconds: its codes add no pixel to the full first row."""
    return run_length_bmp(b"\xff\0" * 10 + b"\1\0" * 7_400_000, (2_500, 2_000))


GOOD: dict[str, Callable[[], bytes]] = {
    "jpg plain": lambda: encode("JPEG"),
    "jpg progressive": lambda: encode("JPEG", progressive=True),
    "jpg gray": lambda: encode("JPEG", paint().convert("L")),
    "jpg CMYK": lambda: encode("JPEG", paint().convert("CMYK")),
    "jpg RGB": lambda: encode("JPEG", keep_rgb=True),
    "jpg 4:4:4": lambda: encode("JPEG", subsampling=0),
    "jpg restarts": lambda: encode("JPEG", restart_marker_rows=1),
    "jpg rotated": rotated_by_exif,
    "png plain": lambda: encode("PNG"),
    "png palette": lambda: encode("PNG", paint().convert("P")),
    "png alpha": lambda: encode("PNG", paint().convert("RGBA")),
    "png 16 bit": lambda: encode("PNG", Image.new("I;16", SIZE, 999)),
    "png 1 bit": lambda: encode("PNG", paint().convert("1")),
    "png animated": lambda: frames("PNG"),
    "gif plain": lambda: encode("GIF"),
    "gif animated": lambda: frames("GIF"),
    "webp lossy": lambda: encode("WEBP"),
    "webp lossless": lambda: encode("WEBP", lossless=True),
    "webp alpha": lambda: encode("WEBP", Image.new("RGBA", SIZE, (1, 2, 3, 4))),
    "webp animated": lambda: frames("WEBP"),
    "bmp plain": lambda: encode("BMP"),
    "bmp palette": lambda: encode("BMP", paint().convert("P")),
    "bmp run-length": run_length_bmp,
    "tiff plain": lambda: encode("TIFF"),
    "tiff LZW": lambda: encode("TIFF", compression="tiff_lzw"),
    "tiff JPEG": lambda: encode("TIFF", compression="jpeg"),
    "tiff fax": lambda: encode("TIFF", paint().convert("1"), compression="group4"),
    "tiff float": lambda: encode("TIFF", paint().convert("F")),
    "tiff pages": lambda: frames("TIFF"),
}


def accepted(data: bytes, *, min_side: int = 16) -> Picture:
    """Validate data that must be accepted."""
    picture = validate(data, min_side=min_side, length_known=True)
    assert isinstance(picture, Picture)
    return picture


def rejection(data: bytes, *, min_side: int = 16, length_known: bool = True) -> Rejection:
    """Validate data that must be rejected."""
    found = validate(data, min_side=min_side, length_known=length_known)
    assert isinstance(found, Rejection)
    assert found.description
    return found
