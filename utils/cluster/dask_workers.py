"""The Dask scheduler, its workers, and what they are given. The keeper of distributed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import queue
import time
import warnings
from collections.abc import Callable, Collection, Iterable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import InputError
from ..run.pool import no_signals
from . import errand, luggage
from .shard import Shard

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

LOCAL = "local"
"""The word for a scheduler and workers on this machine, for as long as the run takes."""
PATIENCE = 5.0
"""Seconds in which a scheduler must answer."""
MOMENT = 0.5
"""Seconds that it has for what is good to know or to do, but no more."""
GONE = (OSError, asyncio.TimeoutError, futures.TimeoutError, futures.CancelledError)
"""What is raised where a scheduler does not answer any more; before Python 3.11 a timeout is no OSError."""
LIBRARIES = ["pycurl", "certifi", "simplejpeg", "PIL"]
"""What the work of a shard needs."""
RETRIES = 2
LOOK_AROUND = 2.0
"""Seconds between two looks at how many workers there are."""
LONGEST_SILENCE = 30.0
"""Seconds without an answer to that after which the scheduler counts as gone: it may stand still, too."""
MISSING = (
    "--scheduler needs Dask, which is not installed: pip install -r requirement-extras.txt, or "
    'pip install "distributed>=2024.1"'
)


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
    """A connection to a scheduler; what is sent comes back as `finished`, whatever happens to it.

    Parameters
    ----------
    address
        Of an existing scheduler, or `LOCAL`.
    cores, scratch
        Of this machine, for `LOCAL`: so many workers, which keep their files there.

    Raises
    ------
    InputError
        If Dask is not installed, or the scheduler cannot be reached.
    """

    def __init__(self, address: str, *, cores: int, scratch: Path) -> None:
        try:
            import cloudpickle
            import distributed
        except ImportError as error:
            raise InputError(MISSING) from error
        _silence()
        cloudpickle.register_pickle_by_value(errand)
        self._carry_out = _Travelling(cloudpickle.dumps(errand.carry_out), cloudpickle.loads)
        self._what_is_missing = _Travelling(cloudpickle.dumps(errand.what_is_missing), cloudpickle.loads)
        self._futures: dict[str, Future] = {}
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._asked: futures.Future[dict[str, Any]] | None = None
        self._asked_at = self._looked = time.monotonic()
        self._silence = 0.0
        self._shunned: set[str] = set()
        self._cluster: LocalCluster | None = None
        try:
            if address == LOCAL:
                with no_signals():  # Ctrl-C is for this process, which tells the others
                    self._cluster = distributed.LocalCluster(
                        n_workers=cores,
                        threads_per_worker=1,
                        dashboard_address="127.0.0.1:0",
                        local_directory=str(scratch),
                        silence_logs=logging.CRITICAL,
                    )
            else:
                asyncio.run(_greet(address))  # for a client that fails to connect leaves much behind
            self._client: Client = distributed.Client(
                self._cluster or address, timeout=PATIENCE, set_as_default=False
            )
            self._threads: dict[str, int] = self._client.nthreads()
        except (*GONE, ValueError, TypeError, RuntimeError) as error:
            self._clear_away()
            raise InputError(
                f"--scheduler {address} cannot be reached ({_why(error)}). Start one by `dask "
                "scheduler` and give the address that it prints, e.g. tcp://10.0.0.1:8786, or `local`."
            ) from error

    @property
    def dashboard(self) -> str:
        """Where it can be watched."""
        return str(self._client.dashboard_link)

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
            luggage.packed(),
            luggage.digest(),
            pickle.dumps(shard),
            key=f"shard-{shard.folder.name}-{shard.name}",
            pure=False,
            retries=RETRIES,
            workers=sorted(self._threads.keys() - self._shunned) if self._shunned else None,
        )
        self._futures[shard.name] = future
        future.add_done_callback(self._done.put)

    def finished(self, seconds: float) -> list[tuple[str, dict[str, str] | None]]:
        """Wait a moment for shards that ended; gives what stopped each by name, None if it was lost."""
        ended: list[Future] = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._done.get(timeout=seconds) if seconds else self._done.get_nowait())
            while True:
                ended.append(self._done.get_nowait())
        names = {future.key: name for name, future in self._futures.items()}
        return [(names[one.key], self._result(names[one.key])) for one in ended if one.key in names]

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

    def close(self) -> None:
        """Let go of the scheduler; a local one ends, and its workers with all that they have started."""
        if self._cluster:
            _kill_workers(self._cluster)
        with contextlib.suppress(*GONE):
            self._client.close(timeout=MOMENT)
        self._clear_away()

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

    def _clear_away(self) -> None:
        if self._cluster:
            with contextlib.suppress(*GONE):
                self._cluster.close(timeout=2)  # all are dead; what is cut short here, Dask waits for at exit


def _kill_workers(cluster: LocalCluster) -> None:
    """Kill the workers' processes, and theirs: one that stands still is not waited for, nor left behind."""
    import psutil  # distributed needs it, too

    processes: list[psutil.Process] = []
    for nanny in cluster.workers.values():
        with contextlib.suppress(psutil.Error):
            if nanny.pid:
                nanny.close_gracefully()  # else it would start another one
                worker = psutil.Process(nanny.pid)
                processes += [worker, *worker.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _silence() -> None:
    """Keep the libraries off the screen: what matters is said in our words."""
    from distributed.versions import VersionMismatchWarning

    warnings.simplefilter("ignore", VersionMismatchWarning)  # many pages; what does not work, says so
    for name in ("asyncio", "tornado", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _why(error: BaseException) -> str:
    """Say what was against it; some of what Dask raises for an address says nothing to who gave it."""
    if isinstance(error, (ValueError, TypeError)) and "address" not in str(error):
        return "this is no address"
    if isinstance(error, GONE) and not str(error):
        return "nobody answers there as a Dask scheduler does"
    return _first_line(error)


async def _greet(address: str) -> None:
    """Connect to a scheduler, and no more; raises whatever is against it."""
    from distributed.comm.core import connect
    from distributed.security import Security

    greeting = connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
    comm = await asyncio.wait_for(greeting, PATIENCE + 1)
    comm.abort()


def _fault(future: Future) -> dict[str, str] | None:
    """Say what went wrong with a worker; None if it was killed."""
    from distributed import KilledWorker

    error = future.exception(timeout=PATIENCE)
    if isinstance(error, KilledWorker):
        return None
    return {"kind": "", "sentence": f"{type(error).__name__}: {_first_line(error)}", "worker": ""}


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
