"""How many images of a category have bounding boxes, without reading a box.

This module alone knows the side file beside the archives that remembers it. An archive of another size or
time is counted anew; a side file that is garbled, or cannot be written, costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from .. import files
from ..tar_reader import READ_ERRORS
from . import archives

SIDE_FILE = ".annotated_images.json"
VERSION = 1
_ANY_WRITE = 0o222
NOT_AT_ONCE = 100
"""Archives to be read, from which on that takes long enough to be mentioned (some milliseconds each)."""


def count(
    folder: Path, codes: Iterable[str], tell: Callable[[int], None], *, keep: bool = True
) -> dict[str, int]:
    """Count the images that the archive (or folder) of each category holds annotations for.

    Parameters
    ----------
    folder
        Of the archives.
    codes
        The wnids.
    tell
        Told once how many archives have to be read, if those are many.
    keep
        Whether the side file remembers what had to be counted.

    Returns
    -------
    dict of str to int
        Nothing of those that have no archive; of a damaged one, what can be read.
    """
    found = {code: path for code in codes if (path := archives.find(folder, code))}
    known = _load(folder)
    unread = [path for path in found.values() if known.get(path.name, [])[:2] != _stamp(path)]
    if len(unread) >= NOT_AT_ONCE:
        tell(len(unread))
    try:
        for path in unread:
            known[path.name] = [*_stamp(path), _counted(path)]
    finally:  # interrupted, too: what is counted needs no counting any more
        if unread and keep:
            _save(folder, known)
    return {code: known[path.name][2] for code, path in found.items()}


def _stamp(path: Path) -> list[int]:
    """Give an archive's size in bytes and its time in nanoseconds; a folder's would not tell of a change."""
    status = path.stat()
    return [-1, -1] if path.is_dir() else [status.st_size, status.st_mtime_ns]


def _counted(path: Path) -> int:
    image_codes = set()
    with contextlib.suppress(*READ_ERRORS):  # a run gets no further, either
        for member in archives.members(path):
            image_codes.add(member.image_code)
    return len(image_codes)


def _load(folder: Path) -> dict[str, list[int]]:
    """Read the side file: size, time and images of each archive; what is no such file holds nothing."""
    try:
        content = json.loads((folder / SIDE_FILE).read_bytes())
        counts = content["counts"] if content["format"] == VERSION else {}
        return {name: entry for name, entry in counts.items() if _can_be_kept(entry)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _save(folder: Path, counts: dict[str, list[int]]) -> None:
    kept = {name: entry for name, entry in counts.items() if _can_be_kept(entry)}
    if not folder.stat().st_mode & _ANY_WRITE:  # is not meant to be written to, not even by root
        return
    with contextlib.suppress(OSError):  # next time they are counted again
        files.write_atomic(folder / SIDE_FILE, json.dumps({"format": VERSION, "counts": kept}).encode())


def _can_be_kept(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 3
        and all(isinstance(number, int) and number >= 0 for number in entry)
    )
