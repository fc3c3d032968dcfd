"""Index of a folder: the members of files that take long to scan, in an SQLite database in the user's cache.

A file is scanned again if its size or modification time differs. A damaged database is replaced; if none
can be written, it is kept in memory for the run.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..machine import cache_folder
from .members import Kind, Member
from .reader import Reader

VERSION = 3
BUSY_TIMEOUT = 60.0
"""Seconds for which another run may be writing the same index."""
CACHE_KB = 64_000
"""Memory for the pages of a database. Codes are inserted in random order; ImageNet-22k gives 1.4 GB."""
PROGRESS_SECONDS = 10.0
"""Time between two reports of the number of files that were scanned."""
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
    """A member, and the name of its file in the folder."""

    file: str
    member: Member


class Index:
    """The index of the files in one folder.

    Parameters
    ----------
    folder
        The path, which gives the database its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = _open_in_cache(folder)
        self._files: Mapping[str, Sequence[Reader]] = {}
        self._on_scan: Callable[[int, float], None]

    def update(self, files: Mapping[str, Sequence[Reader]], on_scan: Callable[[int, float], None]) -> None:
        """Scan the files that are new or have changed; a damaged database is replaced by one in memory.

        Parameters
        ----------
        files
            The readers of each file, by its name in the folder. The index keeps other files of the folder.
        on_scan
            Called with the number of these files and the share of their bytes that was scanned: before the
            first of them is scanned, and every `PROGRESS_SECONDS`.
        """
        self._files, self._on_scan = files, on_scan
        try:
            self._update()
        except _DAMAGED:
            self._replace()

    def _replace(self) -> None:
        self._database.close()
        self._database = _open(_IN_MEMORY)
        self._update()

    def _update(self) -> None:
        known = {
            os.fsdecode(name): (size, modified)
            for name, size, modified in self._database.execute("SELECT name, size, modified FROM file")
        }
        readers = {name: same[0] for name, same in self._files.items()}
        stamps = {name: _stamp(reader.path) for name, reader in readers.items()}
        with self._database:
            others = (name for name in known if name not in stamps)
            gone = [(os.fsencode(name),) for name in others if not os.path.lexists(self._folder / name)]
            self._database.executemany(
                "DELETE FROM member WHERE file IN (SELECT id FROM file WHERE name = ?)", gone
            )
            self._database.executemany("DELETE FROM file WHERE name = ?", gone)
        new = [name for name in readers if known.get(name) != stamps[name]]
        total = max(1, sum(stamps[name][0] for name in new))
        before, reported = 0, -math.inf

        def report(position: int) -> None:
            nonlocal reported
            if time.monotonic() - reported >= PROGRESS_SECONDS:
                self._on_scan(len(new), (before + position) / total)
                reported = time.monotonic()

        for name in new:
            report(0)
            self._scan(name, readers[name], stamp=stamps[name], report=report)
            before += stamps[name][0]
        problems = dict(self._database.execute("SELECT name, problems FROM file"))
        for name, same in self._files.items():
            for reader in same:
                reader.faults = json.loads(problems[os.fsencode(name)])

    def members(self, code: str) -> list[IndexedMember]:
        """Return the members of a category; with an empty code, those whose path tells no category."""
        found = self._select(
            "SELECT file.name, kind, image_code, member.name, a, b, c "
            "FROM member JOIN file ON file.id = member.file WHERE code = ?",
            (code,),
        )
        return [
            IndexedMember(os.fsdecode(file), Member(Kind(kind), code, image_code, name, (a, b, c)))
            for file, kind, image_code, name, a, b, c in found
        ]

    def files(self, code: str) -> list[str]:
        """Return the names of the files that have images of a category."""
        found = self._select(
            "SELECT DISTINCT file.name FROM member JOIN file ON file.id = member.file "
            "WHERE code = ? AND kind = ?",
            (code, int(Kind.IMAGE)),
        )
        return [os.fsdecode(name) for (name,) in found]

    def _select(self, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, parameters).fetchall()
        except _DAMAGED:
            self._replace()
            return self._database.execute(query, parameters).fetchall()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _scan(
        self, name: str, reader: Reader, *, stamp: tuple[int, int], report: Callable[[int], None]
    ) -> None:
        def members() -> Iterator[Member]:
            for one in reader.scan():
                report(reader.position)
                yield one

        key = os.fsencode(name)
        with self._database:  # nothing of it is kept if it is interrupted
            delete = "DELETE FROM member WHERE file IN (SELECT id FROM file WHERE name = ?)"
            self._database.execute(delete, (key,))
            cursor = self._database.execute(
                "INSERT OR REPLACE INTO file (name, size, modified) VALUES (?, ?, ?)", (key, *stamp)
            )
            self._database.executemany(
                "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (cursor.lastrowid, one.code, int(one.kind), one.image_code, one.name, *one.place)
                    for one in members()
                ),
            )
            modified = _SCAN_AGAIN if reader.is_incomplete else stamp[1]
            self._database.execute(
                "UPDATE file SET problems = ?, modified = ? WHERE name = ?",
                (json.dumps(reader.faults), modified, key),
            )


def _stamp(path: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds; zeros if the file is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _open_in_cache(folder: Path) -> sqlite3.Connection:
    name = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:24]
    try:
        cache = cache_folder() / "copies"
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / f"{name}.sqlite"
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
        database.execute("PRAGMA synchronous = OFF")  # a damaged index is made anew
        database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
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
