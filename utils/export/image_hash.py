"""Perceptual hashes (pHash) of images.

An image is reduced to 32 x 32 gray pixels. Of the 64 lowest frequencies of its cosine transform, all but the
constant one give a bit: whether they are above their median. Size, compression, brightness and slight
cropping change few of these 63 bits.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import wrap_os_errors
from ..files import append_lines, open_file, read_bytes
from . import normalize

SIDE, FREQUENCIES = 32, 8
BITS = FREQUENCIES**2 - 1
MIN_MEDIAN = 32.0
"""If half of the frequencies are weaker, which is what noise of two gray levels gives, the image is too flat
for a hash. Of 1,000 photographs of ImageNet the lowest median is 119, and half of them are above 1,162."""
_POSITIONS, _WAVES = np.arange(SIDE), np.arange(FREQUENCIES)
_COSINES: NDArray[np.float32] = np.cos(np.pi * np.outer(_WAVES, 2 * _POSITIONS + 1) / (2 * SIDE)).astype("f4")
_WEIGHTS = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class ImageHash:
    """The hash of an image, and how it is exported.

    Attributes
    ----------
    hash
        Its 63 bits; None if the image is too flat, or cannot be decoded.
    needs_rewrite
        Whether exports contain a rewritten file (see `normalize`); None if this is unknown, as the first
        version did not record it.
    """

    hash: int | None
    needs_rewrite: bool | None = None


def compute(data: bytes) -> ImageHash:
    """Compute the hash of a valid image from its pixels; raises nothing but MemoryError."""
    return ImageHash(_hash_pixels(data), normalize.needs_rewrite(data))


def _hash_pixels(data: bytes) -> int | None:
    try:
        with normalize.open_stored(data) as image:
            image.draft("L", (2 * SIDE, 2 * SIDE))  # decode a JPEG at about an eighth of its size
            gray = normalize.as_8_bit(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except MemoryError:
        raise
    except Exception:  # Pillow's decoders raise any exception; such an image is a duplicate of none
        return None
    frequencies = (_COSINES @ np.asarray(gray, dtype=np.float32) @ _COSINES.T).ravel()[1:]
    if np.median(np.abs(frequencies)) < MIN_MEDIAN:
        return None
    return int(_WEIGHTS[frequencies > np.median(frequencies)].sum())


HEADER = "sha256,hash,export\n"
BATCH = 256
"""Images between two writes; at most so many are hashed again after a killed run."""
MANY = 2_000
"""From this number of images on, hashing takes long enough for a message."""
_LINE = re.compile(rb"([0-9a-f]{64}),([0-9a-f]{16})?,([01]|unchanged|rewritten)\r?\n")
_EXPORT = {b"unchanged": False, b"rewritten": True}
"""The third column, and whether an image needs to be rewritten.

In lines of the first version it is 0 or 1. These images are hashed once more: that version found no hash if
the metadata are unreadable, and rewrote fewer images."""


def read(path: Path) -> dict[str, ImageHash]:
    """Read the hashes, by checksum, in the order first seen; the last line of an image counts.

    Raises
    ------
    DiskError, FolderError
        If the file exists and cannot be read.
    """
    hashes: dict[str, ImageHash] = {}
    with wrap_os_errors(path):
        try:
            with open_file(path) as file:
                for line in file:
                    if found := _LINE.fullmatch(line):
                        bits = int(found[2], 16) if found[2] else None
                        hashes[found[1].decode()] = ImageHash(bits, _EXPORT.get(found[3]))
        except FileNotFoundError:
            return {}
    return hashes


def update(path: Path, images: Mapping[str, Path], print_line: Callable[[str], None]) -> dict[str, ImageHash]:
    """Compute the hashes that are missing, append them to the file, and return all of them.

    Parameters
    ----------
    images
        The file of each image, by checksum.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or the file cannot be written.
    """
    hashes = read(path)
    unknown = ImageHash(None)
    new = [one for one in images.items() if hashes.get(one[0], unknown).needs_rewrite is None]
    if len(new) >= MANY:
        print_line(f"Hashing {len(new):,} images to find near-duplicates (only once) ...")
    waiting = iter(new)
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, about odd metadata
        while batch := dict(islice(waiting, BATCH)):
            computed = dict(zip(batch, pool.map(_hash, batch.values()), strict=True))
            _append(path, computed)
            hashes |= computed
    return hashes


def _hash(path: Path) -> ImageHash:
    with wrap_os_errors(path):
        data = read_bytes(path)
    return compute(data)


def _append(path: Path, hashes: Mapping[str, ImageHash]) -> None:
    with wrap_os_errors(path):
        append_lines(path, HEADER, (_line(checksum, one) for checksum, one in hashes.items()))


def _line(checksum: str, one: ImageHash) -> str:
    digits = "" if one.hash is None else f"{one.hash:016x}"
    return f"{checksum},{digits},{'rewritten' if one.needs_rewrite else 'unchanged'}\n"
