"""`.fingerprints.csv` in the result folder: perceptual hashes of images by checksum, each computed once.

NumPy and Pillow are loaded only if a hash is missing.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import wrap_os_errors
from ..files import append_lines, open_file, read_bytes


@dataclass(frozen=True, slots=True)
class ImageHash:
    """The hash of an image, and how it is exported.

    Attributes
    ----------
    hash
        Its 63 bits; None if the image is too flat, or cannot be decoded.
    needs_rewrite
        Whether exports contain a rewritten file (see `normalize`); None if that was not examined yet.
    is_outdated
        Whether the first version computed it, by which it may be missing; it has to be computed again.
    """

    hash: int | None
    needs_rewrite: bool | None = None
    is_outdated: bool = False


MAX_DISTANCE = 8
"""Bits in which the hashes of near-duplicates may differ.

Measured on 1,000 photographs of different ImageNet categories. Copies of 500 of them are found at this rate:
halved, shrunk to a third or to 100 pixels, enlarged by a half, saved with quality 20 or converted to gray:
100%; a fifth brighter: 99.8%; with 1% of each side cut off: 99.6%, 2%: 95.6%, 3%: 80%. Of the 499,500 pairs
of different photographs none is this similar. None differ in up to 10 bits either, 1 in up to 12, 26 in up to
14, 160 in up to 16: so 8 leaves a margin for the billion pairs of 50,000 images.
"""
HEADER = "sha256,hash,export\n"
BATCH = 128
"""Images between two writes: the most that have to be hashed again after a killed run."""
MANY = 2_000
"""From this number of images on, hashing takes long enough for a message."""
_LINE = re.compile(rb"([0-9a-f]{64}),([0-9a-f]{16})?,([01]|unknown|unchanged|rewritten)\r?\n")
_WORDS = {None: "unknown", False: "unchanged", True: "rewritten"}
_EXPORT = {word: needs_rewrite for needs_rewrite, word in _WORDS.items()}
"""The third column, and whether an image is rewritten. In lines of the first version it is 0 or 1."""


def read(path: Path) -> dict[str, ImageHash]:
    """Read the hashes, by checksum, in the order first seen; the last line of an image counts.

    Raises
    ------
    DiskError, FolderError
        If the file exists and cannot be read.
    """
    hashes: dict[str, ImageHash] = {}
    with wrap_os_errors(path), contextlib.suppress(FileNotFoundError), open_file(path) as file:
        for line in file:
            if found := _LINE.fullmatch(line):
                word = found[3].decode()
                bits = int(found[2], 16) if found[2] else None
                hashes[found[1].decode()] = ImageHash(bits, _EXPORT.get(word), is_outdated=word in "01")
    return hashes


def update(
    path: Path,
    images: Mapping[str, Path],
    print_line: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
    *,
    for_export: bool = False,
) -> dict[str, ImageHash]:
    """Compute the hashes that are missing, append them to the file, and return all of them.

    Parameters
    ----------
    images
        The file of each image, by checksum.
    stopped
        Whether to stop before all hashes are computed.
    for_export
        Whether `needs_rewrite` has to be known, too.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or the file cannot be written.
    """
    hashes = read(path)
    new = [
        (checksum, (file, hashes.get(checksum)))
        for checksum, file in images.items()
        if not _is_complete(hashes.get(checksum), for_export=for_export)
    ]
    if len(new) >= MANY:
        print_line(f"Hashing {len(new):,} images (only once) ...")
    waiting = iter(new)
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, about odd metadata
        while not stopped() and (batch := dict(islice(waiting, BATCH))):
            computed = dict(zip(batch, pool.map(_hash, batch.values()), strict=True))
            append(path, computed)
            hashes |= computed
    return hashes


def _is_complete(known: ImageHash | None, *, for_export: bool) -> bool:
    if known is None or known.is_outdated:
        return False
    return known.needs_rewrite is not None or not for_export


def _hash(file: tuple[Path, ImageHash | None]) -> ImageHash:
    from . import image_hash, normalize

    path, known = file
    with wrap_os_errors(path):
        data = read_bytes(path)
    if known is None or known.is_outdated:
        return image_hash.compute(data)
    return ImageHash(known.hash, normalize.needs_rewrite(data))


def append(path: Path, hashes: Mapping[str, ImageHash]) -> None:
    """Append hashes, by checksum.

    Raises
    ------
    DiskError, FolderError
        If the file cannot be written.
    """
    with wrap_os_errors(path):
        append_lines(path, HEADER, (_line(checksum, one) for checksum, one in hashes.items()))


def _line(checksum: str, one: ImageHash) -> str:
    digits = "" if one.hash is None else f"{one.hash:016x}"
    return f"{checksum},{digits},{_WORDS[one.needs_rewrite]}\n"
