"""Perceptual hashes (pHash) of images.

An image is reduced to 32 x 32 gray pixels. Of the 64 lowest frequencies of its cosine transform, all but the
constant one give a bit: whether they are above their median. Size, compression, brightness and slight
cropping change few of these 63 bits.
"""

from __future__ import annotations

import io
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

SIDE, FREQUENCIES = 32, 8
BITS = FREQUENCIES**2 - 1
MIN_MEDIAN = 32.0
"""If half of the frequencies are weaker, which is what noise of two gray levels gives, the image is too flat
for a hash. Of 1,000 photographs of ImageNet the lowest median is 119, and half of them are above 1,162."""
_EXIF_ORIENTATION, _UPRIGHT = 0x0112, 1
_POSITIONS, _WAVES = np.arange(SIDE), np.arange(FREQUENCIES)
_COSINES: NDArray[np.float32] = np.cos(np.pi * np.outer(_WAVES, 2 * _POSITIONS + 1) / (2 * SIDE)).astype("f4")
_WEIGHTS = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class ImageHash:
    """The 63 bits of an image, or None if it is too flat; and whether it has an EXIF orientation."""

    hash: int | None
    is_rotated: bool = False


def compute(data: bytes) -> ImageHash:
    """Compute the hash of a valid image; raises nothing but MemoryError."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            is_rotated = image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT) != _UPRIGHT
            image.draft("L", (2 * SIDE, 2 * SIDE))  # decode a JPEG at about an eighth of its size
            gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except MemoryError:
        raise
    except Exception:  # Pillow's decoders raise any exception; such an image is a duplicate of none
        return ImageHash(None)
    frequencies = (_COSINES @ np.asarray(gray, dtype=np.float32) @ _COSINES.T).ravel()[1:]
    if np.median(np.abs(frequencies)) < MIN_MEDIAN:
        return ImageHash(None, is_rotated)
    return ImageHash(int(_WEIGHTS[frequencies > np.median(frequencies)].sum()), is_rotated)


HEADER = b"sha256,hash,turned\n"
BATCH = 256
"""Images between two writes; at most so many are hashed again after a killed run."""
MANY = 2_000
"""From this number of images on, hashing takes long enough for a message."""
_LINE = re.compile(rb"([0-9a-f]{64}),([0-9a-f]{16})?,([01])\r?\n")


def read(path: Path) -> dict[str, ImageHash]:
    """Read the hashes, by checksum, in the order first seen.

    Raises
    ------
    DiskError, FolderError
        If the file exists and cannot be read.
    """
    hashes: dict[str, ImageHash] = {}
    with wrap_os_errors(path):
        try:
            with path.open("rb") as file:
                for line in file:
                    if found := _LINE.fullmatch(line):
                        bits = int(found[2], 16) if found[2] else None
                        hashes.setdefault(found[1].decode(), ImageHash(bits, found[3] == b"1"))
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
    new = [(checksum, image) for checksum, image in images.items() if checksum not in hashes]
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
        data = path.read_bytes()
    return compute(data)


def _append(path: Path, hashes: Mapping[str, ImageHash]) -> None:
    with wrap_os_errors(path), path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            file.write(HEADER)
        else:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # the last line is incomplete
                file.write(b"\n")
        for checksum, one in hashes.items():
            digits = "" if one.hash is None else f"{one.hash:016x}"
            file.write(f"{checksum},{digits},{int(one.is_rotated)}\n".encode())
