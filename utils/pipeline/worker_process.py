"""The process around a worker: its pipe, its signals, its end.

The process imports neither pandas nor tables, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
import threading
import time
from collections.abc import Callable
from ctypes import c_longlong
from multiprocessing.connection import Connection

from .. import entrypoint
from ..images import validation
from .messages import Answer, Command, StartTasks, WorkerConfig, WorkerUnusable
from .worker import Worker

SENDING_INTERVAL = 0.03
"""Seconds for which answers are gathered before they are sent, while more come at once."""
HEARTBEAT = 1.0
"""Seconds after which a worker says that it lives, if it has nothing else to say."""


def main(connection: Connection, order: WorkerConfig, judging: c_longlong) -> None:
    """Run a worker at the end of a pipe until the pipe closes, or None comes through it.

    `judging` is shared with the parent: the number of the task whose bytes are being judged, else -1. If
    the process dies of an image, this says of which.
    """

    def mark(number: int) -> None:
        _prepare()  # if it dies of this, it is no image's fault
        judging.value = number

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the parent answers these, and stops its workers
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    worker = Worker(order, mark)
    inbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox, worker.wake), daemon=True).start()
    outbox = _Outbox(connection)
    gc.freeze()  # what is here by now stays; looking through it again and again would be for nothing
    try:
        connection.send([])  # up and listening
        if not _obey_all(worker, inbox, outbox):
            return
        _turn(worker, outbox, 0)  # connections begin
        _prepare()
        while _obey_all(worker, inbox, outbox):
            _turn(worker, outbox, HEARTBEAT)
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone, and with it whoever wanted an answer
    except MemoryError:
        return  # in silence: the parent hears the pipe close, knows what was judged, and tries it once more
    except ImportError as error:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(WorkerUnusable(entrypoint.advice(error)))
    finally:
        worker.close()


def _prepare() -> None:
    """Load what most images need.

    Raises
    ------
    ImportError
        If a library cannot be loaded; where their versions do not fit, they themselves raise whatever comes.
    """
    try:
        validation.load_decoder()
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise ImportError(str(error)) from error


class _Outbox:
    """Sends answers in handfuls: a message costs more than what is in it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: list[Answer] = []
        self._sent = time.monotonic()

    def put(self, answer: Answer) -> None:
        self._answers.append(answer)
        if time.monotonic() - self._sent > SENDING_INTERVAL:
            self.flush()

    def flush(self) -> None:
        if self._answers:
            self._send()

    def beat(self) -> None:
        if time.monotonic() - self._sent > HEARTBEAT:
            self._send()

    def _send(self) -> None:
        self._connection.send(self._answers)
        self._answers = []
        self._sent = time.monotonic()


def _listen(
    connection: Connection, inbox: queue.SimpleQueue[Command | None], wake: Callable[[], None]
) -> None:
    """Receive on a thread of its own, for a pipe cannot be waited for beside sockets on every system."""
    command: Command | None = StartTasks(())
    while command is not None:
        try:
            command = connection.recv()
        except (EOFError, OSError):
            command = None
        inbox.put(command)
        wake()


def _turn(worker: Worker, outbox: _Outbox, seconds: float) -> None:
    """Go on with what is under way, and send what came of it."""
    for answer in worker.turn(seconds):
        outbox.put(answer)
    outbox.flush()
    outbox.beat()


def _obey_all(worker: Worker, inbox: queue.SimpleQueue[Command | None], outbox: _Outbox) -> bool:
    """Do all that has been told so far; False when the end was told."""
    while not inbox.empty():
        command = inbox.get()
        if command is None:
            return False
        for answer in worker.obey(command):
            outbox.put(answer)
    outbox.flush()
    return True
