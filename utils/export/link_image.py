"""Image files in an export: hard links if the file system allows them, otherwise copies.

Two kinds of images are converted, since readers handle them differently. Of a GIF the first frame is written
as PNG, since detectors do not read GIF. From a JPEG with an EXIF orientation (3 of 1,000 in ImageNet) the
metadata are removed: some readers rotate such an image and others do not, but boxes refer to the stored
pixels.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..models.images import ImageFormat
from .dataset import Item

_NOT_IN_STEMS = re.compile(r"[^\w-]")  # lists of images are split at blanks, names in tars at dots
_START_OF_SCAN, _APP1 = 0xDA, 0xE1


def unique_stems(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """Assign each image a file name without extension that is unique regardless of case.

    The name is the image code. If several images share one (their URLs returned different bytes), the wnid of
    the category is put before it.
    """
    plain = [_NOT_IN_STEMS.sub("_", item.record.path.stem) for item in items]
    counts = Counter(stem.casefold() for stem in plain)
    taken: set[str] = set()
    for code, item in zip(plain, items, strict=True):
        name = stem = f"{item.wnid}-{code}" if counts[code.casefold()] > 1 else code
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{name}-{number}"
        taken.add(stem.casefold())
        yield stem, item


def link_image(item: Item, folder: Path, stem: str, *, extension: str = "") -> str:
    """Link, copy or convert an image into a folder.

    Parameters
    ----------
    extension
        Extension with its dot, whatever the format is; empty for that of the format.

    Returns
    -------
    str
        The name of the file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    is_gif = item.record.picture.format is ImageFormat.GIF
    name = f"{stem}{extension or ('.png' if is_gif else item.record.path.suffix)}"
    data = converted(item)
    if data is None:
        link_or_copy(item.record.path, folder / name)
    else:
        (folder / name).write_bytes(data)
    return name


def converted(item: Item) -> bytes | None:
    """Convert an image that is not exported as it is; None for all others."""
    kind = item.record.picture.format
    if kind is ImageFormat.GIF:
        return first_frame(item.record.path.read_bytes())
    if kind is ImageFormat.JPEG and item.is_rotated:
        return without_metadata(item.record.path.read_bytes())
    return None


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link to a file, or a copy if that is not possible.

    Raises
    ------
    OSError
        If neither is possible.
    """
    with contextlib.suppress(OSError):  # another file system, no permission, too many links
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def first_frame(gif: bytes) -> bytes:
    """Convert the first frame of a GIF to PNG, with equal pixels."""
    from PIL import Image  # imported late: the command line needs only the names of formats

    frame = io.BytesIO()
    with Image.open(io.BytesIO(gif)) as image:
        image.save(frame, "PNG")
    return frame.getvalue()


def without_metadata(jpeg: bytes) -> bytes:
    """Remove the EXIF and XMP segments of a JPEG; pixels do not change."""
    kept, offset = bytearray(jpeg[:2]), 2
    while offset + 4 <= len(jpeg) and jpeg[offset] == 0xFF and jpeg[offset + 1] != _START_OF_SCAN:
        size = 2 + int.from_bytes(jpeg[offset + 2 : offset + 4], "big")
        if jpeg[offset + 1] == 0xFF:  # padding
            size = 1
        elif jpeg[offset + 1] != _APP1:
            kept += jpeg[offset : offset + size]
        offset += size
    return bytes(kept + jpeg[offset:])
