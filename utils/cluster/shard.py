"""What the run and a shard's process send to each other.

A shard is a group of tasks, split by host, that runs on one Dask worker. Messages are pickled, and preceded
by their length where they go through a pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..models.tasks import Outcome
from ..pipeline.messages import WorkerConfig


@dataclass(frozen=True)
class Shard:
    """What a shard's process is started with; its tasks follow as commands.

    Attributes
    ----------
    batch_size, retries
        As for a run on one machine.
    parts
        Over how many shards the URLs of its hosts are spread, where that is more than one.
    parts_elsewhere
        By how many the limits of other hosts are divided, to which redirects may lead from many shards.
    """

    config: WorkerConfig
    batch_size: int
    retries: int
    hosts: frozenset[str]
    parts: Mapping[str, int]
    parts_elsewhere: int

    def parts_of(self, host: str) -> int:
        """Return by how many a host's limits are divided here."""
        return self.parts.get(host, 1) if host in self.hosts else self.parts_elsewhere


@dataclass(frozen=True)
class ShardEvents:
    """What a shard's process reports.

    Attributes
    ----------
    outcomes
        Of tasks that have ended, by their numbers.
    in_flight
        How many tasks it is working on.
    proxy_error
        See `TaskEvents`.
    error
        Class and sentence of the `DatasetError` that ended the process, if one did.
    """

    outcomes: tuple[tuple[int, Outcome], ...] = ()
    in_flight: int = 0
    proxy_error: str = ""
    error: tuple[str, str] | None = None
