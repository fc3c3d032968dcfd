"""Decides whether downloaded bytes are a complete image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.images import Picture
from ..reasons import Reason, Rejection
from . import decoder_process, decoding
from .signatures import describe, detect_format
from .structure import MAX_PIXELS, DamagedError, Size, TruncatedError

MAX_BYTES = MAX_IMAGE_BYTES
TOO_LARGE = Rejection(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1_000_000} MB")


def no_wait() -> None:
    """Do nothing while an image is decoded."""


def validate(
    data: bytes, *, min_side: int, length_known: bool, wait: Callable[[], None] = no_wait
) -> Picture | Rejection:
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
    wait
        Called repeatedly while an image that takes long is decoded, in a process of its own.

    Returns
    -------
    Picture or Rejection
        The size of the picture is that of the stored pixels; orientations in EXIF or TIFF are ignored.

    Raises
    ------
    MemoryError
        If there is not enough memory to decode the image, or its decoder died. It may be valid.
    """
    if len(data) > MAX_BYTES:
        return TOO_LARGE
    image_format = detect_format(data)
    if image_format is None:
        return Rejection(Reason.NOT_AN_IMAGE, describe(data))
    try:
        size = decoding.read_size(image_format, data)
        if size.width < 1 or size.height < 1:
            return Rejection(Reason.CORRUPT, f"a damaged {image_format.name}: it has no pixels")
        if rejection := _reject_size(size, min_side):
            return rejection
        if decoding.is_quick(image_format, data, size):
            decoded = decoding.decode(image_format, data, size)
        else:
            decoded = decoder_process.decode(image_format, data, size, wait)
    except TruncatedError as error:
        reason = Reason.CORRUPT if length_known else Reason.TRUNCATED
        return Rejection(reason, f"a truncated {image_format.name}: {error}")
    except DamagedError as error:
        return Rejection(Reason.CORRUPT, f"a damaged {image_format.name}: {error}")
    size = decoded.size
    return _reject_size(size, min_side) or Picture(
        image_format, size.width, size.height, len(data), hashlib.sha256(data).hexdigest(), decoded.phash
    )


def _reject_size(size: Size, min_side: int) -> Rejection | None:
    pixels = f"{size.width}x{size.height} pixels"
    if size.width * size.height > MAX_PIXELS:
        return Rejection(Reason.TOO_LARGE, f"{pixels} are more than {MAX_PIXELS // 1_000_000} megapixels")
    if min(size.width, size.height) < min_side:
        return Rejection(Reason.TOO_SMALL, f"{pixels}; the minimum is {min_side} for each side")
    return None
