"""Index of a copy: the members of files that take long to scan, in an SQLite database in the user's cache.

A file is scanned again if its size or modification time differs. A damaged database is replaced; if none
can be written, it is kept in memory for the run.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..machine import cache_folder
from .members import Kind, Member
from .reader import Reader

VERSION = 2
BUSY_TIMEOUT = 60.0
"""Seconds for which another run may be writing the same index."""
_SCAN_AGAIN = -1
"""In place of the modification time of a file whose scan was ended by an error that may pass."""
_IN_MEMORY = ":memory:"
_DAMAGED = (sqlite3.DatabaseError, ValueError, TypeError)
"""Errors of reading a damaged database; the last two of its contents."""
_TABLES = (
    "CREATE TABLE file (id INTEGER PRIMARY KEY, name BLOB UNIQUE, size INT, modified INT, problems TEXT)",
    "CREATE TABLE member (file INT, code TEXT, kind INT, image_code TEXT, name TEXT, a INT, b INT, c INT)",
    "CREATE INDEX by_code ON member (code)",
    "CREATE INDEX by_file ON member (file)",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True)
class IndexedMember:
    """A member, and the name of its file in the copy."""

    file: str
    member: Member


class Index:
    """The index of one copy.

    Parameters
    ----------
    copy
        The path of the copy, which gives the database its name.
    """

    def __init__(self, copy: Path) -> None:
        self._database = _open_in_cache(copy)
        self._readers: Sequence[Reader] = ()
        self._on_scan: Callable[[int], None]

    def update(self, readers: Sequence[Reader], on_scan: Callable[[int], None]) -> None:
        """Scan the files that are new or have changed; a damaged database is replaced by one in memory.

        Parameters
        ----------
        on_scan
            Called with the number of these files before the first of them is scanned.
        """
        self._readers, self._on_scan = readers, on_scan
        try:
            self._update()
        except _DAMAGED:
            self._replace()

    def _replace(self) -> None:
        self._database.close()
        self._database = _open(_IN_MEMORY)
        self._update()

    def _update(self) -> None:
        readers = self._readers
        known = {
            os.fsdecode(name): (size, modified)
            for name, size, modified in self._database.execute("SELECT name, size, modified FROM file")
        }
        stamps = {reader.name: _stamp(reader.path) for reader in readers}
        with self._database:
            gone = [(os.fsencode(name),) for name in known if name not in stamps]
            self._database.executemany(
                "DELETE FROM member WHERE file IN (SELECT id FROM file WHERE name = ?)", gone
            )
            self._database.executemany("DELETE FROM file WHERE name = ?", gone)
        new = [one for one in readers if known.get(one.name) != stamps[one.name]]
        if new:
            self._on_scan(len(new))
        for reader in new:
            self._scan(reader, stamps[reader.name])
        problems = dict(self._database.execute("SELECT name, problems FROM file"))
        for reader in readers:
            reader.problems = json.loads(problems[os.fsencode(reader.name)])

    def members(self, code: str) -> list[IndexedMember]:
        """Return the members of a category; with an empty code, those whose path tells no category."""
        try:
            return self._members(code)
        except _DAMAGED:
            self._replace()
            return self._members(code)

    def _members(self, code: str) -> list[IndexedMember]:
        found = self._database.execute(
            "SELECT file.name, kind, image_code, member.name, a, b, c "
            "FROM member JOIN file ON file.id = member.file WHERE code = ?",
            (code,),
        )
        return [
            IndexedMember(os.fsdecode(file), Member(Kind(kind), code, image_code, name, (a, b, c)))
            for file, kind, image_code, name, a, b, c in found
        ]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _scan(self, reader: Reader, stamp: tuple[int, int]) -> None:
        with self._database:  # nothing of it is kept if it is interrupted
            delete = "DELETE FROM member WHERE file IN (SELECT id FROM file WHERE name = ?)"
            name = os.fsencode(reader.name)
            self._database.execute(delete, (name,))
            cursor = self._database.execute(
                "INSERT OR REPLACE INTO file (name, size, modified) VALUES (?, ?, ?)", (name, *stamp)
            )
            self._database.executemany(
                "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (cursor.lastrowid, one.code, int(one.kind), one.image_code, one.name, *one.place)
                    for one in reader.scan()
                ),
            )
            modified = _SCAN_AGAIN if reader.is_incomplete else stamp[1]
            self._database.execute(
                "UPDATE file SET problems = ?, modified = ? WHERE name = ?",
                (json.dumps(reader.problems), modified, name),
            )


def _stamp(path: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds; zeros if the file is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _open_in_cache(copy: Path) -> sqlite3.Connection:
    name = hashlib.sha256(str(copy.resolve()).encode(errors="surrogateescape")).hexdigest()[:24]
    try:
        folder = cache_folder() / "copies"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.sqlite"
        try:
            return _open(str(path))
        except _DAMAGED:
            path.unlink(missing_ok=True)
            return _open(str(path))
    except (OSError, RuntimeError, sqlite3.Error):
        return _open(_IN_MEMORY)


def _open(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version != VERSION and tables:
            raise sqlite3.DatabaseError("another version")
        if not tables:
            with database:
                for statement in _TABLES:
                    database.execute(statement)
    except (sqlite3.Error, ValueError):
        database.close()
        raise
    return database
