"""Decides whether downloaded bytes are a complete image.

JPEGs are decoded by simplejpeg: strictly, so that warnings count as damage, and in gray at an eighth of the
size, which reads every coefficient but computes few pixels. It takes half the time of Pillow, and finds gaps
that Pillow tolerates. Other formats are decoded by Pillow after `structure` has checked their completeness.
Both libraries are loaded when they are first needed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any

from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.images import ImageFormat, Picture
from ..reasons import Reason, Rejection
from . import structure
from .signatures import describe, detect_format
from .structure import DamagedError, Size, TruncatedError

MAX_BYTES = MAX_IMAGE_BYTES
MAX_PIXELS = 50_000_000
TOO_LARGE = Rejection(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1_000_000} MB")

MAX_SCANS = 100
"""Scans of a progressive JPEG; about ten are usual. A file of thousands would be decoded for hours."""

MAX_WEBP_PIXELS_DECODED = 16_000_000
"""Pillow needs 16 bytes per pixel for WebP. Larger images are opened and their structure is checked, but they
are not decoded. Little is lost: the format has no checksums, and truncation shows in the structure."""

_END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd9", b"\xff\xda"
_FRAMES = {0xC0: False, 0xC1: False, 0xC2: True, 0xC9: False, 0xCA: True}
"""Markers that begin the frame of a JPEG, and whether it is progressive."""

_TAIL = 16
"""Bytes at the end of a JPEG that are searched for the end marker, because padding is common."""

_UNUSUAL_JPEG = re.compile(r"tj|unsupported|invalid sos|unknown adobe|warning: unknown jfif", re.IGNORECASE)
"""Errors of simplejpeg for valid JPEGs that it does not support, e.g. with arithmetic coding."""


def validate(data: bytes, *, min_side: int, length_known: bool) -> Picture | Rejection:
    """Decide whether data is a complete image that can be decoded.

    Parameters
    ----------
    data
        The body of a response or the content of a file; data after the end of the image is allowed.
    min_side
        Minimum of width and height, in pixels.
    length_known
        Whether the protocol stated the length of the body. If not, an image that ends too early may have been
        truncated in transfer (`Reason.TRUNCATED`); otherwise it is truncated on the server
        (`Reason.CORRUPT`).

    Returns
    -------
    Picture or Rejection
        The size of the picture is that of the stored pixels; orientations in EXIF or TIFF are ignored.

    Raises
    ------
    MemoryError
        If there is not enough memory to decode the image, which may be valid.
    """
    if len(data) > MAX_BYTES:
        return TOO_LARGE
    image_format = detect_format(data)
    if image_format is None:
        return Rejection(Reason.NOT_AN_IMAGE, describe(data))
    try:
        is_jpeg = image_format is ImageFormat.JPEG
        size = _read_jpeg_size(data) if is_jpeg else structure.read_size(image_format, data)
        if size.width < 1 or size.height < 1:
            return Rejection(Reason.CORRUPT, f"a damaged {image_format.name}: it has no pixels")
        if rejection := _reject_size(size, min_side):
            return rejection
        decoded = _decode_jpeg(data, size) if is_jpeg else _decode_other(image_format, data, size)
    except TruncatedError as error:
        reason = Reason.CORRUPT if length_known else Reason.TRUNCATED
        return Rejection(reason, f"a truncated {image_format.name}: {error}")
    except DamagedError as error:
        return Rejection(Reason.CORRUPT, f"a damaged {image_format.name}: {error}")
    return _reject_size(decoded, min_side) or Picture(
        image_format, decoded.width, decoded.height, len(data), hashlib.sha256(data).hexdigest()
    )


def load_decoder() -> None:
    """Load simplejpeg, which takes a tenth of a second; best done while the first downloads are running."""
    _simplejpeg()


@functools.cache
def _simplejpeg() -> Any:
    # It imports NumPy, whose BLAS would start an unused thread for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import simplejpeg

    return simplejpeg


def _reject_size(size: Size, min_side: int) -> Rejection | None:
    pixels = f"{size.width}x{size.height} pixels"
    if size.width * size.height > MAX_PIXELS:
        return Rejection(Reason.TOO_LARGE, f"{pixels} are more than {MAX_PIXELS // 1_000_000} megapixels")
    if min(size.width, size.height) < min_side:
        return Rejection(Reason.TOO_SMALL, f"{pixels}; the minimum is {min_side} for each side")
    return None


def _decode_other(image_format: ImageFormat, data: bytes, size: Size) -> Size:
    """Decode an image that is no JPEG, and return its size, which may differ from that in the header."""
    checked = structure.check(image_format, data)
    is_decoded = image_format is not ImageFormat.WEBP or size.width * size.height <= MAX_WEBP_PIXELS_DECODED
    return _open_with_pillow(image_format, checked, is_decoded=is_decoded)


def _read_jpeg_size(data: bytes) -> Size:
    try:
        height, width, _, _ = _simplejpeg().decode_jpeg_header(data)
    except ValueError:
        return _open_unusual_jpeg(data, is_decoded=False)
    return Size(width, height)


def _decode_jpeg(data: bytes, size: Size) -> Size:
    if _is_progressive(data) and data.count(_START_OF_SCAN) > MAX_SCANS:
        raise DamagedError(f"it has more than {MAX_SCANS} scans")
    try:
        # A minimum of 1 selects the smallest scale, an eighth. (`min_factor` does not.)
        _simplejpeg().decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        if "insufficient memory" in str(error).lower():
            raise MemoryError from error
        if not _UNUSUAL_JPEG.match(str(error)):
            raise _jpeg_error(data, error) from error
        return _open_unusual_jpeg(data, is_decoded=True)
    return size


def _open_unusual_jpeg(data: bytes, *, is_decoded: bool) -> Size:
    try:
        return _open_with_pillow(ImageFormat.JPEG, data, is_decoded=is_decoded)
    except DamagedError as error:
        raise _jpeg_error(data, error) from error


def _jpeg_error(data: bytes, error: ValueError) -> DamagedError:
    kind = DamagedError if _END_OF_IMAGE in data[-_TAIL:] else TruncatedError
    return kind(str(error).removeprefix("Corrupt JPEG data: "))


def _is_progressive(data: bytes) -> bool:
    """Whether the first frame is progressive; True if there is no frame, which is the stricter case."""
    markers = (segment.marker for segment in structure.jpeg_segments(data))
    return next((_FRAMES[marker] for marker in markers if marker in _FRAMES), True)


def _open_with_pillow(image_format: ImageFormat, data: bytes, *, is_decoded: bool) -> Size:
    """Return the size of an image; decode its first frame if requested, unless it is too large."""
    from PIL import Image

    stderr_context = _without_stderr() if image_format is ImageFormat.TIFF else contextlib.nullcontext()
    with warnings.catch_warnings(), stderr_context:
        warnings.simplefilter("ignore")  # about unusual metadata
        try:
            with Image.open(io.BytesIO(data), formats=[image_format.name]) as image:
                size = Size(image.width, image.height)
                if is_decoded and size.width * size.height <= MAX_PIXELS:
                    image.load()
        except MemoryError:
            raise
        except Exception as error:  # decoders of Pillow raise various exceptions for invalid data
            kind = TruncatedError if "truncated" in str(error) else DamagedError
            message = str(error) or type(error).__name__
            if type(error).__name__ == "UnidentifiedImageError":  # its message names an object in memory
                message = "the header is invalid"
            raise kind(message) from error
    return size


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Redirect the standard error of the process to the null device: libtiff prints every flaw there."""
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    try:
        with open(os.devnull, "wb") as devnull:  # noqa: PTH123 - a device, not a path
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
