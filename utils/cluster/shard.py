"""What goes out to a machine, and the lease that it holds while it works on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..models.tasks import ImageTask
from ..pipeline.messages import WorkerConfig
from ..results.journal_codec import GONE
from ..results.shards import ShardFolder

HEARTBEAT = 0.5
"""Seconds between two signs of life; each is a look, too, whether the lease still holds."""
CHARACTERS = 64
"""The length of a heartbeat."""


@dataclass(frozen=True)
class Shard:
    """Tasks that one machine does together; while it works on them, it may get more by mail.

    Attributes
    ----------
    name
        Names it within a run.
    folder
        Where its lease, its mail and its segment lie.
    order, batch_size, retries
        What a run on one machine would be told.
    parts
        Over how many shards the URLs of its hosts are spread, where that is more than one.
    parts_elsewhere
        By how many the limits of other hosts are divided, to which redirects may lead from many shards.
    """

    name: str
    folder: Path
    order: WorkerConfig
    batch_size: int
    retries: int
    tasks: tuple[ImageTask, ...]
    hosts: frozenset[str]
    parts: Mapping[str, int]
    parts_elsewhere: int

    def parts_of(self, host: str) -> int:
        """Say by how many a host's limits are divided here."""
        return self.parts.get(host, 1) if host in self.hosts else self.parts_elsewhere


class Lease:
    """The permission to work on a shard: a file, which its holder keeps fresh and its giver may remove.

    Parameters
    ----------
    released
        Asked whether the holder is to stop for reasons of its own.
    """

    def __init__(self, shard: Shard, released: Callable[[], bool]) -> None:
        self._path = ShardFolder(shard.folder).lease(shard.name)
        self._released = released
        self._beats = 0
        self._beaten_at = -HEARTBEAT
        self._held = True

    @property
    def is_gone(self) -> bool:
        """Whether it was taken away, as far as is known."""
        return not self._held

    def holds(self, in_flight: int) -> bool:
        """Say whether the work may go on, and tell now and then how many images are being fetched."""
        now = time.monotonic()
        if self._held and now - self._beaten_at >= HEARTBEAT:
            self._beaten_at = now
            self._beats += 1
            self._held = self._beat(in_flight)
        return self._held and not self._released()

    def _beat(self, in_flight: int) -> bool:
        text = json.dumps([self._beats, in_flight])
        try:
            with self._path.open("r+") as file:  # never made anew: if it is gone, it was taken away
                file.write(f"{text:<{CHARACTERS}}")  # as long as any before: no rest of one stays behind
        except OSError as error:
            return error.errno not in GONE  # a full disk takes nothing back
        return True


def give(lease: Path) -> None:
    """Lay a lease down, with room for heartbeats.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    lease.write_text(" " * CHARACTERS)


@dataclass(frozen=True)
class Heard:
    """What a lease's holder last told: the number of its heartbeat, and how much it was fetching."""

    beat: int
    in_flight: int


def listen(lease: Path) -> Heard | None:
    """Read what a lease's holder has told; None if nobody holds it yet, or it was just being written."""
    try:
        beat, in_flight = json.loads(lease.read_text())
        return Heard(int(beat), int(in_flight))
    except (OSError, ValueError, TypeError):
        return None
