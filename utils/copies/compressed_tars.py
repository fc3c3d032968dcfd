"""Tars compressed with gzip, which can only be read from the front.

One pass lists all members, and unpacks those of the selected categories into a temporary file, from which
workers read them. It is needed again only if images of it are missing.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gzip
import hashlib
import itertools
import json
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from ..files import atomic_file, read_json, write_atomic
from ..tar_reader import GZIP_MAGIC, READ_ERRORS, TarFile, iter_files, iter_nested
from .members import Member, classify
from .reader import MAX_READ_BYTES, Reader
from .tar_files import MAX_MEMBERS, PEEKED, RangeImage, TarOfTars, TarReader, entries, is_category_tar

_PEEKED_BYTES = 8_000_000
_MAX_BYTES = 10**13
_DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class StoppedError(Exception):
    """The pass was stopped."""


class CompressedTar(Reader):
    """A compressed tar of images, annotations, labels or the tars of categories.

    Attributes
    ----------
    wanted
        The categories (wnids) to unpack; members without a category are unpacked, too.
    folder
        The folder for unpacked members, which must exist.
    stopped
        Whether a pass is to end at once.
    """

    layout = ("compressed tar", "compressed tars")

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        self.wanted: Collection[str] = ()
        self.folder = path.parent
        self.stopped = False
        self._lock = threading.Lock()
        self._places: dict[str, list[int]] = {}

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Whether one of the files at its beginning is of use."""
        if not start.startswith(GZIP_MAGIC):
            return False
        with contextlib.suppress(*READ_ERRORS), gzip.open(path) as file:
            peeked = itertools.islice(entries(file, 0, _PEEKED_BYTES), PEEKED)
            return any(TarReader.fits(one) or TarOfTars.fits(one) for one in peeked)
        return False

    @property
    def is_unpacked(self) -> bool:
        """Whether the wanted members can be read, because this or an interrupted run has unpacked them."""
        if not self._places:
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                content = read_json(self._places_file)
                if self._unpacked.stat().st_size == content["size"]:
                    self._places = content["places"]
        return bool(self._places)

    def scan(self) -> Iterator[Member]:
        """Yield all members, and unpack the wanted ones.

        Raises
        ------
        StoppedError
            If the pass was stopped.
        OSError
            If they cannot be unpacked.
        """
        places: dict[str, list[int]] = {}
        with atomic_file(self._unpacked) as unpacked:
            try:
                for name, file in self._files():
                    if self.stopped:
                        raise StoppedError
                    member = classify(name)
                    if member is None:
                        continue
                    if not member.code or member.code in self.wanted:
                        places[name] = [unpacked.tell(), file.size]
                        _copy(file, unpacked)
                    yield member
            except READ_ERRORS as error:
                if isinstance(error, OSError) and error.errno in _DISK_FULL:
                    raise
                self.add_error(error, f"it is damaged ({error})")
            size = unpacked.tell()
        write_atomic(self._places_file, json.dumps({"size": size, "places": places}).encode())

    def unpack(self) -> None:
        """Unpack the wanted members, unless another thread has done that; see `scan`."""
        with self._lock:
            if not self.is_unpacked:
                for _member in self.scan():
                    pass

    def discard(self) -> None:
        """Delete what was unpacked."""
        for path in self.unpacked_files:
            path.unlink(missing_ok=True)

    def image(self, member: Member) -> RangeImage:
        """Return an unpacked member as workers read it."""
        offset, size = self._places[member.name] if self.is_unpacked else (0, 0)
        return RangeImage(self._unpacked, offset, size)

    def read(self, member: Member) -> bytes:
        """Read a member, after a pass if that is necessary; see `LocalImage.read`."""
        self.unpack()
        return self.image(member).read()

    @property
    def unpacked_files(self) -> tuple[Path, Path]:
        """The files in `folder`, which may not exist."""
        return self._unpacked, self._places_file

    @functools.cached_property
    def _unpacked(self) -> Path:
        status = self.path.stat()
        contents = f"{self.path} {status.st_size} {status.st_mtime_ns} {sorted(self.wanted)}"
        return self.folder / hashlib.sha256(contents.encode(errors="surrogateescape")).hexdigest()[:24]

    @property
    def _places_file(self) -> Path:
        return self._unpacked.with_suffix(".json")

    def _files(self) -> Iterator[tuple[str, TarFile]]:
        """Yield all files with their paths, and those in the tars of categories."""
        with self.path.open("rb") as file:
            for one in iter_files(file, max_bytes=_MAX_BYTES, max_members=MAX_MEMBERS):
                self.position = file.tell()
                path = one.path.removeprefix("./")
                if not is_category_tar(one.name):
                    yield path, one
                    continue
                try:
                    for image in iter_nested(one):
                        self.position = file.tell()
                        yield f"{path.removesuffix('.tar')}/{image.path}", image
                except (EOFError, ValueError) as error:
                    self.add_problem(f"{path}: {error}")


def _copy(file: TarFile, target: BinaryIO) -> None:
    """Copy the content of a file; of one that is too large only the beginning."""
    left = min(file.size, MAX_READ_BYTES)
    while left:
        chunk = file.read(min(left, 1 << 18))
        target.write(chunk)
        left -= len(chunk)
