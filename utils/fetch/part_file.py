"""An incomplete download on disk: `<target>.part`, and its metadata in `<target>.part.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import OneSourceError
from ..files import open_file, read_json, write_atomic

PART_SUFFIX, INFO_SUFFIX = ".part", ".part.json"


@dataclass(frozen=True)
class FileInfo:
    """Metadata of a file on a server.

    Attributes
    ----------
    url
        Without credentials.
    etag, modified
        The headers `ETag` and `Last-Modified`; empty if missing.
    size
        In bytes, 0 if unknown.
    """

    url: str
    etag: str = ""
    modified: str = ""
    size: int = 0

    @property
    def validator(self) -> str:
        """The value for If-Range; a weak ETag cannot be used."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def may_be(self, other: FileInfo) -> bool:
        """Whether the other may be the same version of the file."""
        if self.etag and other.etag:
            return self.etag == other.etag
        return not (self.modified and other.modified) or self.modified == other.modified


class PartFile:
    """An incomplete download.

    Attributes
    ----------
    path
        The part file.
    info
        The metadata of the complete file.
    generation
        How often the part was started again. Each time it is a new file of the same name; a reader that has
        the old one open continues to read that.
    """

    def __init__(self, target: Path, url: str) -> None:
        self._target = target
        self._url = url
        self.path = target.with_name(target.name + PART_SUFFIX)
        self.generation = 0
        self._info_path = target.with_name(target.name + INFO_SUFFIX)
        self.info = self._read_info()

    def size(self) -> int:
        """Return the number of bytes on disk."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_complete(self) -> bool:
        """Whether all bytes are on disk; False if the server did not send a size."""
        return 0 < self.info.size == self.size()

    def is_resumable(self) -> bool:
        """Whether the rest can be requested; without a validator, size and checksums are compared."""
        return self.size() > 0 and bool(self.info.validator or self.info.size)

    def open(self, info: FileInfo, offset: int) -> BinaryIO:
        """Open the part to append from `offset`: its end, or 0 to start again."""
        if not offset:  # first: the new metadata must never be beside bytes of the old file
            self.discard()
        write_atomic(self._info_path, json.dumps(asdict(info)).encode())
        self.info = info
        return open_file(self.path, "ab")

    def discard(self) -> None:
        """Delete the part and its metadata."""
        self.info = FileInfo(self._url)
        self.generation += 1
        self.path.unlink(missing_ok=True)
        self._info_path.unlink(missing_ok=True)

    def check_sha1(self, expected: str) -> None:
        """Delete the part if it does not have this SHA-1 (hex; empty: not checked).

        Raises
        ------
        OneSourceError
            If it does not.
        """
        if not expected:
            return
        digest = hashlib.sha1(usedforsecurity=False)
        with open_file(self.path) as part:
            while chunk := part.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != expected.lower():
            self.discard()
            raise OneSourceError(f"its SHA-1 is {digest.hexdigest()}, not {expected}")

    def finish(self) -> None:
        """Give the complete file its final name."""
        self.path.replace(self._target)
        self._info_path.unlink(missing_ok=True)

    def _read_info(self) -> FileInfo:
        try:
            info = FileInfo(**read_json(self._info_path))
        except (OSError, ValueError, TypeError):
            return FileInfo(self._url)
        is_valid = (
            info.url == self._url
            and isinstance(info.size, int)
            and isinstance(info.etag, str)
            and isinstance(info.modified, str)
        )
        return info if is_valid else FileInfo(self._url)
