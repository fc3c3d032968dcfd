"""Decodes images completely, to find damage.

JPEGs are decoded by simplejpeg: strictly, so that warnings count as damage, and in gray at an eighth of the
size, which reads every coefficient but computes few pixels. It takes half the time of Pillow, and finds gaps
that Pillow tolerates. Other formats are decoded by Pillow after `structure` has checked their completeness.
Both libraries are loaded when they are first needed.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..models.images import ImageFormat
from . import structure
from .structure import MAX_PIXELS, DamagedError, Size, TruncatedError

MAX_SCANS, MAX_PIXELS_SCANNED = 100, 1_000_000_000
"""Scans of a JPEG, of which about ten are usual, and their number times that of the pixels."""

QUICK_PIXELS, QUICK_PIXELS_SCANNED = 16_000_000, 500_000_000
"""Larger images may need more than a second (see `is_quick`).

Larger WebP images are opened and their structure is checked, but they are not decoded, because Pillow needs
16 bytes per pixel. Little is lost: the format has no checksums, and truncation shows in the structure.
"""

_TAIL = 16
"""Bytes at the end of a JPEG that are searched for the end marker, because padding is common."""

MIN_PIXELS = 32
"""Width and height of decoded JPEGs at least, for their perceptual hash."""
_UNUSUAL_JPEG = re.compile(r"tj|unsupported|invalid sos|unknown adobe|warning: unknown jfif", re.IGNORECASE)
"""Errors of simplejpeg for valid JPEGs that it does not support, e.g. with arithmetic coding."""
_STRAY_BYTES = "extraneous bytes"
"""In errors of simplejpeg for bytes between segments, or between compressed data and the next segment."""
_BAD_PROFILE = "bad icc marker"
"""In errors of simplejpeg for an incomplete colour profile, which no loader uses."""
_REPAIRS = (structure.without_stray_bytes, structure.without_last_zeros)


def load() -> None:
    """Load simplejpeg, which takes a tenth of a second; best done while the first downloads are running."""
    _simplejpeg()


def read_size(image_format: ImageFormat, data: bytes) -> Size:
    """Read the size of an image from its header.

    Raises
    ------
    TruncatedError, DamagedError
        If the header is incomplete or invalid.
    """
    if image_format is not ImageFormat.JPEG:
        return structure.read_size(image_format, data)
    try:
        height, width, _, _ = _simplejpeg().decode_jpeg_header(data)
    except ValueError:
        return _open_unusual_jpeg(data, is_decoded=False)
    return Size(width, height)


def is_quick(image_format: ImageFormat, data: bytes, size: Size) -> bool:
    """Whether decoding takes at most about a second of CPU time, whatever the data are.

    Raises
    ------
    DamagedError
        If it takes long for no reason.
    """
    pixels = size.width * size.height
    if image_format is ImageFormat.JPEG:
        scans = structure.count_jpeg_scans(data)
        if scans > MAX_SCANS or scans * pixels > MAX_PIXELS_SCANNED:
            raise DamagedError("it has too many scans")
        return scans * pixels <= QUICK_PIXELS_SCANNED
    if image_format is ImageFormat.BMP and structure.is_run_length_encoded(data):
        return False
    return pixels <= QUICK_PIXELS or image_format is ImageFormat.WEBP  # the latter is not decoded


@dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes
    ----------
    phash
        Its perceptual hash; 0 if it is too flat for one, None if it was not computed.
    """

    size: Size
    phash: int | None = None


def decode(image_format: ImageFormat, data: bytes, size: Size) -> Decoded:
    """Decode an image; `size` is that in its header. The size that is returned may differ.

    Raises
    ------
    TruncatedError, DamagedError
        If the image is incomplete or damaged.
    MemoryError
        If there is not enough memory to decode the image, which may be valid.
    """
    if image_format is ImageFormat.JPEG:
        return _decode_jpeg(data, size)
    checked = structure.check(image_format, data)
    is_decoded = image_format is not ImageFormat.WEBP or size.width * size.height <= QUICK_PIXELS
    return Decoded(_open_with_pillow(image_format, checked, is_decoded=is_decoded))


def hash_jpeg(data: bytes) -> int | None:
    """Return the perceptual hash of a JPEG, 0 if it is too flat; None if strict decoding fails."""
    try:
        return _hash(_decode_strictly(data)[1])
    except ValueError:
        return None


def repaired_jpeg(data: bytes) -> bytes:
    """Leave out stray bytes of a valid JPEG, with which strict decoders reject it."""
    if data.startswith(structure.without_last_zeros(structure.without_stray_bytes(data))):
        return data
    with contextlib.suppress(ValueError):  # of a JPEG that simplejpeg does not support
        return _decode_strictly(data)[0]
    return data


@functools.cache
def _simplejpeg() -> Any:
    # It imports NumPy, whose BLAS would start an unused thread for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import simplejpeg

    return simplejpeg


def _decode_jpeg(data: bytes, size: Size) -> Decoded:
    try:
        _data, gray = _decode_strictly(data)
    except ValueError as error:
        if not _UNUSUAL_JPEG.match(str(error)):
            raise _jpeg_error(data, error) from error
        return Decoded(_open_unusual_jpeg(data, is_decoded=True))
    return Decoded(size, _hash(gray))


def _hash(gray: Any) -> int:
    from .perceptual_hash import of_gray  # imported late: it loads NumPy, as simplejpeg does

    return of_gray(gray[:, :, 0]) or 0


def _decode_strictly(
    data: bytes, repairs: Sequence[Callable[[bytes], bytes]] = _REPAIRS
) -> tuple[bytes, Any]:
    """Decode a JPEG, in gray and at an eighth of its size unless it is small.

    Returns
    -------
    tuple
        The JPEG without stray bytes and without an incomplete colour profile; and its gray values, an array
        of shape (height, width, 1).

    Raises
    ------
    ValueError
        For anything else that decoders tolerate.
    """
    try:
        # The smallest scale is selected that gives so many pixels. (`min_factor` does not.)
        gray = _simplejpeg().decode_jpeg(
            data, "GRAY", min_height=MIN_PIXELS, min_width=MIN_PIXELS, strict=True
        )
    except ValueError as error:
        if "insufficient memory" in str(error).lower():
            raise MemoryError from error
        if _BAD_PROFILE in str(error).lower():
            without = structure.without_colour_profile(data)
            if without != data:
                return _decode_strictly(without, repairs)
        if not repairs or _STRAY_BYTES not in str(error):
            raise
        return _decode_strictly(repairs[0](data), repairs[1:])
    return data, gray


def _open_unusual_jpeg(data: bytes, *, is_decoded: bool) -> Size:
    structure.count_jpeg_scans(data)  # Pillow would read any number of segments
    try:
        return _open_with_pillow(ImageFormat.JPEG, data, is_decoded=is_decoded)
    except DamagedError as error:
        raise _jpeg_error(data, error) from error


def _jpeg_error(data: bytes, error: ValueError) -> DamagedError:
    kind = DamagedError if structure.JPEG_END_MARKER in data[-_TAIL:] else TruncatedError
    return kind(str(error).removeprefix("Corrupt JPEG data: "))


def _open_with_pillow(image_format: ImageFormat, data: bytes, *, is_decoded: bool) -> Size:
    """Return the size of an image; decode it if requested, unless it is too large."""
    from PIL import Image, ImageSequence

    stderr_context = _without_stderr() if image_format is ImageFormat.TIFF else contextlib.nullcontext()
    with warnings.catch_warnings(), stderr_context:
        warnings.simplefilter("ignore")  # about unusual metadata
        try:
            with Image.open(io.BytesIO(data), formats=[image_format.name]) as image:
                size = Size(image.width, image.height)
                if is_decoded and size.width * size.height <= MAX_PIXELS:
                    for frame in (
                        ImageSequence.Iterator(image) if image_format is ImageFormat.GIF else (image,)
                    ):
                        frame.load()
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
