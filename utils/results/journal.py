"""What became of every URL of a category, a line at once: the truth from which all numbers derive.

The journal is a file of JSON lines, appended and flushed as the outcomes come. The last line of an URL
counts, so an image is taken back by one more line. Each run that looks at the category begins with a line
of its own, by which images of earlier runs are told from those of this one. A torn last line, as a killed
run may leave it, is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import disk_error
from ..models.tasks import Outcome
from . import journal_codec

TAIL = 65_536
"""Bytes looked at from the end for the last whole line; a line has a few hundred."""
SMALL = 2_000_000
"""Bytes of a journal up to which its lines are kept in memory while it is read."""


def pass_by() -> None:
    """Do nothing at a checkpoint."""


@dataclass(frozen=True)
class _Places:
    """Where the lines that count lie; those before `last_run` were written by earlier runs.

    `by_url` is by the hash of each URL's key.
    """

    by_url: dict[int, _Place]
    last_run: int


class _Place(NamedTuple):
    """Where a line lies, and what it says where there are few; sorted by the URL table's order."""

    position: int
    offset: int
    record: dict[str, Any] | None


class Journal:
    """The journal of one category, open for appending; it reads its file once, and remembers.

    Parameters
    ----------
    read_only
        Whether what is noted is remembered by this object alone; the file stays as it is.

    Raises
    ------
    DiskError
        By every method, if the file cannot be read or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._outcomes: dict[int, Outcome] | None = None
        if read_only:
            self._outcomes = _by_url(read_outcomes(path)) if path.exists() else {}
            return
        try:
            path.touch()
            self._mend()
        except OSError as error:
            raise disk_error(path, error) from error

    def begin_run(self) -> None:
        """Mark that what follows is of this run."""
        if self._read_only:
            return
        self._outcomes = None
        self._write([{"run": datetime.now(timezone.utc).isoformat(timespec="seconds")}])

    def append(self, outcome: Outcome) -> None:
        """Note what became of an URL; it counts from now on."""
        self.append_all([outcome])

    def append_all(self, outcomes: Sequence[Outcome]) -> None:
        """Note what became of several URLs, in one go."""
        if not self._read_only:
            self._write(map(journal_codec.encode, outcomes))
        if self._outcomes is not None:
            self._outcomes.update(_by_url(outcomes))

    def outcomes(self, checkpoint: Callable[[], None] = pass_by) -> Iterator[Outcome]:
        """Yield the outcome that counts for every URL, in the table's order.

        `checkpoint` is called before every line that is read from the file; what it raises ends the reading.
        """
        if self._outcomes is None:
            self._outcomes = _by_url(read_outcomes(self._path, checkpoint))
        yield from sorted(self._outcomes.values(), key=lambda outcome: outcome.row.position)

    def _mend(self) -> None:
        """Cut a torn last line off, so that the next line begins on its own."""
        with self._path.open("rb") as file:
            end = whole = file.seek(0, os.SEEK_END)
            while whole:
                begin = max(0, whole - TAIL)
                file.seek(begin)
                newline = file.read(whole - begin).rfind(b"\n")
                if newline >= 0:
                    whole = begin + newline + 1
                    break
                whole = begin
        if whole < end:
            os.truncate(self._path, whole)

    def _write(self, records: Iterable[dict[str, Any]]) -> None:
        text = "".join(journal_codec.spell(record) + "\n" for record in records)
        try:
            # Opened each time: a run may have a thousand journals, and descriptors are few.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                _write_all(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise disk_error(self._path, error) from error


def read_outcomes(path: Path, checkpoint: Callable[[], None] = pass_by) -> Iterator[Outcome]:
    """Yield the outcome that counts for every URL in a journal, in the table's order.

    Only places are kept in memory, and what the lines of a small journal say. Images of earlier runs are
    `already_present`.

    Parameters
    ----------
    checkpoint
        Called before every line that is read; what it raises ends the reading.

    Raises
    ------
    DiskError
        If the journal cannot be read.
    """
    try:
        places = _places(path, checkpoint)
        with path.open("rb") as file:
            for place in sorted(places.by_url.values()):
                checkpoint()
                record = place.record or _record_at(file, place.offset)
                outcome = journal_codec.outcome(record, earlier=place.offset < places.last_run)
                if outcome:
                    yield outcome
    except OSError as error:
        raise disk_error(path, error) from error


def _by_url(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    return {hash(outcome.row.key): outcome for outcome in outcomes}


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written < len(data):  # nearly full: the rest says so itself, by an error
        _write_all(descriptor, data[written:])


def _record_at(file: BinaryIO, offset: int) -> dict[str, Any]:
    file.seek(offset)
    return journal_codec.record(file.readline())


def _places(path: Path, checkpoint: Callable[[], None]) -> _Places:
    by_url: dict[int, _Place] = {}
    last_run = offset = 0
    is_small = path.stat().st_size <= SMALL
    with path.open("rb") as file:
        for line in file:
            checkpoint()
            record = journal_codec.record(line)
            if "run" in record:
                last_run = offset
            elif record:
                key = f"{record['image_code']} {record['url']} {record.get('repeat', 0)}"
                by_url[hash(key)] = _Place(record["position"], offset, record if is_small else None)
            offset += len(line)
    return _Places(by_url, last_run)
