"""Backends of `LocalExecutor`: a pool of worker processes, or this process alone.

`multiprocessing.Pool` waits forever when one of its workers is killed, so the processes are managed here.
They are spawned everywhere: Linux, macOS and Windows behave alike. A worker that dies is replaced and its
tasks are reported; one that hangs is killed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_longlong
from multiprocessing import heap, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawValue
from typing import Protocol

from ..errors import WorkersLostError
from ..models.tasks import ImageTask
from .messages import (
    CancelTasks,
    Command,
    Event,
    Message,
    StartTasks,
    TaskEvent,
    WorkerConfig,
    WorkerDied,
    WorkerUnusable,
)
from .worker import Worker
from .worker_process import main

MAX_DEATHS = 5
"""Deaths in a row without an image to blame and without any event in between, after which the run ends."""
MAX_SILENCE = 30.0
"""Seconds without a message after which a worker counts as hanging and is killed."""
STOP_TIMEOUT = 0.5
"""Seconds that workers have to end by themselves."""


class WorkerBackend(Protocol):
    """Runs tasks; stopped at the latest when its context is left."""

    def __enter__(self) -> WorkerBackend:
        """Begin."""

    def __exit__(self, *error: object) -> None:
        """Stop, unless already stopped."""

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Start tasks."""

    def cancel(self, numbers: Sequence[int]) -> None:
        """Cancel tasks."""

    def poll(self, timeout: float) -> list[Event]:
        """Wait at most `timeout` seconds for events."""

    def stop(self) -> list[Event]:
        """Stop the work at once; returns the events of what had been finished."""


class WorkerHandle:
    """One worker process and the tasks that it has."""

    def __init__(self, config: WorkerConfig) -> None:
        context = multiprocessing.get_context("spawn")
        self.tasks: set[int] = set()
        self.is_ready = False
        self.unusable = ""
        self.silence = 0.0
        self.connection, worker_end = context.Pipe()
        self._validating = _shared_number()
        self.process = context.Process(target=main, args=(worker_end, config, self._validating), daemon=True)
        self._outbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        with blocked_signals():  # the main thread handles signals, not the sender
            self.process.start()
            self._sender.start()
        worker_end.close()

    def send(self, command: Command | None) -> None:
        """Queue a command; None ends the worker."""
        self._outbox.put(command)

    def _send_all(self) -> None:
        """Send in a thread, which may wait: if the worker hangs, its pipe fills up.

        The pipe of a dead worker is broken; the next poll notices its death.
        """
        command: Command | None = StartTasks(())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while command is not None:
                command = self._outbox.get()
                self.connection.send(command)

    def receive(self) -> list[TaskEvent] | None:
        """Receive one message; None when the worker has died."""
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.is_ready = True
        self.silence = 0.0
        if isinstance(message, WorkerUnusable):
            self.unusable = message.why
            return []
        self.tasks.difference_update(event.number for event in message)
        return message

    def close(self) -> WorkerDied:
        """Kill the process if it still runs, and release its resources."""
        self.process.kill()
        self.process.join()
        self.send(None)
        self._sender.join()  # does not block: the other end of the pipe is gone
        culprit = self._validating.value if self._validating.value >= 0 else None
        self.connection.close()
        self.process.close()
        return WorkerDied(tuple(self.tasks), culprit)


@contextlib.contextmanager
def blocked_signals() -> Iterator[None]:
    """Block the signals that end a script: a process or thread started meanwhile begins with them blocked."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # else it starts together with the process and unblocks signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _shared_number() -> c_longlong:
    """Return a number that this process shares with a worker; at first -1."""
    try:
        return RawValue(c_longlong, -1)
    except OSError:  # /dev/shm is missing or cannot be written
        heap.Arena._dir_candidates = []  # type: ignore[attr-defined]  # then temporary files, as on macOS
        return RawValue(c_longlong, -1)


class WorkerPool:
    """Worker processes, each with its share of the tasks."""

    def __init__(self, size: int, config: WorkerConfig) -> None:
        self._config = config
        self._deaths = 0
        self._workers: list[WorkerHandle] = []
        try:
            for _ in range(size):
                self._workers.append(WorkerHandle(config))
        except BaseException:  # the workers that have started must not wait forever
            self.stop()
            raise

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Send each task to the worker with the fewest tasks, and those of a group to the same one."""
        shares: dict[WorkerHandle, list[ImageTask]] = {}
        for task in tasks:
            group = task.local_image.group if task.local_image else None
            if group is None:
                worker = min(self._workers, key=lambda one: len(one.tasks))
            else:
                worker = self._workers[group % len(self._workers)]
            worker.tasks.add(task.number)
            shares.setdefault(worker, []).append(task)
        for worker, share in shares.items():
            worker.send(StartTasks(tuple(share)))

    def cancel(self, numbers: Sequence[int]) -> None:
        """Cancel tasks in the workers."""
        for worker in self._workers:
            cancelled = worker.tasks.intersection(numbers)
            if cancelled:
                worker.tasks -= cancelled
                worker.send(CancelTasks(tuple(cancelled)))

    def poll(self, timeout: float) -> list[Event]:
        """Wait at most `timeout` seconds for events; those of one worker keep their order.

        Raises
        ------
        WorkersLostError
            If workers die repeatedly without finishing anything, or one reports that none can work.
        """
        started = time.monotonic()
        by_connection: dict[object, WorkerHandle] = {one.connection: one for one in self._workers}
        events: list[Event] = []
        for ready in wait(list(by_connection), timeout):  # type: ignore[arg-type]
            events += self._receive(by_connection[ready])
        # At most a second is counted: the whole machine may have been suspended.
        self._kill_silent(min(1.0, time.monotonic() - started))
        return events

    def stop(self) -> list[Event]:
        """Stop all workers within about a second."""
        for worker in self._workers:
            worker.send(None)
        events: list[Event] = []
        deadline = time.monotonic() + STOP_TIMEOUT
        for worker in self._workers:
            while worker.is_ready and worker.connection.poll(max(0.0, deadline - time.monotonic())):
                received = worker.receive()
                if received is None:
                    break
                events += received
        events += [worker.close() for worker in self._workers]
        self._workers = []
        return events

    def _kill_silent(self, seconds: float) -> None:
        """Kill workers that hang; the next poll reports their death."""
        for worker in self._workers:
            worker.silence += seconds
            if worker.silence > MAX_SILENCE:
                worker.process.kill()

    def _receive(self, worker: WorkerHandle) -> Sequence[Event]:
        received = worker.receive()
        if worker.unusable:
            raise WorkersLostError(worker.unusable)
        if received is not None:
            self._deaths = 0 if received else self._deaths
            return received
        died = worker.close()
        self._deaths += died.culprit is None
        self._workers.remove(worker)
        if self._deaths >= MAX_DEATHS:
            raise WorkersLostError(
                f"The worker processes died {self._deaths} times in a row without finishing anything. Memory "
                "may be short: try a smaller --batch_size, or --parallel False."
            )
        self._workers.append(WorkerHandle(self._config))
        return [died]


class InProcessBackend:
    """The same work in this process, one command after another.

    Parameters
    ----------
    stopped
        Whether the run ends; then decoding is aborted.
    """

    def __init__(self, config: WorkerConfig, stopped: Callable[[], bool] = lambda: False) -> None:
        self._worker = Worker(config, lambda _number: None, stopped=stopped)
        self._stopped = False

    def __enter__(self) -> InProcessBackend:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, tasks: Sequence[ImageTask]) -> None:
        """Start tasks."""
        self._worker.execute(StartTasks(tuple(tasks)))

    def cancel(self, numbers: Sequence[int]) -> None:
        """Cancel tasks."""
        self._worker.execute(CancelTasks(tuple(numbers)))

    def poll(self, timeout: float) -> list[Event]:
        """Read one image from disk, or wait at most about `timeout` seconds for downloads."""
        return list(self._worker.poll(timeout))

    def stop(self) -> list[Event]:
        """Abort running transfers."""
        if not self._stopped:
            self._stopped = True
            self._worker.close()
        return []
