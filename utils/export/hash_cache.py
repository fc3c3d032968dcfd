"""What images look like, remembered in the result folder: one line each, in the order first seen.

This module alone knows the layout of `.fingerprints.csv`: sha256, hash (16 hex digits, empty for a flat
picture), and 1 for a picture that asks to be turned. Lines are only ever appended; one that is torn, or
is none of ours, counts as nothing. Line ends may be Windows', as editors and file shares leave them.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from ..errors import disk_error
from .pixels import ImageHash, look

HEADER = b"sha256,hash,turned\n"
BATCH = 256
"""Images between two writes: so few are looked at again after a run that was killed."""
MANY = 2_000
"""Images, from which on looking at them takes long enough to be mentioned."""
_LINE = re.compile(rb"([0-9a-f]{64}),([0-9a-f]{16})?,([01])\r?\n")


def read(path: Path) -> dict[str, ImageHash]:
    """Read what is remembered, by sha256, in the order first seen.

    Raises
    ------
    DiskError, FolderError
        If there is a file that cannot be read.
    """
    known: dict[str, ImageHash] = {}
    try:
        with path.open("rb") as file:
            for line in file:
                if found := _LINE.fullmatch(line):
                    seen = ImageHash(int(found[2], 16) if found[2] else None, found[3] == b"1")
                    known.setdefault(found[1].decode(), seen)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise disk_error(path, error) from error
    return known


def complete(path: Path, images: Mapping[str, Path], tell: Callable[[str], None]) -> dict[str, ImageHash]:
    """Look at images that are not known yet, and remember them; gives all that are known.

    Parameters
    ----------
    images
        Where each lies, by sha256.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or nothing can be remembered.
    """
    known = read(path)
    new = {sha256: image for sha256, image in images.items() if sha256 not in known}
    if len(new) >= MANY:
        tell(f"Looking at {len(new):,} images for near-duplicates, only this once ...")
    if new:
        for batch in _looked_at(new):
            _append(path, batch)
            known |= batch
    return known


def _looked_at(images: Mapping[str, Path]) -> Iterator[dict[str, ImageHash]]:
    waiting = iter(images.items())
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # odd metadata are no concern of ours
        while batch := dict(islice(waiting, BATCH)):
            yield dict(zip(batch, pool.map(_look, batch.values()), strict=True))


def _look(path: Path) -> ImageHash:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise disk_error(path, error) from error
    return look(data)


def _append(path: Path, batch: Mapping[str, ImageHash]) -> None:
    try:
        with path.open("ab+") as file:
            file.write(_beginning(file.seek(0, os.SEEK_END), path))
            file.writelines(_lines(batch))
    except OSError as error:
        raise disk_error(path, error) from error


def _beginning(size: int, path: Path) -> bytes:
    """Give what must stand before the next line: the header, or the end of a line that was torn."""
    if not size:
        return HEADER
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return b"" if file.read() == b"\n" else b"\n"


def _lines(batch: Mapping[str, ImageHash]) -> Iterable[bytes]:
    for sha256, seen in batch.items():
        digits = "" if seen.hash is None else f"{seen.hash:016x}"
        yield f"{sha256},{digits},{int(seen.is_turned)}\n".encode()
