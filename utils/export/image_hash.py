"""Perceptual hashes (pHash) of images.

An image is reduced to 32 x 32 gray pixels. Of the 64 lowest frequencies of its cosine transform, all but the
constant one give a bit: whether they are above their median. Size, compression, brightness and slight
cropping change few of these 63 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images import decoding
from . import normalize
from .fingerprints import ImageHash

SIDE, FREQUENCIES = 32, 8
BITS = FREQUENCIES**2 - 1
DECIMALS = 6
"""Of frequencies; further ones differ between machines, and hashes must not."""
MIN_MEDIAN = 32.0
"""If half of the frequencies are weaker, which is what noise of two gray levels gives, the image is too flat
for a hash. Of 1,000 photographs of ImageNet the lowest median is 119, and half of them are above 1,162."""
_POSITIONS, _WAVES = np.arange(SIDE), np.arange(FREQUENCIES)
_COSINES: NDArray[np.float64] = np.cos(np.pi * np.outer(_WAVES, 2 * _POSITIONS + 1) / (2 * SIDE))
_WEIGHTS = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


def compute(data: bytes) -> ImageHash:
    """Compute the hash of a valid image from its pixels; raises nothing but MemoryError."""
    return ImageHash(_hash_pixels(data), normalize.needs_rewrite(data))


def _hash_pixels(data: bytes) -> int | None:
    try:
        with normalize.open_stored(data) as image:
            if image.format == "WEBP" and image.width * image.height > decoding.QUICK_PIXELS:
                return None  # validation does not decode it, either: it takes 16 bytes per pixel
            image.draft("L", (2 * SIDE, 2 * SIDE))  # decode a JPEG at about an eighth of its size
            gray = normalize.as_8_bit(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except MemoryError:
        raise
    except Exception:  # Pillow's decoders raise any exception; such an image is a duplicate of none
        return None
    frequencies = (_COSINES @ np.asarray(gray, dtype=np.float64) @ _COSINES.T).ravel()[1:]
    frequencies = frequencies.round(DECIMALS)
    if np.median(np.abs(frequencies)) < MIN_MEDIAN:
        return None
    return int(_WEIGHTS[frequencies > np.median(frequencies)].sum())
