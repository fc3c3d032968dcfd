"""`.fingerprints.csv`: perceptual hashes of images, kept in the result folder in the order first seen.

A line has the checksum, the hash (16 hex digits, empty for a flat image), and 1 if the image has an EXIF
orientation. Lines are only appended. Incomplete and foreign lines are ignored, and line ends may be those of
Windows.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from ..errors import wrap_os_errors
from .image_hash import ImageHash, compute

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


def update(path: Path, images: Mapping[str, Path], say: Callable[[str], None]) -> dict[str, ImageHash]:
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
        say(f"Hashing {len(new):,} images to find near-duplicates (only once) ...")
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
