"""Keeps what an image is: bytes in, a Picture or the Refusal out. Nothing else opens images.

This module alone knows simplejpeg and Pillow, and loads them when the first image of their kind comes.
JPEGs go through simplejpeg: strict, so that warnings count as damage, and in gray at an eighth of the
size, which reads every coefficient but builds few pixels. It finds holes that Pillow takes for pictures,
in half the time. The rest goes through Pillow, after `image_structure` has found all its parts there.
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

from ..models.enums import ImageFormat
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.images import Picture
from ..reasons import Reason, Rejection
from . import structure
from .signatures import describe, recognise
from .structure import DamagedError, EndsEarlyError, Size

MAX_BYTES = MAX_IMAGE_BYTES
MAX_PIXELS = 50_000_000

MAX_SCANS = 100
"""Of a JPEG; progressive ones have about ten. A file of nothing but scans would be decoded for hours."""

MAX_WEBP_PIXELS_DECODED = 16_000_000
"""Pillow needs 16 bytes a pixel for WebP. Larger ones are opened and their structure is checked, but they
are not decoded: little is lost, for the format has no checksums, and a cut shows in the structure."""

_END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd9", b"\xff\xda"
_FRAMES = {0xC0: False, 0xC1: False, 0xC2: True, 0xC9: False, 0xCA: True}
"""Markers that begin a JPEG's frame, and whether it is progressive."""

_TAIL = 16
"""Bytes at a JPEG's end in which its end marker is looked for, since some padding is common."""

_NOT_DAMAGE = re.compile(r"tj|unsupported|invalid sos|unknown adobe|warning: unknown jfif", re.IGNORECASE)
"""What simplejpeg says of JPEGs that are only odd: an uncommon subsampling, arithmetic coding, ..."""


def judge(data: bytes, *, min_side: int, length_known: bool) -> Picture | Rejection:
    """Decide whether bytes are a whole image that can be decoded, whatever the bytes are.

    Parameters
    ----------
    data
        All that the server sent; bytes after the end of a whole image do no harm.
    min_side
        In pixels; an image whose smaller side is shorter is refused.
    length_known
        Whether the protocol said where the body ends. If not, an image that ends too early may have been
        cut on its way (`Reason.TRUNCATED`); if so, it lies cut on the server (`Reason.CORRUPT`).

    Returns
    -------
    Picture or Refusal
        Width and height are those of the stored pixels, whatever EXIF says of turning them.

    Raises
    ------
    MemoryError
        If there is not enough of it to decode the image, which says nothing of the image.
    """
    if len(data) > MAX_BYTES:
        return Rejection(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1_000_000} MB")
    image_format = recognise(data)
    if image_format is None:
        return Rejection(Reason.NOT_AN_IMAGE, describe(data))
    try:
        size = _measure(image_format, data)
        rejection = _refuse_size(size, min_side)
        if rejection:
            return rejection
        decoded = _decode(image_format, data, size)
    except EndsEarlyError as error:
        reason = Reason.CORRUPT if length_known else Reason.TRUNCATED
        return Rejection(reason, f"a {image_format.name} of which the end is missing: {error}")
    except DamagedError as error:
        return Rejection(Reason.CORRUPT, f"a damaged {image_format.name}: {error}")
    return _refuse_size(decoded, min_side) or Picture(
        image_format, decoded.width, decoded.height, len(data), hashlib.sha256(data).hexdigest()
    )


def _refuse_size(size: Size, min_side: int) -> Rejection | None:
    measures = f"{size.width}x{size.height} pixels"
    if size.width * size.height > MAX_PIXELS:
        return Rejection(Reason.TOO_LARGE, f"{measures} are more than {MAX_PIXELS // 1_000_000} megapixels")
    if min(size.width, size.height) < min_side:
        return Rejection(Reason.TOO_SMALL, f"{measures}, and no side may be shorter than {min_side}")
    return None


def _measure(image_format: ImageFormat, data: bytes) -> Size:
    is_jpeg = image_format is ImageFormat.JPEG
    size = _measure_jpeg(data) if is_jpeg else structure.measure(image_format, data)
    if size.width < 1 or size.height < 1:
        raise DamagedError("it has no pixels")
    return size


def _decode(image_format: ImageFormat, data: bytes, size: Size) -> Size:
    if image_format is ImageFormat.JPEG:
        return _decode_jpeg(data, size)
    is_spared = image_format is ImageFormat.WEBP and size.width * size.height > MAX_WEBP_PIXELS_DECODED
    whole = structure.check(image_format, data)
    return _open_with_pillow(image_format, whole, is_decoded=not is_spared)


def prepare() -> None:
    """Load what most images need, which takes a tenth of a second; best while the first are on their way."""
    _turbo()


@functools.cache
def _turbo() -> Any:
    """Load simplejpeg; it brings NumPy, whose BLAS would start a thread for every core, for nothing."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import simplejpeg

    return simplejpeg


def _measure_jpeg(data: bytes) -> Size:
    try:
        height, width, _, _ = _turbo().decode_jpeg_header(data)
    except ValueError:
        return _open_odd_jpeg(data, is_decoded=False)
    return Size(width, height)


def _decode_jpeg(data: bytes, size: Size) -> Size:
    if _is_progressive(data) and data.count(_START_OF_SCAN) > MAX_SCANS:
        raise DamagedError(f"it has more than {MAX_SCANS} scans")
    try:
        # A height and width of 1 at least: the smallest scale, an eighth. (`min_factor` does not do that.)
        _turbo().decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        if "insufficient memory" in str(error).lower():
            raise MemoryError from error
        if not _NOT_DAMAGE.match(str(error)):
            raise _jpeg_damage(data, error) from error
        return _open_odd_jpeg(data, is_decoded=True)
    return size


def _open_odd_jpeg(data: bytes, *, is_decoded: bool) -> Size:
    try:
        return _open_with_pillow(ImageFormat.JPEG, data, is_decoded=is_decoded)
    except DamagedError as error:
        raise _jpeg_damage(data, error) from error


def _jpeg_damage(data: bytes, error: ValueError) -> DamagedError:
    kind = DamagedError if _END_OF_IMAGE in data[-_TAIL:] else EndsEarlyError
    return kind(str(error).removeprefix("Corrupt JPEG data: "))


def _is_progressive(data: bytes) -> bool:
    """Walk the segments up to the frame's; where they lead nowhere, the worst is assumed."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind in _FRAMES:
            return _FRAMES[kind]
        at += 1 if kind == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True


def _open_with_pillow(image_format: ImageFormat, data: bytes, *, is_decoded: bool) -> Size:
    """Open an image, decode its first frame if asked to and if it is not too large, and return its size."""
    from PIL import Image

    is_talkative = image_format is ImageFormat.TIFF
    with warnings.catch_warnings(), _muted() if is_talkative else contextlib.nullcontext():
        warnings.simplefilter("ignore")  # odd metadata are no concern of ours
        try:
            with Image.open(io.BytesIO(data), formats=[image_format.name]) as image:
                size = Size(image.width, image.height)
                if is_decoded and size.width * size.height <= MAX_PIXELS:
                    image.load()
        except MemoryError:
            raise  # says nothing of the image: it is tried again where there is more
        except Exception as error:  # Pillow's decoders raise whatever comes, for bytes that make no sense
            kind = EndsEarlyError if "truncated" in str(error) else DamagedError
            raise kind(_in_words(error)) from error
    return size


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Turn the process's stderr away: libtiff writes there, past Python, of every flaw that it meets."""
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed: mute enough
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _in_words(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "its header makes no sense"  # Pillow's own words name an object in memory
    return str(error) or type(error).__name__
