"""The journal of a category: the results of all URLs, from which reports and statistics are made.

It is a file of JSON lines, to which outcomes are appended. The last line of a URL counts, so an image is
retracted by one more line. Each run begins with a line of its own, which separates its outcomes from those
of earlier runs. An incomplete last line of a killed run is cut off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import wrap_os_errors
from ..files import open_descriptor, open_file
from ..models.tasks import Outcome
from . import journal_codec

TAIL = 65_536
"""Bytes read at once from the end to find the last complete line."""
SMALL = 2_000_000
"""Bytes of a journal up to which its lines are kept in memory while it is read."""


def no_checkpoint() -> None:
    """Do nothing: the default checkpoint."""


class _Line(NamedTuple):
    """The offset of a line, and its record if the journal is small; sorted by the URL table's order."""

    position: int
    offset: int
    record: dict[str, Any] | None


class Journal:
    """The journal of one category, open for appending; the file is read once.

    Parameters
    ----------
    read_only
        Whether the file is not changed; appended outcomes are kept in memory only.

    Raises
    ------
    DiskError, FolderError
        By every method, if the file cannot be read or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._outcomes: dict[int, Outcome] | None = None
        if read_only:
            self._outcomes = _by_url(read_outcomes(path)) if path.exists() else {}
            return
        with wrap_os_errors(path):
            self._cut_incomplete_line()

    def begin_run(self) -> None:
        """Mark that all further lines are of this run."""
        if not self._read_only:
            self._outcomes = None
            self._write([{"run": datetime.now(timezone.utc).isoformat(timespec="seconds")}])

    def append(self, outcome: Outcome) -> None:
        """Record an outcome."""
        self.append_all([outcome])

    def append_all(self, outcomes: Sequence[Outcome]) -> None:
        """Record several outcomes with one write."""
        if not self._read_only:
            self._write(map(journal_codec.encode, outcomes))
        if self._outcomes is not None:
            self._outcomes.update(_by_url(outcomes))

    def outcomes(self, checkpoint: Callable[[], None] = no_checkpoint) -> Iterator[Outcome]:
        """Yield the last outcome of every URL, in the table's order; see `read_outcomes`."""
        if self._outcomes is None:
            self._outcomes = _by_url(read_outcomes(self._path, checkpoint))
        yield from sorted(self._outcomes.values(), key=lambda outcome: outcome.row.position)

    def _cut_incomplete_line(self) -> None:
        with open_file(self._path, "ab+") as file:  # creates the file
            end = complete = file.seek(0, os.SEEK_END)
            while complete:
                begin = max(0, complete - TAIL)
                file.seek(begin)
                newline = file.read(complete - begin).rfind(b"\n")
                if newline >= 0:
                    complete = begin + newline + 1
                    break
                complete = begin
            if complete < end:
                file.truncate(complete)

    def _write(self, records: Iterable[dict[str, Any]]) -> None:
        data = "".join(journal_codec.dumps(record) + "\n" for record in records).encode()
        with wrap_os_errors(self._path):
            # Opened each time: a run may have a thousand journals, more than it may have open files.
            descriptor = open_descriptor(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                while data:  # a nearly full disk takes only a part; the next call raises
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)


def read_outcomes(path: Path, checkpoint: Callable[[], None] = no_checkpoint) -> Iterator[Outcome]:
    """Yield the last outcome of every URL in a journal, in the table's order.

    Of large journals only the offsets of lines are kept in memory. Images of earlier runs are
    `already_present`.

    Parameters
    ----------
    checkpoint
        Called before every line is read; it may raise an exception to stop.

    Raises
    ------
    DiskError, FolderError
        If the journal cannot be read.
    """
    with wrap_os_errors(path):
        lines, last_run = _index(path, checkpoint)
        with open_file(path) as file:
            for line in sorted(lines.values()):
                checkpoint()
                record = line.record
                if record is None:
                    file.seek(line.offset)
                    record = journal_codec.parse(file.readline())
                outcome = journal_codec.decode(record, of_earlier_run=line.offset < last_run)
                if outcome:
                    yield outcome


def _by_url(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    return {hash(outcome.row.key): outcome for outcome in outcomes}


def _index(path: Path, checkpoint: Callable[[], None]) -> tuple[dict[int, _Line], int]:
    """Find the last line of every URL, by the hash of its key, and where the last run begins."""
    lines: dict[int, _Line] = {}
    last_run = offset = 0
    with open_file(path) as file:
        is_small = os.fstat(file.fileno()).st_size <= SMALL
        for line in file:
            checkpoint()
            record = journal_codec.parse(line)
            if "run" in record:
                last_run = offset
            elif record:
                key = f"{record['image_code']} {record['url']} {record.get('repeat', 0)}"
                lines[hash(key)] = _Line(record["position"], offset, record if is_small else None)
            offset += len(line)
    return lines, last_run
