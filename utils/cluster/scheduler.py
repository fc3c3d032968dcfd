"""A Dask scheduler: how it is reached or started, and left. The keeper of distributed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..pipeline.worker_pool import no_signals

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

LOCAL = "local"
"""The word for a scheduler and workers on this machine, for as long as the run takes."""
PATIENCE = 5.0
"""Seconds in which a scheduler must answer."""
MOMENT = 0.5
"""Seconds that it has for what is good to know or to do, but no more."""
GONE = (OSError, asyncio.TimeoutError, futures.TimeoutError, futures.CancelledError)
"""What is raised where a scheduler does not answer any more; before Python 3.11 a timeout is no OSError."""
MISSING = "--scheduler needs Dask, which is not installed: pip install -r requirement-extras.txt"


class Scheduler:
    """A connection to a scheduler.

    Parameters
    ----------
    address
        Of an existing scheduler, or `LOCAL`.
    cores, scratch
        Of this machine, for `LOCAL`: so many workers, which keep their files there.

    Attributes
    ----------
    threads
        Of each worker that was there at the beginning.

    Raises
    ------
    InputError
        If Dask is not installed, or the scheduler cannot be reached.
    """

    def __init__(self, address: str, *, cores: int, scratch: Path) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise InputError(MISSING) from error
        _silence()
        self._cluster: LocalCluster | None = None
        try:
            if address == LOCAL:
                self._cluster = _local_cluster(cores, scratch)
            else:
                asyncio.run(_greet(address))  # for a client that fails to connect leaves much behind
            self.client: Client = Client(self._cluster or address, timeout=PATIENCE, set_as_default=False)
            self.threads: dict[str, int] = self.client.nthreads()
        except (*GONE, ValueError, TypeError, RuntimeError) as error:
            self._end_cluster()
            raise InputError(
                f"--scheduler {address} cannot be reached ({_why(error)}). Start one by `dask "
                "scheduler` and give the address that it prints, e.g. tcp://10.0.0.1:8786, or `local`."
            ) from error

    @property
    def dashboard(self) -> str:
        """Where it can be watched."""
        return str(self.client.dashboard_link)

    def leave(self) -> None:
        """Let go of it; a local one ends, and its workers with all that they have started."""
        if self._cluster:
            _kill_workers(self._cluster)
        with contextlib.suppress(*GONE):
            self.client.close(timeout=MOMENT)
        self._end_cluster()

    def _end_cluster(self) -> None:
        if self._cluster:
            with contextlib.suppress(*GONE):
                self._cluster.close(timeout=2)  # all are dead; what is cut short here, Dask waits for at exit


def first_line(error: BaseException | None) -> str:
    """Give what an error says, or its name if it says nothing."""
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__


def _local_cluster(cores: int, scratch: Path) -> LocalCluster:
    from distributed import LocalCluster

    with no_signals():  # Ctrl-C is for this process, which tells the others
        return LocalCluster(
            n_workers=cores,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
        )


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
    return first_line(error)


async def _greet(address: str) -> None:
    """Connect to a scheduler, and no more; raises whatever is against it."""
    from distributed.comm.core import connect
    from distributed.security import Security

    greeting = connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
    comm = await asyncio.wait_for(greeting, PATIENCE + 1)
    comm.abort()
