"""The workers of a Dask scheduler: who is there, what they are given, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import queue
import time
from collections.abc import Callable, Collection, Iterable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import errors
from ..errors import DatasetError, InputError, WorkersLostError
from . import code_bundle, remote_task
from .scheduler import GONE, MOMENT, PATIENCE, Scheduler, first_line
from .shard import Shard

if TYPE_CHECKING:
    from distributed import Future

LIBRARIES = ["pycurl", "certifi", "simplejpeg", "PIL"]
"""What the work of a shard needs."""
RETRIES = 2
LOOK_AROUND = 2.0
"""Seconds between two looks at how many workers there are."""
LONGEST_SILENCE = 30.0
"""Seconds without an answer to that after which the scheduler counts as gone: it may stand still, too."""


@dataclass(frozen=True)
class _Travelling:
    """A function that becomes itself again where it is unpickled; Dask would send no more than its name."""

    pickled: bytes
    loads: Callable[[bytes], Callable[..., Any]]

    def __call__(self, *arguments: object) -> object:
        return self.loads(self.pickled)(*arguments)

    def __reduce__(self) -> tuple[Callable[[bytes], Callable[..., Any]], tuple[bytes]]:
        return self.loads, (self.pickled,)


class DaskWorkers:
    """A scheduler's workers; what is sent to them comes back as `finished`, whatever happens to it."""

    def __init__(self, scheduler: Scheduler) -> None:
        import cloudpickle

        cloudpickle.register_pickle_by_value(remote_task)
        self._carry_out = _Travelling(cloudpickle.dumps(remote_task.carry_out), cloudpickle.loads)
        self._what_is_missing = _Travelling(cloudpickle.dumps(remote_task.what_is_missing), cloudpickle.loads)
        self._futures: dict[str, Future] = {}
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._asked: futures.Future[dict[str, Any]] | None = None
        self._asked_at = self._looked = time.monotonic()
        self._silence = 0.0
        self._shunned: set[str] = set()
        self._client = scheduler.client
        self._threads = scheduler.threads

    @property
    def is_reachable(self) -> bool:
        """Whether the scheduler still answers."""
        return bool(self._client.status == "running") and self._silence < LONGEST_SILENCE

    @property
    def slots(self) -> int:
        """How many shards can be done at once: the threads of all workers, as of a moment ago."""
        self._look(time.monotonic())
        return sum(threads for worker, threads in self._threads.items() if worker not in self._shunned)

    def require_what_is_needed(self, file: Path) -> None:
        """See that every worker has the libraries, and sees a file in the result folder.

        Raises
        ------
        InputError
            If one has not.
        """
        asked = {
            worker: self._client.submit(
                self._what_is_missing, LIBRARIES, str(file), workers=[worker], pure=False
            )
            for worker in self._threads
        }
        deadline = time.monotonic() + PATIENCE  # whoever does not answer gets no shard done, and no more
        while time.monotonic() < deadline and any(future.status == "pending" for future in asked.values()):
            time.sleep(0.02)
        for worker, future in asked.items():
            if future.status == "finished" and (missing := future.result(timeout=PATIENCE)):
                raise InputError(f"The Dask worker {worker} {missing}.")

    def send(self, shard: Shard) -> None:
        """Let some worker do a shard."""
        future = self._client.submit(
            self._carry_out,
            code_bundle.packed(),
            code_bundle.digest(),
            pickle.dumps(shard),
            key=f"shard-{shard.folder.name}-{shard.name}",
            pure=False,
            retries=RETRIES,
            workers=sorted(self._threads.keys() - self._shunned) if self._shunned else None,
        )
        self._futures[shard.name] = future
        future.add_done_callback(self._done.put)

    def finished(self, seconds: float) -> list[tuple[str, DatasetError | None]]:
        """Wait a moment for shards that end, done or lost; gives with each what makes going on senseless."""
        ended: list[Future] = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._done.get(timeout=seconds) if seconds else self._done.get_nowait())
            while True:
                ended.append(self._done.get_nowait())
        names = {future.key: name for name, future in self._futures.items()}
        return [(names[one.key], _error(self._result(names[one.key]))) for one in ended if one.key in names]

    def shun_holders(self, names: Collection[str]) -> set[str]:
        """Give nothing more to the workers that have these shards; gives all shards that they have."""
        by_key = {future.key: name for name, future in self._futures.items()}
        found: set[str] = set()
        with contextlib.suppress(*GONE):
            for worker, keys in self._ask("processing").result(MOMENT).items():
                theirs = {by_key[key] for key in keys if key in by_key}
                if theirs.intersection(names):
                    self._shunned.add(worker)
                    found |= theirs
        return found

    def call_off(self, names: Iterable[str]) -> None:
        """Forget shards; one that is being done ends when its lease is gone."""
        called_off = [future for name in names if (future := self._futures.pop(name, None))]
        with contextlib.suppress(*GONE):
            if called_off and self.is_reachable:
                self._client.cancel(called_off, force=True)

    def _look(self, now: float) -> None:
        """Ask now and then who is there, and take in what was answered; nobody waits for it."""
        if self._asked is None and now - self._asked_at >= LOOK_AROUND and self.is_reachable:
            self._asked_at = now
            self._asked = self._ask("ncores")
        elif self._asked and self._asked.done():
            with contextlib.suppress(*GONE):  # `is_reachable` will say so
                self._threads = self._asked.result()
                if not self._threads.keys() - self._shunned:
                    self._shunned = set()
            self._asked, self._silence = None, 0.0
        elif self._asked:
            self._silence += min(1.0, now - self._looked)  # no more, for all may have been suspended
        self._looked = now

    def _ask(self, question: str) -> futures.Future[dict[str, Any]]:
        """Ask the scheduler something of each worker; Dask's own functions would wait for ever."""
        scheduler, loop = cast("Any", self._client.scheduler), cast("Any", self._client.loop)
        return asyncio.run_coroutine_threadsafe(getattr(scheduler, question)(), loop.asyncio_loop)

    def _result(self, name: str) -> dict[str, str] | None:
        future = self._futures.pop(name)
        try:
            if future.status == "finished":
                result: dict[str, str] | None = future.result(timeout=PATIENCE)
                return result
            if future.status == "error":
                return _fault(future)
        except GONE:
            return None
        finally:
            future.release()
        return None  # cancelled or lost is not done


def _fault(future: Future) -> dict[str, str] | None:
    """Say what went wrong with a worker; None if it was killed."""
    from distributed import KilledWorker

    error = future.exception(timeout=PATIENCE)
    if isinstance(error, KilledWorker):
        return None
    return {"kind": "", "sentence": f"{type(error).__name__}: {first_line(error)}", "worker": ""}


def _error(fault: dict[str, str] | None) -> DatasetError | None:
    """Make the error again that ended a shard on another machine; None if none did."""
    if not fault:
        return None
    kind: type[DatasetError] = getattr(errors, fault["kind"], WorkersLostError)
    who = f"The Dask worker {fault['worker']}" if fault["worker"] else "A Dask worker"
    return kind(f"{who} cannot work: {fault['sentence']}")
