"""The executor on the workers of a Dask scheduler.

Tasks are grouped by host into shards. Each shard is one Dask task: submitted, rescheduled if its worker
dies, and cancelled by Dask. A shard that starts reports so through a Dask queue, gets its tasks through a
queue of its own, and reports outcomes while it works. Only the run commits images, so a shard that runs
twice does no harm.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import queue
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import errors, machine
from ..errors import DatasetError, WorkersLostError
from ..models.hosts import LearnedLimit
from ..models.settings import Settings
from ..models.tasks import ImageTask, Outcome
from ..pipeline.concurrency import DEFAULT_BATCH
from ..pipeline.context import RunContext
from ..pipeline.executor import POLL_TIMEOUT, TaskEvents
from ..pipeline.messages import CancelTasks, Command, StartTasks, WorkerConfig
from ..reasons import INTERRUPTED, NOT_NEEDED
from ..results import host_limits
from ..scheduler.host_state import HIGHEST_LIMIT
from ..scheduler.scheduled_task import TaskResult
from ..text import pluralize
from . import code_bundle, remote_task
from .connection import ANY_ERROR, CLOSING_TIMEOUT, GONE, LOCAL, DaskConnection, first_line
from .shard import Shard, ShardEvents
from .shard_planner import MAX_TASKS, MIN_TASKS, Plan, ShardPlanner

if TYPE_CHECKING:
    from distributed import Future

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
SHARDS_PER_THREAD = 4
"""Shards submitted for each thread of the workers: one runs, some mostly wait, the next is ready."""
TASKS_PER_THREAD = 4 * MAX_TASKS
MAX_SUBMITTED = 4_096
"""Tasks accepted at once."""
CLOSING_TIME = 0.8
"""Seconds that shards have to report what they have finished when the run ends."""
MAX_EMPTY_SHARDS = 5
"""Shards in a row, besides one for each thread, that end without any outcome before the run ends."""
NO_WORKERS = "There is no Dask worker: waiting until one is started, e.g. by `dask worker ADDRESS` ..."
CANNOT_WORK = "A Dask worker cannot work: {} If a package is missing, install requirement.txt there."
UNREACHABLE = (
    "The Dask scheduler does not answer any more. What is done is kept: start it and its workers again, and "
    "run the same command to continue."
)


@dataclass(eq=False)
class RunningShard:
    """A shard that was submitted.

    Attributes
    ----------
    left
        Its tasks without an outcome, by number.
    inbox
        The name of the queue that its present attempt reads; empty before it has started.
    """

    plan: Plan
    future: Future
    left: dict[int, ImageTask]
    inbox: str = ""
    in_flight: int = 0
    has_results: bool = False


class DaskExecutor:
    """Runs tasks on the workers of a Dask scheduler; see `Executor`.

    Parameters
    ----------
    shard
        What all shards have in common; each gets what is known of its own hosts.
    """

    def __init__(self, connection: DaskConnection, shard: Shard) -> None:
        import cloudpickle
        from distributed import as_completed

        self._connection = connection
        self._shard = shard
        self._learned_limits: dict[str, LearnedLimit] = {}
        self._notices: list[str] = []
        self._planner = ShardPlanner()
        self._shards: dict[str, RunningShard] = {}
        self._shard_of: dict[int, str] = {}  # by task number
        self._names = (f"{number:06}" for number in itertools.count())
        self._run = f"part-of-imagenet-{secrets.token_hex(4)}"
        self._messenger = _Messenger(connection.client, f"{self._run}-results")
        self._completed = as_completed(loop=connection.client.loop)
        # Dask pickles a lambda by value, with all registered functions: workers do not have our modules.
        cloudpickle.register_pickle_by_value(remote_task)
        run_shard = remote_task.run_shard
        self._function = lambda *arguments: run_shard(*arguments)
        self._has_new_tasks = self._no_workers_reported = False
        self._empty_shards = 0
        self._error: DatasetError | None = None

    @property
    def in_flight(self) -> int:
        """The number of running tasks."""
        return sum(shard.in_flight for shard in self._shards.values())

    @property
    def idle(self) -> bool:
        """Whether it has no task."""
        return not (self._planner.waiting or self._shards)

    @property
    def capacity(self) -> int:
        """The number of further tasks that it accepts now."""
        wanted = TASKS_PER_THREAD * max(1, self._connection.threads)
        return max(0, min(MAX_SUBMITTED, wanted - self._planner.waiting))

    @property
    def has_enough(self) -> bool:
        """Whether more tasks would only wait."""
        return self._planner.waiting >= TASKS_PER_THREAD // 2 * max(1, self._connection.threads)

    def held_back(self) -> Collection[int]:
        """Return nothing: only the shards know which tasks have to wait."""
        return ()

    def learned_limits(self) -> Mapping[str, LearnedLimit]:
        """Return what hosts allow that have refused requests, by their names."""
        return self._learned_limits

    def submit(self, tasks: Sequence[ImageTask]) -> list[TaskResult]:
        """Accept tasks; returns the results of those that end at once."""
        self._has_new_tasks |= bool(tasks)
        return [result for task in tasks for result in self._planner.submit(task)]

    def poll(self) -> TaskEvents:
        """Submit shards, and wait a moment for their messages.

        Raises
        ------
        DatasetError
            If the scheduler is gone, or no worker can work.
        """
        if self._error:
            raise self._error
        if not self._connection.is_alive:
            raise WorkersLostError(UNREACHABLE)
        more_to_come, self._has_new_tasks = self._has_new_tasks and self.capacity > 0, False
        if not more_to_come:
            self._submit_shards()
        events = TaskEvents()
        for name, attempt, frame in self._messenger.receive(0.0 if more_to_come else POLL_TIMEOUT):
            self._handle(name, attempt, frame, events)
        for future in self._completed.next_batch(block=False):
            self._end(future, events)
        self._top_up_shards()
        return events

    def cancel(self, numbers: Sequence[int]) -> list[TaskResult]:
        """Cancel tasks; returns those in shards that have started, as not needed."""
        self._planner.cancel(numbers)
        cancelled: dict[str, list[int]] = {}
        for number in numbers:
            if name := self._shard_of.pop(number, None):
                cancelled.setdefault(name, []).append(number)
        results = []
        for name, some in cancelled.items():
            shard = self._shards[name]
            tasks = [shard.left.pop(number) for number in some]
            if shard.inbox:
                self._messenger.send(shard.inbox, CancelTasks(tuple(some)))
                results += [TaskResult(task, Outcome(task.row, *NOT_NEEDED)) for task in tasks]
        return results

    def close(self) -> TaskEvents:
        """Stop all shards; returns what they had finished, and all other tasks as interrupted."""
        events = TaskEvents()
        if self._connection.is_alive:
            started = {name for name, shard in self._shards.items() if shard.inbox}
            for name in started:
                self._messenger.send(self._shards[name].inbox, None)
            deadline = time.monotonic() + CLOSING_TIME
            while started and time.monotonic() < deadline:
                for name, attempt, frame in self._messenger.receive(0.05):
                    self._handle(name, attempt, frame, events)
                started -= {one.key for one in self._completed.next_batch(block=False)}
            self._messenger.call(partial(self._cancel, list(self._shards.values())))
        left = [task for shard in self._shards.values() for task in shard.left.values()]
        left += self._planner.abandon()
        self._shards = {}
        self._messenger.close()
        events.results += [TaskResult(task, Outcome(task.row, *INTERRUPTED)) for task in left]
        return events

    def notices(self) -> Iterator[str]:
        """Yield when there is no worker, and the notices of shards."""
        yield from self._notices
        self._notices = []
        waits = not self._connection.threads
        if waits and not self._no_workers_reported:
            yield NO_WORKERS
        self._no_workers_reported = waits

    def _submit_shards(self) -> None:
        threads = self._connection.threads
        while len(self._shards) < SHARDS_PER_THREAD * threads:
            plan = self._planner.next_plan(threads)
            if plan is None:
                return
            name = f"{self._run}-{next(self._names)}"
            limits = {**self._shard.learned, **self._learned_limits}
            shard = replace(
                self._shard,
                hosts=plan.hosts,
                parts=plan.parts,
                parts_elsewhere=min(SHARDS_PER_THREAD * threads, HIGHEST_LIMIT),
                learned={host: limit for host, limit in limits.items() if host in plan.hosts},
                delivering_hosts=plan.hosts & self._shard.delivering_hosts,
            )
            future = self._connection.client.submit(
                self._function,
                code_bundle.packed(),
                code_bundle.digest(),
                name,
                pickle.dumps(shard),
                self._messenger.results,
                key=name,
                pure=False,
            )
            self._completed.add(future)
            left = {task.number: task for task in plan.tasks}
            self._shards[name] = RunningShard(plan, future, left)
            self._shard_of |= dict.fromkeys(left, name)

    def _handle(self, name: str, attempt: str, frame: bytes, events: TaskEvents) -> None:
        """Handle a message of a shard, which may have ended or started again since."""
        shard = self._shards.get(name)
        if not frame:  # it starts, perhaps once more on another worker
            tasks = StartTasks(tuple(shard.left.values())) if shard else None
            self._messenger.send(attempt, tasks)
            if shard:
                shard.inbox = attempt
            return
        report: ShardEvents = pickle.loads(frame)  # noqa: S301  # from our own process on the worker
        self._learned_limits |= report.learned
        self._notices += report.notices
        if shard:
            shard.in_flight = report.in_flight
            shard.has_results |= bool(report.outcomes)
        for number, outcome in report.outcomes:
            if shard and number in shard.left:
                task = shard.left.pop(number)
                result = TaskResult(task, replace(outcome, row=task.row))  # only the rest comes from there
                del self._shard_of[number]
                events.results += [result, *self._planner.record(result)]
            else:
                events.unused.append(outcome)
        events.proxy_error = events.proxy_error or report.proxy_error
        if report.error:
            kind: type[DatasetError] = getattr(errors, report.error[0], WorkersLostError)
            self._error = self._error or kind(CANNOT_WORK.format(report.error[1]))

    def _top_up_shards(self) -> None:
        """Send more tasks to started shards that have few left, and stop those without tasks."""
        for name, shard in list(self._shards.items()):
            if len(shard.left) >= MIN_TASKS or (shard.left and not shard.inbox):
                continue
            room = MAX_TASKS // 2 - len(shard.left)
            more = self._planner.top_up(shard.plan, room) if shard.inbox else []
            if more:
                shard.left |= {task.number: task for task in more}
                self._shard_of |= {task.number: name for task in more}
                self._messenger.send(shard.inbox, StartTasks(tuple(more)))
            elif not shard.left:
                if shard.inbox:
                    self._messenger.send(shard.inbox, None)
                else:
                    self._messenger.call(partial(self._cancel, [shard]))
                self._planner.release(shard.plan)
                del self._shards[name]
                self._empty_shards = 0

    def _end(self, future: Future, events: TaskEvents) -> None:
        """Queue the unfinished tasks of a shard that Dask reports as ended."""
        error = _shard_error(future)
        if error:
            self._error = self._error or WorkersLostError(CANNOT_WORK.format(error))
        shard = self._shards.pop(str(future.key), None)
        if shard is None:
            return
        for number in shard.left:
            del self._shard_of[number]
        events.results += self._planner.release(shard.plan, shard.left.values(), lost=bool(shard.inbox))
        self._empty_shards = 0 if shard.has_results else self._empty_shards + 1
        if self._empty_shards > MAX_EMPTY_SHARDS + self._connection.threads:
            self._error = self._error or WorkersLostError(
                f"{self._empty_shards} shards in a row ended without any result. What is done is kept. See "
                "what kills the workers (their memory limit, the queue's time limit), and run again."
            )

    def _cancel(self, shards: Sequence[RunningShard]) -> None:
        with contextlib.suppress(*GONE):
            self._connection.client.cancel([shard.future for shard in shards], force=True)


@contextlib.contextmanager
def dask_executor(
    settings: Settings, context: RunContext, config: WorkerConfig, print_line: Callable[[str], None]
) -> Iterator[DaskExecutor]:
    """Connect to the scheduler of `--scheduler` for the time of a run.

    Raises
    ------
    InputError
        If a package is not installed, or the scheduler cannot be reached.
    """
    address, batch_size = settings.scheduler or LOCAL, settings.batch_size or DEFAULT_BATCH
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        connection = DaskConnection(address, cores=machine.cores(), scratch=Path(scratch))
        stack.callback(connection.close)
        where = "on this machine" if address == LOCAL else f"at {address}"
        print_line(
            f"{pluralize(connection.threads, 'Dask worker')} {where}, up to {batch_size} images in flight in "
            f"each shard. Dashboard: {connection.dashboard}"
        )
        own = sorted(name for name in os.environ if name.lower() in PROXIES and os.environ[name])
        if own and address != LOCAL:
            print_line(f"The workers take proxies from their own environment, not from the {own[0]} here.")
        shard = Shard(
            replace(config, result_folder=config.result_folder.resolve()),
            batch_size,
            settings.retries,
            learned=host_limits.read(context.folder),
            patience=60 * settings.patience,
            delivering_hosts=context.delivering_hosts,
        )
        yield DaskExecutor(connection, shard)


def _shard_error(future: Future) -> str:
    """Return why a shard failed; empty if it did not, or if it was killed."""
    from distributed import KilledWorker

    text = ""
    with contextlib.suppress(*GONE):
        if future.status == "finished":
            text = future.result(timeout=1) or ""
        elif future.status == "error":
            error = future.exception(timeout=1)
            text = "" if isinstance(error, KilledWorker) else f"{type(error).__name__}: {first_line(error)}"
    future.release()
    return text


class _Messenger:
    """Sends to and receives from Dask queues in threads of its own: their calls may block for long."""

    def __init__(self, client: Any, results: str) -> None:
        from distributed import Queue

        self.results = results
        self._client = client
        self._queue = Queue(results, client=client)
        self._inbox: queue.SimpleQueue[tuple[str, str, bytes]] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_open = True
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()
        threading.Thread(target=self._receive_all, daemon=True).start()

    def receive(self, timeout: float) -> Iterator[tuple[str, str, bytes]]:
        """Wait for a message; yields all that have arrived."""
        with contextlib.suppress(queue.Empty):
            yield self._inbox.get(timeout=timeout) if timeout else self._inbox.get_nowait()
            while True:
                yield self._inbox.get_nowait()

    def send(self, inbox: str, command: Command | None) -> None:
        """Send a command to a shard; None ends it."""
        from distributed import Queue

        data = pickle.dumps(command)
        self.call(lambda: Queue(inbox, client=self._client).put(data))

    def call(self, function: Callable[[], None]) -> None:
        """Make a call that may block."""
        self._calls.put(function)

    def close(self) -> None:
        """Stop after all calls so far, or when the scheduler does not answer in time."""
        self._is_open = False
        self._calls.put(self._queue.close)
        self._calls.put(None)
        self._sender.join(CLOSING_TIMEOUT)

    def _receive_all(self) -> None:
        while self._is_open:
            with contextlib.suppress(*ANY_ERROR):
                self._inbox.put(tuple(self._queue.get(timeout=1)))
                for message in self._queue.get(batch=True):
                    self._inbox.put(tuple(message))
                continue
            time.sleep(0.05)  # after a timeout or an error

    def _send_all(self) -> None:
        while (function := self._calls.get()) is not None and self._client.status == "running":
            with contextlib.suppress(*ANY_ERROR):
                function()
