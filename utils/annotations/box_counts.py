"""Counts the images with bounding boxes in each category's archive.

The counts are cached in a file beside the archives. An archive whose size or modification time has changed is
counted again. The cache is optional: if it is damaged or cannot be written, all archives are counted again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import read_json, write_atomic
from ..tar_reader import READ_ERRORS
from .archives import find_archive, iter_xml_files

CACHE_NAME = ".annotated_images.json"
VERSION = 1
SLOW_COUNT = 100
"""Number of archives whose reading takes noticeably long (some milliseconds each)."""

_ANY_WRITE_PERMISSION = 0o222


def count(
    folder: Path, codes: Iterable[str], *, on_slow: Callable[[int], None], save: bool = True
) -> dict[str, int]:
    """Count the annotated images in the archive or folder of each category.

    Parameters
    ----------
    folder
        Contains the archives.
    codes
        The wnids.
    on_slow
        Called once with the number of archives to read, if these are at least `SLOW_COUNT`.
    save
        Whether to update the cache.

    Returns
    -------
    dict of str to int
        By wnid. Categories without archive are left out; of a damaged archive, readable files are counted.
    """
    paths = {code: path for code in codes if (path := find_archive(folder, code))}
    cached = _load(folder)
    unread = [path for path in paths.values() if cached.get(path.name, [])[:2] != _fingerprint(path)]
    if len(unread) >= SLOW_COUNT:
        on_slow(len(unread))
    try:
        for path in unread:
            cached[path.name] = [*_fingerprint(path), _count_images(path)]
    finally:  # also when interrupted
        if unread and save and can_save(folder):
            _save(folder, cached)
    return {code: cached[path.name][2] for code, path in paths.items()}


def _fingerprint(path: Path) -> list[int]:
    """Return size in bytes and modification time in ns; negative for a folder, which is not cached."""
    status = path.stat()
    return [-1, -1] if path.is_dir() else [status.st_size, status.st_mtime_ns]


def _count_images(path: Path) -> int:
    image_codes = set()
    with contextlib.suppress(*READ_ERRORS):
        for file in iter_xml_files(path):
            image_codes.add(file.image_code)
    return len(image_codes)


def _load(folder: Path) -> dict[str, list[int]]:
    """Read the cache: size, time and number of images by the name of the archive."""
    try:
        content = read_json(folder / CACHE_NAME)
        counts = content["counts"] if content["format"] == VERSION else {}
        return {name: entry for name, entry in counts.items() if _is_valid(entry)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def can_save(folder: Path) -> bool:
    """Whether counts can be saved beside the archives."""
    is_writable = folder.stat().st_mode & _ANY_WRITE_PERMISSION  # respected even if the user is root
    return bool(is_writable) and os.access(folder, os.W_OK)


def _save(folder: Path, counts: dict[str, list[int]]) -> None:
    content = {
        "format": VERSION,
        "counts": {name: entry for name, entry in counts.items() if _is_valid(entry)},
    }
    with contextlib.suppress(OSError):
        write_atomic(folder / CACHE_NAME, json.dumps(content).encode())


def _is_valid(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 3
        and all(isinstance(number, int) and number >= 0 for number in entry)
    )
