"""The perceptual hash of an image file, and whether exports rewrite it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..images import decoding, perceptual_hash
from ..images.perceptual_hash import SIDE
from ..images.signatures import detect_format
from ..models.images import ImageFormat
from . import normalize
from .fingerprints import ImageHash


def compute(data: bytes) -> ImageHash:
    """Compute the hash of a valid image from its pixels; raises nothing but MemoryError."""
    return ImageHash(_hash_pixels(data), normalize.needs_rewrite(data))


def _hash_pixels(data: bytes) -> int | None:
    """Compute the hash as validation does, if it decodes the image strictly, or else with Pillow."""
    try:
        is_jpeg = detect_format(data) is ImageFormat.JPEG
        if is_jpeg and (found := decoding.hash_jpeg(data)) is not None:
            return found or None
        with normalize.open_stored(data) as image:
            if image.format == "WEBP" and image.width * image.height > decoding.QUICK_PIXELS:
                return None  # validation does not decode it, either: it takes 16 bytes per pixel
            image.draft("L", (2 * SIDE, 2 * SIDE))  # decode a JPEG at about an eighth of its size
            gray = normalize.as_8_bit(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except MemoryError:
        raise
    except Exception:  # Pillow's decoders raise any exception; such an image is a duplicate of none
        return None
    return perceptual_hash.of_gray(np.asarray(gray))
