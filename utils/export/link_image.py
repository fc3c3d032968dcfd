"""Images under the names that an export needs: hard links where the file system allows, else copies.

What most readers would stumble over is mended on the way, and only then is an image no link. A GIF becomes
a PNG of its first frame, for detectors know no GIF. A JPEG that asks to be turned (3 of 1,000 in ImageNet)
loses the metadata which say so: some readers turn it and others do not, and boxes belong to stored pixels.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..models.images import ImageFormat
from .dataset import Item
from .pixels import first_frame

_NOT_FOR_STEMS = re.compile(r"[^\w-]")  # lists of images are split at blanks, names in tars at dots
_START_OF_SCAN, _METADATA = 0xDA, 0xE1


def stems(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """Give each image a name without extension that no other of them has, in any case.

    It is the image code; where several share one (other bytes came from their URLs), the category's code
    stands before it.
    """
    plain = [_NOT_FOR_STEMS.sub("_", item.sample.path.stem) for item in items]
    counts = Counter(stem.casefold() for stem in plain)
    taken: set[str] = set()
    for stem, item in zip(plain, items, strict=True):
        is_shared = counts[stem.casefold()] > 1
        yield _unique(f"{item.wnid}-{stem}" if is_shared else stem, taken), item


def put(item: Item, folder: Path, stem: str, extension: str = "") -> str:
    """Place an image in a folder of an export, and give its name there.

    Parameters
    ----------
    extension
        With its dot, whatever the image is; else the image's own.

    Raises
    ------
    OSError
        If it cannot be placed.
    """
    name = f"{stem}{extension or _extension(item)}"
    changed = mended(item)
    if changed is None:
        link_or_copy(item.sample.path, folder / name)
    else:
        (folder / name).write_bytes(changed)
    return name


def mended(item: Item) -> bytes | None:
    """Give the bytes of an image that is not exported as it is; None for all others."""
    kind = item.sample.picture.format
    if kind is ImageFormat.GIF:
        return first_frame(item.sample.path.read_bytes())
    if kind is ImageFormat.JPEG and item.is_turned:
        return without_metadata(item.sample.path.read_bytes())
    return None


def link_or_copy(source: Path, target: Path) -> None:
    """Place a file under a second name.

    Raises
    ------
    OSError
        If it can neither be linked nor copied.
    """
    with contextlib.suppress(OSError):  # another disk, no permission, too many links already
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def without_metadata(jpeg: bytes) -> bytes:
    """Leave out the segments of a JPEG that hold EXIF and XMP; every pixel stays."""
    kept, place = bytearray(jpeg[:2]), 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF and jpeg[place + 1] != _START_OF_SCAN:
        size = 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if jpeg[place + 1] == 0xFF:  # a byte of padding
            size = 1
        elif jpeg[place + 1] != _METADATA:
            kept += jpeg[place : place + size]
        place += size
    return bytes(kept + jpeg[place:])


def _extension(item: Item) -> str:
    return ".png" if item.sample.picture.format is ImageFormat.GIF else item.sample.path.suffix


def _unique(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name
