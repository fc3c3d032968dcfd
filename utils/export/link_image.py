"""Image files in an export: hard links if the file system allows them, otherwise copies.

Images that readers do not show in the same way are rewritten (see `normalize`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import FolderError
from ..files import read_bytes
from ..models.images import ImageFormat
from ..results.exclusions import EXCLUDED_NAME
from .dataset import Item

MAX_STEM = 80
"""Bytes; with a wnid, a number and an extension they are fewer than the 100 that a tar allows."""
_NOT_IN_STEMS = re.compile(r"[^\w-]")  # lists of images are split at blanks, names in tars at dots


def unique_stems(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """Assign each image a file name without extension that is unique regardless of case.

    The name is the image code. If several images share one (their URLs returned different bytes), the wnid of
    the category is put before it. A photo of the user's own keeps its name, as far as it fits into a tar.
    """
    plain = [_plain_stem(item.record.path.stem) for item in items]
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


def _plain_stem(name: str) -> str:
    return _NOT_IN_STEMS.sub("_", name).encode()[:MAX_STEM].decode(errors="ignore")


def link_image(item: Item, folder: Path, stem: str, *, extension: str = "") -> str:
    """Link, copy or convert an image into a folder.

    Parameters
    ----------
    extension
        Extension with its dot, whatever the format is; empty for `.jpg` or `.png`.

    Returns
    -------
    str
        The name of the file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    is_jpeg = item.record.picture.format is ImageFormat.JPEG
    name = f"{stem}{extension or ('.jpg' if is_jpeg else '.png')}"
    data = converted(item)
    if data is None:
        link_or_copy(item.record.path, folder / name)
    else:
        (folder / name).write_bytes(data)
    return name


def converted(item: Item) -> bytes | None:
    """Return the new content of an image that is not exported as it is; None for all others.

    Raises
    ------
    OSError
        If it cannot be read.
    FolderError
        If it cannot be decoded.
    """
    stored, exported = item.record.picture, item.picture
    if not item.needs_rewrite and stored == exported:
        return None
    from . import normalize  # imported late: the command line needs only the names of formats

    path = item.record.path
    data = read_bytes(path)
    try:
        if stored == exported:
            return normalize.rewritten(data)
        return normalize.reduced(data, exported.width, exported.height)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise any exception
        raise FolderError(
            f"{path} cannot be exported: {error}. List {path.stem} in {EXCLUDED_NAME}, and run again."
        ) from error


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
