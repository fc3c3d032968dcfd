"""Keeps where a category's XML files come from: an archive or a folder, streamed, never extracted.

Every read is bounded, the stream only moves forward, and of a member's path nothing but its last part
is looked at. Links, devices and whatever else is no regular file are passed over.

::

    <folder>/<code>.tar.gz  or  <folder>/<code>.tar     .../<image code>.xml, at any depth
    <folder>/<code>/                                    the same as a folder
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..tar_reader import MAX_MEMBERS, iter_files

# The largest real archive has 3,691 members in 5 MB, the largest XML about 10 KB.
MAX_MEMBER_BYTES = 256 * 1024
MAX_TOTAL_BYTES = 32 * 1024 * 1024

_CATEGORY_NAME = re.compile(r"n[0-9]{8}(\.tar(\.gz)?)?")
_IMAGE_CODE_FILE = re.compile(r"(n[0-9]{8}_[0-9]{1,12})\.xml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class XmlMember:
    """An XML file: the image code that its name says, and its bytes (none if it is too large)."""

    image_code: str
    data: bytes


def find(folder: Path, code: str) -> Path | None:
    """Find where a category's XML files lie; an archive goes before a folder."""
    for path in (folder / f"{code}.tar.gz", folder / f"{code}.tar"):
        if path.is_file():
            return path
    return folder / code if (folder / code).is_dir() else None


def any_in(folder: Path) -> bool:
    """Say whether XML files of any category lie in a folder, as far as names tell."""
    with os.scandir(folder) as entries:
        return any(_CATEGORY_NAME.fullmatch(entry.name) for entry in entries)


def members(path: Path) -> Iterator[XmlMember]:
    """Go through the XML files of an archive or folder that are named by an image code.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError
        See `tar_reader.READ_ERRORS`: if the archive is damaged or exceeds the limits.
    """
    return _folder_members(path) if path.is_dir() else _archive_members(path)


def _folder_members(path: Path) -> Iterator[XmlMember]:
    files = (Path(parent) / name for parent, _, names in os.walk(path) for name in sorted(names))
    for file in islice(files, MAX_MEMBERS):
        image_code = _image_code(file.name)
        status = file.lstat()  # a link may lead out of the folder, and a pipe may never end
        if image_code and stat.S_ISREG(status.st_mode):
            yield XmlMember(image_code, file.read_bytes() if status.st_size <= MAX_MEMBER_BYTES else b"")


def _archive_members(path: Path) -> Iterator[XmlMember]:
    with path.open("rb") as file:
        for member in iter_files(file, max_bytes=MAX_TOTAL_BYTES):
            if image_code := _image_code(member.name):
                yield XmlMember(image_code, member.read() if member.size <= MAX_MEMBER_BYTES else b"")


def _image_code(name: str) -> str:
    """Return the image code that a file's name says, or "" if it is named otherwise."""
    found = _IMAGE_CODE_FILE.fullmatch(name.rpartition("/")[2])
    return found[1] if found else ""
