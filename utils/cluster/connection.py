"""The connection to a Dask scheduler and its workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import warnings
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import InputError
from ..pipeline.worker_pool import blocked_signals

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from distributed.security import Security

LOCAL = "local"
"""The value of `--scheduler` for a scheduler and workers on this machine, for the time of the run."""
TIMEOUT = 5.0
"""Seconds in which a scheduler must respond."""
CLOSING_TIMEOUT = 0.5
COUNT_INTERVAL = 2.0
"""Seconds between two requests for the number of workers."""
MAX_SILENCE = 30.0
"""Seconds without a response to these after which the scheduler counts as gone, as it may hang."""
GONE = (OSError, asyncio.TimeoutError, futures.TimeoutError, futures.CancelledError)
"""Errors for a scheduler that does not respond; before Python 3.11, a timeout is not an OSError."""
ANY_ERROR = (Exception, asyncio.CancelledError)
"""Errors of calls through a broken or closed connection."""
MISSING = "--scheduler needs Dask, which is not installed: pip install -r requirement-extras.txt"
LOCAL_FAILED = "--scheduler local cannot start workers, for which Linux needs /dev/shm"
WITHOUT_DASK = "Leave out --scheduler: the run then has worker processes of its own, which do not need it."
MISSING_TLS = (
    "--scheduler local needs the package cryptography, so that other users of this machine cannot use its "
    "workers: pip install -r requirement-extras.txt"
)


class DaskConnection:
    """A connection to a scheduler.

    Parameters
    ----------
    address
        Of an existing scheduler, or `LOCAL`.
    cores, scratch
        For `LOCAL`: the number of workers, and the folder for their files.

    Raises
    ------
    InputError
        If a package is not installed, or the scheduler cannot be reached.
    """

    def __init__(self, address: str, *, cores: int, scratch: Path) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise InputError(MISSING) from error
        _silence()
        self._cluster: LocalCluster | None = None
        keys = _temporary_keys() if address == LOCAL else None
        try:
            if keys:
                self._cluster = _local_cluster(cores, scratch, keys)
            else:
                asyncio.run(_check_reachable(address))  # a client that cannot connect delays the exit
            self.client: Client = Client(self._cluster or address, timeout=TIMEOUT, set_as_default=False)
            self._threads = self._request_threads().result(TIMEOUT)
        except ANY_ERROR as error:  # any server may be at the address, and answer anything
            self._close_cluster()
            if keys:
                raise InputError(f"{LOCAL_FAILED} ({_why(error)}). {WITHOUT_DASK}") from error
            raise InputError(
                f"--scheduler {address} cannot be reached ({_why(error)}). Start one with `dask "
                "scheduler` and use the address that it prints, e.g. tcp://10.0.0.1:8786, or `local`."
            ) from error
        self._request: futures.Future[dict[str, int]] | None = None
        self._requested_at = self._checked_at = time.monotonic()
        self._silence = 0.0

    @property
    def dashboard(self) -> str:
        """The address of the dashboard."""
        return str(self.client.dashboard_link)

    @property
    def is_alive(self) -> bool:
        """Whether the scheduler still responds."""
        return bool(self.client.status == "running") and self._silence < MAX_SILENCE

    @property
    def threads(self) -> int:
        """The number of threads of all workers, at the last request."""
        self._update(time.monotonic())
        return sum(self._threads.values())

    def close(self) -> None:
        """Disconnect; a local scheduler and its workers end."""
        if self._cluster:
            _kill_workers(self._cluster)
        with contextlib.suppress(*GONE):
            self.client.close(timeout=CLOSING_TIMEOUT)
        self._close_cluster()

    def _update(self, now: float) -> None:
        """Request the number of workers at intervals, without waiting for the response."""
        if self._request is None and now - self._requested_at >= COUNT_INTERVAL and self.is_alive:
            self._requested_at = now
            self._request = self._request_threads()
        elif self._request and self._request.done():
            with contextlib.suppress(*GONE):  # see `is_alive`
                self._threads = self._request.result()
            self._request, self._silence = None, 0.0
        elif self._request:
            self._silence += min(1.0, now - self._checked_at)  # the machine may have been suspended
        self._checked_at = now

    def _request_threads(self) -> futures.Future[dict[str, int]]:
        """Request the number of threads of each worker; Dask's own function would wait forever."""
        scheduler, loop = cast("Any", self.client.scheduler), cast("Any", self.client.loop)
        return asyncio.run_coroutine_threadsafe(scheduler.ncores(), loop.asyncio_loop)

    def _close_cluster(self) -> None:
        if self._cluster:
            with contextlib.suppress(*GONE):
                self._cluster.close(timeout=2)  # all workers are dead


def first_line(error: BaseException | None) -> str:
    """Return the first line of an error's message, or its name if it has none."""
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__


def _temporary_keys() -> Security:
    """Make keys for TLS: a scheduler without would run the code of any user of this machine."""
    from distributed.security import Security

    try:
        keys: Security = Security.temporary()
    except ImportError as error:
        raise InputError(MISSING_TLS) from error
    return keys


def _local_cluster(cores: int, scratch: Path, keys: Security) -> LocalCluster:
    from distributed import LocalCluster

    with blocked_signals():  # this process handles Ctrl-C
        return LocalCluster(
            n_workers=cores,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            local_directory=str(scratch),
            security=keys,
            silence_logs=logging.CRITICAL,
        )


def _kill_workers(cluster: LocalCluster) -> None:
    """Kill the processes of the workers and their children; one that hangs is not waited for."""
    import psutil  # distributed needs it, too

    processes: list[psutil.Process] = []
    for nanny in cluster.workers.values():
        with contextlib.suppress(psutil.Error):
            if nanny.pid:
                nanny.close_gracefully()  # else it would restart the worker
                worker = psutil.Process(nanny.pid)
                processes += [worker, *worker.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _silence() -> None:
    """Keep messages of the libraries off the screen."""
    from distributed.versions import VersionMismatchWarning

    warnings.simplefilter("ignore", VersionMismatchWarning)  # many pages
    for name in ("asyncio", "tornado", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _why(error: BaseException) -> str:
    """Return in a few words why no connection could be made."""
    text = str(error)
    if "ssl_context" in text:
        return "the certificates for TLS are missing in Dask's configuration"
    if "address" in text or isinstance(error, RuntimeError):
        return first_line(error)
    return "no Dask scheduler answers there"


async def _check_reachable(address: str) -> None:
    """Connect to an address; raises an exception if no scheduler answers."""
    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, connection_args=Security().get_connection_args("client")) as server:
        identity = await asyncio.wait_for(server.identity(), TIMEOUT)
    if identity["type"] != "Scheduler":
        raise OSError(f"it is the address of a {identity['type']}")
