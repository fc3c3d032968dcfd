"""The process of one shard: the same scheduler and workers as on one machine, driven through pipes.

It is started by `remote_task` and ends when its standard input closes, so it does not outlive the Dask
worker.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
from typing import IO

from .. import machine
from ..errors import DatasetError, InputError
from ..pipeline.executor import LocalExecutor, TaskEvents
from ..pipeline.messages import CancelTasks, Command
from ..pipeline.worker_pool import WorkerPool
from ..reasons import Status
from ..results.staging import STAGING_NAME, StagingFolder
from ..scheduler.schedule import Schedule
from .remote_task import SECEDE, read_frame, write_frame
from .shard import Shard, ShardEvents

SENDING_INTERVAL = 0.1
"""Seconds for which outcomes are collected before they are sent."""
HEARTBEAT = 1.0
"""Seconds after which the process reports even if nothing has happened."""


def main() -> int:
    """Run the shard that arrives on standard input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the run sends a command to stop
        signal.signal(number, signal.SIG_IGN)
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write between the messages
    stdin = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  # no buffer to wait for at exit
    frame = read_frame(stdin)
    if frame is None:
        return 0
    shard: Shard = pickle.loads(frame)  # noqa: S301  # from the run that started this process
    machine.raise_open_file_limit()
    try:
        _ShardRunner(shard, stdin, stdout).work()
    except DatasetError as error:
        write_frame(stdout, pickle.dumps(ShardEvents(error=(type(error).__name__, str(error)))))
    except BrokenPipeError:
        pass  # the Dask worker is gone
    return 0


class _ShardRunner:
    """Executes the commands of the run, and reports outcomes."""

    def __init__(self, shard: Shard, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._shard = shard
        self._stdin = stdin
        self._stdout = stdout
        self._inbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._events = TaskEvents()
        self._notices: list[str] = []
        self._sent = time.monotonic()
        self._given = self._done = 0
        self._has_seceded = False
        self._staging = StagingFolder(shard.config.result_folder)

    def work(self) -> None:
        folder = self._shard.config.result_folder / STAGING_NAME
        if not folder.is_dir():
            raise InputError(
                f"It does not see {folder}: all machines must have --save_dir under the same path."
            )
        threading.Thread(target=self._receive, daemon=True).start()
        shard = self._shard
        schedule = Schedule(
            batch_size=shard.batch_size,
            retries=shard.retries,
            parts=shard.parts_of,
            learned=shard.learned,
            patience=shard.patience,
            has_delivered=shard.delivering_hosts.__contains__,
        )
        with WorkerPool(1, shard.config) as backend:
            executor = LocalExecutor(backend, schedule, lambda: shard.batch_size)
            while self._execute_all(executor):
                self._collect(executor.poll())
                self._notices += executor.notices()
                self._send(executor)
                self._secede_if_waiting()
            self._collect(executor.close())
        self._sent = 0.0
        self._send(executor)

    def _receive(self) -> None:
        while (frame := read_frame(self._stdin)) is not None:
            self._inbox.put(pickle.loads(frame))  # noqa: S301  # from the run that started this process
        self._inbox.put(None)

    def _execute_all(self, executor: LocalExecutor) -> bool:
        """Execute all commands received so far; False if the shard is to end."""
        while not self._inbox.empty():
            command = self._inbox.get()
            if command is None:
                return False
            if isinstance(command, CancelTasks):
                executor.cancel(command.numbers)
                self._done += len(command.numbers)
            else:
                self._given += len(command.tasks)
                self._collect(TaskEvents(executor.submit(command.tasks)))
        return True

    def _collect(self, events: TaskEvents) -> None:
        self._events.results += events.results
        self._events.proxy_error = events.proxy_error or self._events.proxy_error
        self._done += len(events.results)
        for outcome in events.unused:
            self._staging.discard(outcome)

    def _send(self, executor: LocalExecutor) -> None:
        waited = time.monotonic() - self._sent
        if waited < (SENDING_INTERVAL if self._events.results else HEARTBEAT):
            return
        ended = [one for one in self._events.results if one.outcome.status is not Status.NOT_ATTEMPTED]
        outcomes = tuple((one.task.number, one.outcome) for one in ended)
        message = ShardEvents(
            outcomes,
            executor.in_flight,
            self._events.proxy_error,
            learned=executor.learned_limits(),
            notices=tuple(self._notices),
        )
        write_frame(self._stdout, pickle.dumps(message))
        self._events, self._notices = TaskEvents(), []
        self._sent = time.monotonic()

    def _secede_if_waiting(self) -> None:
        """Let the worker start another shard when few tasks are left, because these mostly wait."""
        few = min(self._given // 2, self._shard.batch_size)
        if self._given and self._given - self._done <= few and not self._has_seceded:
            self._has_seceded = True
            write_frame(self._stdout, SECEDE)


if __name__ == "__main__":
    sys.exit(main())
