"""The process around a worker: its pipe, its signals, its end.

The process loads neither pandas nor requests, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable
from ctypes import c_longlong
from multiprocessing.connection import Connection

from ..entrypoint import import_error_message
from ..errors import TOO_MANY_PROCESSES
from ..images import decoding
from .messages import Command, StartTasks, TaskEvent, WorkerConfig, WorkerUnusable
from .worker import Worker

SENDING_INTERVAL = 0.03
"""Seconds for which events are collected before they are sent."""
HEARTBEAT = 1.0
"""Seconds after which a worker that has nothing to send sends an empty list."""


def main(connection: Connection, config: WorkerConfig, validating: c_longlong) -> None:
    """Run a worker at the end of a pipe until the pipe closes or None arrives.

    `validating` is shared with the parent: the number of the task whose bytes are being validated, else -1.
    """

    def mark(number: int) -> None:
        _load_decoders()  # before the number is set: a failure here is not the image's
        validating.value = number

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the parent handles these and stops its workers
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    worker = Worker(config, mark)
    inbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
    receiver = threading.Thread(target=_receive, args=(connection, inbox, worker.wake), daemon=True)
    try:
        receiver.start()
    except RuntimeError:
        worker.close()
        connection.send(WorkerUnusable(TOO_MANY_PROCESSES))
        return
    outbox = _Outbox(connection)
    gc.freeze()  # the modules stay loaded; the collector need not look through them again
    try:
        connection.send([])  # ready
        _work(worker, inbox, outbox)
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except MemoryError:
        return  # the parent detects that the pipe is closed, and retries the image
    except ImportError as error:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(WorkerUnusable(import_error_message(error)))
    finally:
        worker.close()


def _work(worker: Worker, inbox: queue.SimpleQueue[Command | None], outbox: _Outbox) -> None:
    if not _execute_all(worker, inbox):
        return
    outbox.add(worker.poll(0))  # connections are established while the decoders load
    _load_decoders()
    while _execute_all(worker, inbox):
        outbox.add(worker.poll(HEARTBEAT))
        if not worker.is_busy:
            outbox.send()
    outbox.send()


def _load_decoders() -> None:
    """Load the libraries that most images need.

    Raises
    ------
    ImportError
        If one cannot be loaded; libraries of versions that do not fit raise all kinds of errors.
    """
    try:
        decoding.load()
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise ImportError(str(error)) from error


class _Outbox:
    """Sends events in batches, because each message has a cost of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._events: list[TaskEvent] = []
        self._sent = time.monotonic()

    def add(self, events: Iterable[TaskEvent]) -> None:
        """Collect events; they are sent if the last message is some time ago."""
        for event in events:
            self._events.append(event)
            if time.monotonic() - self._sent > SENDING_INTERVAL:
                self.send()

    def send(self) -> None:
        """Send the events; none only as a heartbeat."""
        if self._events or time.monotonic() - self._sent > HEARTBEAT:
            self._connection.send(self._events)
            self._events = []
            self._sent = time.monotonic()


def _receive(
    connection: Connection, inbox: queue.SimpleQueue[Command | None], wake: Callable[[], None]
) -> None:
    """Receive in a thread: not every system can wait for a pipe and for sockets at once."""
    command: Command | None = StartTasks(())
    while command is not None:
        try:
            command = connection.recv()
        except (EOFError, OSError):
            command = None
        inbox.put(command)
        wake()


def _execute_all(worker: Worker, inbox: queue.SimpleQueue[Command | None]) -> bool:
    """Execute all commands received so far; False if the worker is to end."""
    while not inbox.empty():
        command = inbox.get()
        if command is None:
            return False
        worker.execute(command)
    return True
