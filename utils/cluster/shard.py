"""Messages between the run and the process of a shard.

A shard is a group of tasks, split by host, that runs on one Dask worker. Messages are pickled, and preceded
by their length where they go through a pipe.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from ..models.hosts import LearnedLimit
from ..models.tasks import Outcome
from ..pipeline.messages import WorkerConfig
from ..scheduler.schedule import DEFAULT_PATIENCE


@dataclass(frozen=True)
class Shard:
    """The first message to a shard's process; its tasks follow as commands.

    The run has one without hosts, which describes all shards.

    Attributes
    ----------
    batch_size
        The maximum number of tasks in flight.
    retries
        As for a run on one machine.
    parts
        The number of shards that share a host, if there are several.
    parts_elsewhere
        The divisor for the limits of all other hosts, to which many shards may be redirected.
    learned
        What hosts allow that have refused requests, by their names.
    patience
        Seconds for which hosts that refuse requests are waited for.
    delivering_hosts
        The hosts that have delivered images.
    """

    config: WorkerConfig
    batch_size: int
    retries: int
    hosts: frozenset[str] = frozenset()
    parts: Mapping[str, int] = field(default_factory=dict)
    parts_elsewhere: int = 1
    learned: Mapping[str, LearnedLimit] = field(default_factory=dict)
    patience: float = DEFAULT_PATIENCE
    delivering_hosts: Set[str] = frozenset()

    def parts_of(self, host: str) -> int:
        """Return the number by which a host's limits are divided in this shard."""
        return self.parts.get(host, 1) if host in self.hosts else self.parts_elsewhere


@dataclass(frozen=True)
class ShardEvents:
    """A report of a shard's process.

    Attributes
    ----------
    outcomes
        Of tasks that have ended, by their numbers.
    in_flight
        The number of running tasks.
    proxy_error
        See `TaskEvents`.
    learned
        What hosts allow that have refused requests, by their names.
    notices
        Messages for the user.
    error
        Class and sentence of the `DatasetError` that ended the process, if one did.
    """

    outcomes: tuple[tuple[int, Outcome], ...] = ()
    in_flight: int = 0
    proxy_error: str = ""
    learned: Mapping[str, LearnedLimit] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    error: tuple[str, str] | None = None
