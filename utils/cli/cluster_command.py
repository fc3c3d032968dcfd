"""--scheduler: the work of a run on the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace

from .. import machine
from ..cluster.dask_executor import DaskExecutor
from ..cluster.scheduler import LOCAL, Scheduler
from ..cluster.workers import DaskWorkers
from ..errors import wrap_os_errors
from ..fetch import speed_test
from ..pipeline.context import RunContext
from ..pipeline.messages import WorkerConfig
from ..results.shards import SHARDS_NAME, ShardFolder
from ..text import pluralize
from .console import Console

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@contextlib.contextmanager
def fleet(address: str, store: RunContext, order: WorkerConfig, console: Console) -> Iterator[DaskExecutor]:
    """Give the traffic of the workers of the scheduler at an address, and let go of them afterwards.

    Raises
    ------
    DatasetError
        If the scheduler cannot be reached, or there is no place for what machines tell each other.
    """
    settings = store.settings
    result = store.folder.resolve()
    folder = ShardFolder(result / SHARDS_NAME / secrets.token_hex(4))
    with wrap_os_errors(folder.path):
        folder.path.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(folder.remove)
        scheduler = Scheduler(address, cores=machine.cores(), scratch=folder.scratch)
        stack.callback(scheduler.leave)
        workers = DaskWorkers(scheduler)
        batch_size = settings.batch_size or speed_test.DEFAULT_BATCH
        console.print(f"{_told(workers, address, batch_size)} Dashboard: {scheduler.dashboard}")
        if remark := _of_proxies(address):
            console.print(remark)
        yield DaskExecutor(
            workers,
            folder,
            replace(order, result_folder=result),
            batch_size=batch_size,
            retries=settings.retries,
        )


def _told(workers: DaskWorkers, address: str, batch_size: int) -> str:
    threads = f"{pluralize(workers.slots, 'thread')} of Dask workers"
    where = "on this machine" if address == LOCAL else f"at {address}"
    return f"{threads} {where}, up to {batch_size} images in flight in each shard."


def _of_proxies(address: str) -> str:
    """Say that workers know nothing of the proxies that this process was given; empty if there are none."""
    own = [name for name in PROXIES if os.environ.get(name) or os.environ.get(name.upper())]
    if address == LOCAL or not own:
        return ""
    return f"The workers take proxies from their own environment, not from the {own[0]} of this one."
