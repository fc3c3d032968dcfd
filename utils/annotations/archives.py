"""Finds and reads the XML files of a category, in an archive or a folder.

::

    <folder>/<code>.tar.gz  or  <folder>/<code>.tar     .../<image code>.xml, at any depth
    <folder>/<code>/                                    the same files in a folder
    <folder>/Annotation/<code>/                         archives that were unpacked where they are

Archives are read as streams, never extracted. Only regular files are read, and only the last component of
their paths is used.
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

# The largest real archive unpacks to 5 MB, the largest XML file has about 10 KB.
MAX_XML_BYTES = 256 * 1024
MAX_ARCHIVE_BYTES = 32 * 1024 * 1024

UNPACKED = "Annotation"
_ARCHIVE_NAME = re.compile(r"n[0-9]{8}(\.tar(\.gz)?)?")
_XML_NAME = re.compile(r"(n[0-9]{8}_[0-9]{1,12})\.xml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class XmlFile:
    """The XML file of an image; `data` is empty if the file is too large."""

    image_code: str
    data: bytes


def find_archive(folder: Path, code: str) -> Path | None:
    """Return the archive or else the folder of a category; None if there is neither."""
    for path in (folder / f"{code}.tar.gz", folder / f"{code}.tar"):
        if path.is_file():
            return path
    return next((path for path in (folder / code, folder / UNPACKED / code) if path.is_dir()), None)


def has_archives(folder: Path) -> bool:
    """Whether a folder contains an archive or a folder with the name of a category."""
    with os.scandir(folder) as entries:
        return any(_ARCHIVE_NAME.fullmatch(entry.name) or entry.name == UNPACKED for entry in entries)


def iter_xml_files(path: Path) -> Iterator[XmlFile]:
    """Iterate over the XML files in an archive or folder that are named by an image code.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError
        If the archive is damaged or exceeds the limits (see `tar_reader.READ_ERRORS`).
    """
    if path.is_dir():
        yield from _iter_folder(path)
        return
    with path.open("rb") as archive:
        for file in iter_files(archive, max_bytes=MAX_ARCHIVE_BYTES):
            if match := _XML_NAME.fullmatch(file.name):
                yield XmlFile(match[1], file.read() if file.size <= MAX_XML_BYTES else b"")


def _iter_folder(path: Path) -> Iterator[XmlFile]:
    files = (Path(parent) / name for parent, _, names in os.walk(path) for name in sorted(names))
    for file in islice(files, MAX_MEMBERS):
        match = _XML_NAME.fullmatch(file.name)
        status = file.lstat()  # links could lead out of the folder
        if match and stat.S_ISREG(status.st_mode):
            yield XmlFile(match[1], file.read_bytes() if status.st_size <= MAX_XML_BYTES else b"")
