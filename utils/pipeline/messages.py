"""Messages between the run and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..models.fast_pickle import FastPickle
from ..models.http_defaults import USER_AGENT
from ..models.tasks import ImageTask, Outcome, Redirect


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """Settings that are the same for all tasks of a run.

    Attributes
    ----------
    timeout
        Seconds for one attempt.
    min_side
        Pixels.
    idle_connections
        Connections that a worker keeps open for further URLs of the same hosts.
    """

    result_folder: Path
    timeout: float
    min_side: int
    honour_opt_out: bool
    with_annotation: bool
    user_agent: str = USER_AGENT
    idle_connections: int = 256


@dataclass(frozen=True, slots=True)
class StartTasks:
    """Start these tasks."""

    tasks: tuple[ImageTask, ...]


@dataclass(frozen=True, slots=True)
class CancelTasks:
    """Cancel these tasks; no event follows for them."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TaskFinished(FastPickle):
    """One attempt of a task has ended; a saved image is staged."""

    number: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TaskRedirected(FastPickle):
    """The image has another URL; the scheduler decides when its host gets the request."""

    number: int
    redirect: Redirect


@dataclass(frozen=True, slots=True)
class WorkerUnusable:
    """The worker cannot run any task and ends; `why` is a message for the user."""

    why: str


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker died with these tasks; `culprit` is the one whose bytes it was validating, if any."""

    numbers: tuple[int, ...]
    culprit: int | None


Command = StartTasks | CancelTasks
TaskEvent = TaskFinished | TaskRedirected
Event = TaskEvent | WorkerDied
Message = list[TaskEvent] | WorkerUnusable
"""A message of a worker; an empty list is a heartbeat."""
