"""Image files that every reader shows in the same way.

Readers disagree on some images. They may rotate one by its metadata, fail on metadata that they cannot read,
repair a file with bytes after its end in place, or read nothing but JPEG and PNG. Exports contain rewritten
files of these images, with the stored pixels, to which boxes refer, and without metadata:

* JPEG: the segments are copied, except metadata and stray bytes between them. The JFIF header, the colour
  profile and Adobe's colour transform are kept.
* PNG: the chunks of the first frame are copied, except metadata. An image of 16 bits is encoded again.
* Other formats: the first frame or page is encoded as PNG, in RGB if PNG does not have its colour space.

Values of 16 bits are divided by 256. Signed, 32-bit and floating-point values have no common range: they are
scaled from their minimum and maximum.
"""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images import decoding, structure
from ..images.signatures import describe, detect_format
from ..models.images import ImageFormat

_KEPT_SEGMENT = re.compile(
    rb"\xff(?:[^\xd9\xe0-\xef]|\xe0..JFIF\0.{9}|\xe2..ICC_PROFILE\0..|\xee..Adobe.{7})", re.DOTALL
)
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)[02-9]")
_EXIF_ORIENTATION, _UPRIGHT = 0x0112, 1
JPEG_QUALITY = 92
"""Of images that are reduced; higher ones only make larger files."""
_PNG_BIT_DEPTH = 24
"""Its offset in the file."""
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
"""Pillow's modes of at most 8 bits that PNG has."""


def needs_rewrite(data: bytes) -> bool:
    """Whether readers may disagree on an image; raises nothing but MemoryError."""
    try:
        return not (_is_plain(data) and _is_upright(data))
    except MemoryError:
        raise
    except Exception:  # Pillow raises any exception for metadata that it cannot read
        return True


def rewritten(data: bytes) -> bytes:
    """Return an image as JPEG, if it is one, or else as PNG.

    Raises
    ------
    Exception
        Of any type, if the image is invalid.
    """
    image_format = detect_format(data)
    if image_format is ImageFormat.JPEG or (image_format is ImageFormat.PNG and data[_PNG_BIT_DEPTH] <= 8):
        return _without_metadata(data)
    png = io.BytesIO()
    with open_stored(data) as image:
        as_8_bit(image).save(png, "PNG", icc_profile=None)
    return png.getvalue()


def reduced(data: bytes, width: int, height: int) -> bytes:
    """Return an image in another size, in pixels, as JPEG, if it is one, or else as PNG.

    Raises
    ------
    Exception
        Of any type, if the image is invalid.
    """
    file = io.BytesIO()
    with open_stored(data) as image:
        is_jpeg = image.format in ("JPEG", "MPO")
        is_indexed = image.mode in ("1", "P") or "transparency" in image.info  # these cannot be interpolated
        if is_indexed or (is_jpeg and image.mode != "L"):
            image = image.convert("RGB" if is_jpeg or "transparency" not in image.info else "RGBA")
        resized = as_8_bit(image).resize((width, height), Image.Resampling.LANCZOS)
    resized.save(file, "JPEG" if is_jpeg else "PNG", quality=JPEG_QUALITY)
    return file.getvalue()


def open_stored(data: bytes) -> Image.Image:
    """Open an image without its metadata, so that Pillow can read it and does not rotate it.

    Raises
    ------
    Exception
        Of any type, if the image is invalid.
    """
    stored = _without_metadata(data)
    image = Image.open(io.BytesIO(stored))
    if image.format == "JPEG":  # of an earlier version, which accepted any number of scans
        decoding.is_quick(ImageFormat.JPEG, stored, structure.Size(image.width, image.height))
    if image.format == "PNG" and data[_PNG_BIT_DEPTH] > 8:
        image.info.pop("transparency", None)  # a colour of 16 bits, but Pillow reads 8 of each pixel
    return image


def as_8_bit(image: Image.Image) -> Image.Image:
    """Convert an image to a mode of at most 8 bits that PNG has, unless it is in one already."""
    if image.mode in _PNG_MODES:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return Image.fromarray(_scaled(np.asarray(image, dtype=np.float64)))
    return image.convert("RGBA" if image.mode.endswith(("A", "a")) else "RGB")


def _scaled(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale values to 0 to 255, from their minimum and maximum; others than finite ones become 0 or 255."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(values, nan=low).clip(low, high) - low) * (255 / (high - low or 1.0))
    result: NDArray[np.uint8] = scaled.round().astype(np.uint8)
    return result


def _is_plain(data: bytes) -> bool:
    """Whether a file is a JPEG, or a PNG of one frame and at most 8 bits, with nothing after its end."""
    image_format = detect_format(data)
    if image_format is ImageFormat.JPEG:
        end = structure.Segment(structure.JPEG_END, len(data) - 2, len(data))
        return end in structure.jpeg_segments(data) and decoding.repaired_jpeg(data) is data
    if image_format is ImageFormat.PNG:
        chunks = list(structure.png_chunks(data))
        is_animated = any(one.kind == b"acTL" for one in chunks)
        return chunks[-1].end == len(data) and data[_PNG_BIT_DEPTH] <= 8 and not is_animated
    return False


def _is_upright(data: bytes) -> bool:
    """Whether the metadata can be read, and ask for no rotation."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()  # of a PNG: the checksums of all chunks, also those that are not read
    with Image.open(io.BytesIO(data)) as image:
        orientations = {image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT)}
        if exif := image.info.get("exif"):  # Pillow ignores some damage
            orientations.add(structure.read_orientation(exif.removeprefix(b"Exif\0\0")))
    is_multi_picture = image.format == "MPO"
    return orientations == {_UPRIGHT} and not is_multi_picture and not _XMP_ORIENTATION.search(data)


def _without_metadata(data: bytes) -> bytes:
    image_format = detect_format(data)
    if image_format is None:
        raise ValueError(describe(data))
    if image_format is not ImageFormat.JPEG:
        return structure.check(image_format, data)
    repaired = decoding.repaired_jpeg(data)
    segments = (repaired[begin:end] for _, begin, end in structure.jpeg_segments(repaired))
    return data[:2] + b"".join(filter(_KEPT_SEGMENT.match, segments)) + structure.JPEG_END_MARKER
