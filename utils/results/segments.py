"""What became of a shard's URLs, as whoever works on it tells it: a piece of many journals.

It is read while it grows, and gets its name when nothing is added to it any more. It is taken into the
journals of its categories, and removed; one that a killed run left behind, by the next run, whatever that is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import FolderError, disk_error
from ..files import write_atomic
from ..models.tasks import Outcome
from . import journal_codec
from .journal import Journal
from .paths import CategoryFolder
from .shards import shard_folders

FOLDER = "folder"
"""The key that a segment's lines have, and a journal's have not: which category's folder it belongs to."""
READY = "ready"
"""The key of a line that names the tasks whose good images wait to be wanted."""
LAST_MOMENTS = 3.0
"""Seconds in which whoever works on a shard notices that it may not any more, and writes what it has."""
WAITING = "A run on several machines was cut off here. Waiting a moment for what is left of it ..."
WAITS = "What a run on several machines has left of it waits until then."


@dataclass
class Told:
    """What lines of a segment tell: outcomes, each with its category's folder, and numbers of tasks.

    Attributes
    ----------
    ready
        Those whose good images wait to be wanted.
    """

    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)


def append(path: Path, outcomes: Iterable[tuple[str, Outcome]], ready: Sequence[int] = ()) -> None:
    """Add what there is to tell; a segment is never made anew, for it may have been taken in.

    Raises
    ------
    FileNotFoundError
        If the segment is gone.
    DiskError, FolderError
        If it cannot be written.
    """
    try:
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags & ~os.O_CREAT)) as file:
            # Whoever wrote last may have died within a line.
            file.write(b"\n" + _spelled(outcomes) + (_spelled_ready(ready) if ready else b""))
    except OSError as error:
        if error.errno in journal_codec.GONE:
            raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
        raise disk_error(path, error) from error


def read(path: Path) -> list[tuple[str, Outcome]]:
    """Read the outcomes of a segment, each with its category's folder; none if it is not there.

    Raises
    ------
    DiskError, FolderError
        If it cannot be read.
    """
    try:
        return told(path.read_bytes().splitlines()).outcomes
    except OSError as error:
        if error.errno in journal_codec.GONE:
            return []
        raise disk_error(path, error) from error


def told(written: Iterable[bytes]) -> Told:
    """Read lines of a segment; those that are not ours, or torn, count as nothing."""
    found = Told()
    for line in written:
        record = journal_codec.parse(line)
        outcome = journal_codec.outcome(record, earlier=False)
        if outcome and record.get(FOLDER):
            found.outcomes.append((str(record[FOLDER]), outcome))
        ready = record.get(READY)
        found.ready += [one for one in ready if isinstance(one, int)] if isinstance(ready, list) else []
    return found


def take_in_left(result: Path, tell: Callable[[str], None]) -> None:
    """Take what runs on several machines have left behind into the journals.

    What is about a category whose folder cannot be worked with stays for a later run.

    Raises
    ------
    DiskError, FolderError
        If the disk takes nothing more, or what was taken in cannot be removed.
    """
    leases = [lease for folder in shard_folders(result) for lease in folder.leases()]
    for lease in leases:
        lease.unlink(missing_ok=True)
    if leases:
        tell(WAITING)
        time.sleep(LAST_MOMENTS)
    for folder in shard_folders(result):
        for segment in folder.segments():
            _take_in(segment, result, tell)
        folder.remove()


def _take_in(segment: Path, result: Path, tell: Callable[[str], None]) -> None:
    """Take a segment into the journals, and remove it; what they do not take stays in it."""
    try:
        told = read(segment)
    except FolderError as error:
        tell(str(error))
        return
    by_folder: dict[str, list[Outcome]] = {}
    for name, outcome in told:
        by_folder.setdefault(name, []).append(outcome)
    left: list[tuple[str, Outcome]] = []
    for name, outcomes in by_folder.items():
        folder = CategoryFolder(result / name)
        try:
            if folder.path.is_dir():  # else the user has thrown it away
                Journal(folder.journal).append_all(outcomes)
        except FolderError as error:
            tell(f"{name}: {error} {WAITS}")
            left += [(name, outcome) for outcome in outcomes]
    _leave(segment, left)


def _leave(segment: Path, left: Sequence[tuple[str, Outcome]]) -> None:
    try:
        if left:
            write_atomic(segment, _spelled(left))
        else:
            segment.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(segment, error) from error


def _spelled_ready(numbers: Sequence[int]) -> bytes:
    return f"{journal_codec.spell({READY: list(numbers)})}\n".encode()


def _spelled(outcomes: Iterable[tuple[str, Outcome]]) -> bytes:
    records = ({FOLDER: folder} | journal_codec.encode(outcome) for folder, outcome in outcomes)
    return "".join(f"{journal_codec.spell(record)}\n" for record in records).encode()
