"""The workers: their pipes, their shares of the work, their deaths. The keeper of multiprocessing.

The processes are of our own making, for `multiprocessing.Pool` hangs for ever when one of its workers is
killed. They are spawned everywhere, so that Linux, macOS and Windows behave alike. A worker that dies is
replaced, and what it had is handed back; one that stands still keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from ctypes import c_longlong
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawValue
from typing import Protocol

from ..errors import WorkersLostError
from ..models.tasks import ImageTask
from .messages import (
    Answer,
    CancelTasks,
    Command,
    Message,
    Save,
    StartTasks,
    TaskFinished,
    TaskRedirected,
    WorkerConfig,
    WorkerDied,
    WorkerUnusable,
)
from .worker import Worker
from .worker_process import main

MOST_DEATHS = 5
"""Deaths in a row of no image that could be named, without one answer about a task in between, after which
there is no sense in going on."""
LONGEST_SILENCE = 30.0
"""Seconds after which a worker that says nothing hangs, and is killed; it is heard every second else."""
LAST_WORDS = 0.5
"""Seconds that workers have to end by themselves."""


class WorkerBackend(Protocol):
    """What does the work: a pool of processes, or this process alone; it is stopped where it is left."""

    def __enter__(self) -> WorkerBackend:
        """Begin."""

    def __exit__(self, *error: object) -> None:
        """Stop, if that has not been done."""

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Hand tasks out."""

    def save(self, number: int) -> None:
        """Tell that a ready image is wanted."""

    def drop(self, numbers: Sequence[int]) -> None:
        """Tell that tasks are not needed any more."""

    def exchange(self, timeout: float) -> list[Answer | WorkerDied]:
        """Wait at most `timeout` seconds for answers."""

    def stop(self) -> list[Answer | WorkerDied]:
        """End the work at once; what had been finished is still answered."""


class WorkerHandle:
    """One process, and what it has been given."""

    def __init__(self, order: WorkerConfig) -> None:
        context = multiprocessing.get_context("spawn")
        self.tasks: set[int] = set()
        self.has_spoken = False  # one that is still starting has nothing to lose
        self.unfit: str | None = None
        self.silence = 0.0
        self.connection, theirs = context.Pipe()
        self.judging: c_longlong = RawValue(c_longlong, -1)
        self.process = context.Process(target=main, args=(theirs, order, self.judging), daemon=True)
        self._outbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        with no_signals():  # the thread, too, shall leave them to the main one
            self.process.start()
            self._sender.start()
        theirs.close()

    def tell(self, command: Command | None) -> None:
        """Have something sent; None is the last."""
        self._outbox.put(command)

    def _send_all(self) -> None:
        """Send, on a thread of its own: if the worker stands still, and its pipe is full, this waits.

        A dead one's pipe is broken; its death is seen at the next exchange.
        """
        command: Command | None = StartTasks(())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while command is not None:
                command = self._outbox.get()
                self.connection.send(command)

    def hear(self) -> list[Answer] | None:
        """Receive one message; None when there will be no more."""
        try:
            answers: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.has_spoken = True
        self.silence = 0.0
        if isinstance(answers, WorkerUnusable):
            self.unfit = answers.why
            return []
        ended = (answer.number for answer in answers if isinstance(answer, (TaskFinished, TaskRedirected)))
        self.tasks.difference_update(ended)
        return answers

    def bury(self) -> WorkerDied:
        """Clear away after its end."""
        self.process.kill()
        self.process.join()
        self.tell(None)
        self._sender.join()  # it waits for nobody: the pipe's other end went with the process
        killer = self.judging.value if self.judging.value >= 0 else None
        self.connection.close()
        self.process.close()
        return WorkerDied(tuple(self.tasks), killer)


@contextlib.contextmanager
def no_signals() -> Iterator[None]:
    """Hold signals back: a process begins with them blocked, and cannot be hit before it ignores them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # else it would be started with the process, and unblock signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerPool:
    """Worker processes, each with its share of the images in flight."""

    def __init__(self, size: int, order: WorkerConfig) -> None:
        self._order = order
        self._deaths = 0
        self._members: list[WorkerHandle] = []
        try:
            for _ in range(size):
                self._members.append(WorkerHandle(order))
        except BaseException:  # else those that started would wait for ever
            self.stop()
            raise

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Hand tasks out, each to the worker that has least to do."""
        shares: dict[WorkerHandle, list[ImageTask]] = {}
        for task in tasks:
            member = min(self._members, key=lambda one: len(one.tasks))
            member.tasks.add(task.number)
            shares.setdefault(member, []).append(task)
        for member, share in shares.items():
            member.tell(StartTasks(tuple(share)))

    def save(self, number: int) -> None:
        """Tell the worker that has it that a ready image is wanted."""
        for member in self._members:
            if number in member.tasks:
                member.tell(Save((number,)))

    def drop(self, numbers: Sequence[int]) -> None:
        """Tell the workers that tasks are not needed any more."""
        for member in self._members:
            theirs = member.tasks.intersection(numbers)
            if theirs:
                member.tasks -= theirs
                member.tell(CancelTasks(tuple(theirs)))

    def exchange(self, timeout: float) -> list[Answer | WorkerDied]:
        """Wait at most `timeout` seconds for answers; those of one worker come in their order.

        Raises
        ------
        WorkersLostError
            If workers die again and again without getting anything done, or one says that none can work.
        """
        begun = time.monotonic()
        answers: list[Answer | WorkerDied] = []
        by_connection: dict[object, WorkerHandle] = {member.connection: member for member in self._members}
        for ready in wait([member.connection for member in self._members], timeout):
            answers += self._hear(by_connection[ready])
        self._end_silence(min(1.0, time.monotonic() - begun))  # no more, for all may have been suspended
        return answers

    def stop(self) -> list[Answer | WorkerDied]:
        """End all workers, within about a second."""
        for member in self._members:
            member.tell(None)
        answers: list[Answer | WorkerDied] = []
        deadline = time.monotonic() + LAST_WORDS
        for member in self._members:
            while member.has_spoken and member.connection.poll(max(0.0, deadline - time.monotonic())):
                heard = member.hear()
                if heard is None:
                    break
                answers += heard
        answers += [member.bury() for member in self._members]
        self._members = []
        return answers

    def _end_silence(self, seconds: float) -> None:
        """Kill workers that hang; their death is then heard like any other."""
        for member in self._members:
            member.silence += seconds
            if member.silence > LONGEST_SILENCE:
                member.process.kill()

    def _hear(self, member: WorkerHandle) -> list[Answer | WorkerDied]:
        heard = member.hear()
        if member.unfit:
            raise WorkersLostError(member.unfit)
        if heard is not None:
            self._deaths = 0 if heard else self._deaths  # that one is up says little: it may be about to die
            return list(heard)
        lost = member.bury()
        self._deaths += lost.killer is None  # the others had come as far as to judge
        self._members.remove(member)
        if self._deaths >= MOST_DEATHS:
            raise WorkersLostError(
                f"The worker processes died {self._deaths} times in a row without getting anything done. "
                "Perhaps memory is short: try a smaller --batch_size, or --parallel False."
            )
        self._members.append(WorkerHandle(self._order))
        return [lost]


class InProcessBackend:
    """The same work in this process: nothing in parallel, nothing to die but the run."""

    def __init__(self, order: WorkerConfig) -> None:
        self._worker = Worker(order, lambda _number: None)
        self._answers: list[Answer | WorkerDied] = []
        self._stopped = False

    def __enter__(self) -> InProcessBackend:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Begin with tasks."""
        self._answers += self._worker.obey(StartTasks(tuple(tasks)))

    def save(self, number: int) -> None:
        """Save a ready image."""
        self._answers += self._worker.obey(Save((number,)))

    def drop(self, numbers: Sequence[int]) -> None:
        """Forget tasks."""
        self._answers += self._worker.obey(CancelTasks(tuple(numbers)))

    def exchange(self, timeout: float) -> list[Answer | WorkerDied]:
        """Work for at most about `timeout` seconds, and say what ended."""
        answers, self._answers = self._answers, []
        answers += self._worker.turn(0.0 if answers else timeout)
        return answers

    def stop(self) -> list[Answer | WorkerDied]:
        """Give up what is under way."""
        if not self._stopped:
            self._stopped = True
            self._worker.close()
        answers, self._answers = self._answers, []
        return answers
