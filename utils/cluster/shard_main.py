"""The process of one shard: it reads the shard from standard input, and ends at the latest when that ends.

So nothing outlives the Dask worker that started it. What stopped it is written to standard output, as JSON.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading


def main() -> int:
    """Do the shard."""
    from .. import machine
    from ..errors import DatasetError
    from .shard import Lease, Shard
    from .shard_work import work

    let_go = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever holds the lease is told to stop by its giver
    signal.signal(signal.SIGTERM, lambda *_: let_go.set())
    shard: Shard = pickle.load(sys.stdin.buffer)  # noqa: S301  # from whoever started this process
    threading.Thread(target=_listen, args=(let_go,), daemon=True).start()
    machine.open_files()
    try:
        work(shard, Lease(shard, let_go.is_set), when_waiting=lambda: print(flush=True))
    except DatasetError as error:
        print(json.dumps({"kind": type(error).__name__, "sentence": str(error)}))
        return 0
    print(json.dumps({}))
    return 0


def _listen(let_go: threading.Event) -> None:
    """Wait for the end of standard input; not by its buffer, for which Python would wait."""
    while os.read(0, 4_096):
        pass
    let_go.set()


if __name__ == "__main__":
    sys.exit(main())
