"""The part of a file that has arrived, and the note beside it that says what it is a part of.

This module alone knows `<target>.part` and `<target>.part.json`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import OneSourceError
from ..files import write_atomic

PART_SUFFIX, NOTE_SUFFIX = ".part", ".part.json"


@dataclass(frozen=True)
class Note:
    """What a part is a part of.

    Attributes
    ----------
    url
        Where the whole file is.
    etag, modified
        The headers `ETag` and `Last-Modified` with which it came; empty without.
    size
        Of the whole file in bytes, 0 if the server did not say.
    """

    url: str
    etag: str = ""
    modified: str = ""
    size: int = 0

    @property
    def validator(self) -> str:
        """By which the server tells whether its file is still the same; a weak ETag cannot serve."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def may_be(self, other: Note) -> bool:
        """Whether nothing shows that the other is of another version."""
        if self.etag and other.etag:
            return self.etag == other.etag
        return not (self.modified and other.modified) or self.modified == other.modified


class PartFile:
    """A download on disk that is not whole yet.

    Attributes
    ----------
    path
        Where it grows.
    generation
        How often it has been begun anew: what lay in it before lies there no longer. Who has it open reads
        on in the old file, for the new one is another of the same name.
    """

    def __init__(self, target: Path, url: str) -> None:
        self._target = target
        self._url = url
        self.path = target.with_name(target.name + PART_SUFFIX)
        self.generation = 0
        self._note_path = target.with_name(target.name + NOTE_SUFFIX)
        self.note = self._read_note()

    def size(self) -> int:
        """Say how many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_whole(self) -> bool:
        """Whether as many bytes are there as the server named."""
        return 0 < self.note.size == self.size()

    def can_grow(self) -> bool:
        """Whether the rest can be asked for; without a validator the size must do, and the checksums."""
        return self.size() > 0 and bool(self.note.validator or self.note.size)

    def open(self, note: Note, begin: int) -> BinaryIO:
        """Open it for what arrives from byte `begin` on: its end, or 0, where all starts anew."""
        if not begin:  # before the new note is there: it must never stand beside bytes of the old file
            self.discard()
        write_atomic(self._note_path, json.dumps(asdict(note)).encode())
        self.note = note
        return self.path.open("ab")

    def discard(self) -> None:
        """Remove what has arrived."""
        self.note = Note(self._url)
        self.generation += 1
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    def require_sha1(self, expected: str) -> None:
        """Drop what has arrived if it has another checksum than expected, in hex; none is, if that is empty.

        Raises
        ------
        OneSourceError
            If it has.
        """
        if expected and (found := self._sha1()) != expected.lower():
            self.discard()
            raise OneSourceError(f"its SHA-1 is {found}, not {expected}")

    def finish(self) -> None:
        """Give the file its final name: it is whole."""
        self.path.replace(self._target)
        self._note_path.unlink(missing_ok=True)

    def _sha1(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        with self.path.open("rb") as part:
            while chunk := part.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def _read_note(self) -> Note:
        """Read the note; if none fits, the part is a part of nothing."""
        try:
            note = Note(**json.loads(self._note_path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return Note(self._url)
        sound = isinstance(note.size, int) and all(
            isinstance(text, str) for text in (note.etag, note.modified)
        )
        return note if sound and note.url == self._url else Note(self._url)
