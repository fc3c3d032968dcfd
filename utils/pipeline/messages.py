"""What the parent and its workers say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..models.fast_pickle import FastPickle
from ..models.tasks import ImageTask, Outcome, Redirect


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What is the same for all tasks of a run."""

    result_folder: Path
    timeout: float
    min_side: int
    honour_opt_out: bool
    with_annotation: bool
    transfers: int
    permit: Path | None = None
    """A file; once it is gone nothing more may be saved."""


@dataclass(frozen=True, slots=True)
class StartTasks:
    """Begin with these."""

    tasks: tuple[ImageTask, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """These, which were announced as ready, are wanted."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CancelTasks:
    """These are not needed any more; no answer is expected."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TaskFinished(FastPickle):
    """What came of one try of a task."""

    number: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TaskRedirected(FastPickle):
    """A task's image is elsewhere; whoever gave the task says when it is that host's turn."""

    number: int
    redirect: Redirect


@dataclass(frozen=True, slots=True)
class Ready:
    """A good image of a task with `ask_before_saving` is there, and waits to be wanted."""

    number: int


@dataclass(frozen=True, slots=True)
class WorkerUnusable:
    """A worker can work on nothing, and ends; `why` says what to do."""

    why: str


Command = StartTasks | Save | CancelTasks
Answer = TaskFinished | TaskRedirected | Ready
Message = list[Answer] | WorkerUnusable
"""What comes through the pipe; an empty list only says that the worker is there."""


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker died with these tasks; `killer` is the one whose bytes it was judging, if any."""

    numbers: tuple[int, ...]
    killer: int | None
