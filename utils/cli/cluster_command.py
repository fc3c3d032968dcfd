"""`--scheduler`: a run on the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .. import machine
from ..cluster.connection import LOCAL, DaskConnection
from ..cluster.dask_executor import DaskExecutor
from ..fetch import speed_test
from ..models.settings import Settings
from ..pipeline.messages import WorkerConfig
from ..text import pluralize
from .console import Console

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@contextlib.contextmanager
def dask_executor(
    address: str, settings: Settings, config: WorkerConfig, console: Console
) -> Iterator[DaskExecutor]:
    """Connect to a scheduler for the time of a run.

    Raises
    ------
    DatasetError
        If the scheduler cannot be reached.
    """
    batch_size = settings.batch_size or speed_test.DEFAULT_BATCH
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        connection = DaskConnection(address, cores=machine.cores(), scratch=Path(scratch))
        stack.callback(connection.close)
        workers = pluralize(connection.threads, "Dask worker")
        where = "on this machine" if address == LOCAL else f"at {address}"
        console.print(
            f"{workers} {where}, up to {batch_size} images in flight in each shard. "
            f"Dashboard: {connection.dashboard}"
        )
        own = [name for name in PROXIES if os.environ.get(name) or os.environ.get(name.upper())]
        if own and address != LOCAL:
            console.print(f"The workers take proxies from their own environment, not from the {own[0]} here.")
        yield DaskExecutor(
            connection,
            replace(config, result_folder=config.result_folder.resolve()),
            batch_size=batch_size,
            retries=settings.retries,
        )
