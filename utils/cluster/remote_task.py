"""What a Dask worker does: it starts a process with our code, and holds it on a leash.

These functions travel by value, and see nothing of ours but what they are given. The process keeps the work
away from the worker: its modules do not meet another `utils`, an image that kills does not kill it, and its
heartbeats go on.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

LONGEST_COMPLAINT = 300


def carry_out(luggage: bytes, digest: str, shard: bytes) -> dict[str, str] | None:
    """Do a shard; returns what stopped it, empty if nothing did, or None if its process was killed."""
    from distributed import get_worker, secede

    worker = get_worker()
    home = _unpacked(luggage, digest, Path(worker.local_directory))
    with tempfile.TemporaryFile() as complaints:
        code, said = _run(home, shard, complaints, secede)
        if code < 0:
            return None
        if said.strip():
            fault = dict(json.loads(said))
            return fault and fault | {"worker": worker.address}
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
        return {"kind": "", "sentence": complaint[-LONGEST_COMPLAINT:], "worker": worker.address}


def _run(home: Path, shard: bytes, complaints: IO[bytes], make_room: Callable[[], None]) -> tuple[int, bytes]:
    """Run the process; gives its exit code, and what it says in the end.

    When only waiting is left it says so by an empty line, and the worker may begin with the next shard.
    """
    process = subprocess.Popen(  # our own code
        [sys.executable, "-W", "ignore", "-m", "utils.cluster.shard_main"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
    )
    leash, mouth = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    try:
        leash.write(shard)
        leash.flush()  # and it stays open: when it closes, the process ends
        said = mouth.readline()
        if said == b"\n":
            make_room()
        said += mouth.read()
    except BrokenPipeError:
        said = b""
    finally:
        with contextlib.suppress(BrokenPipeError):
            leash.close()
        code = process.wait()
        mouth.close()
    return code, said


def what_is_missing(libraries: list[str], file: str) -> str:
    """Say what a worker lacks: a library, or the sight of a file in the shared folder; empty if nothing."""
    for name in libraries:
        if importlib.util.find_spec(name) is None:
            return f"lacks {name}: install requirement.txt there"
    if not Path(file).exists():
        return f"does not see {Path(file).parent}: all machines must have --save_dir under the same path"
    return ""


def _unpacked(luggage: bytes, digest: str, where: Path) -> Path:
    home = where / f"part-of-imagenet-{digest}"
    if not home.is_dir():
        partial = Path(tempfile.mkdtemp(dir=where))
        zipfile.ZipFile(io.BytesIO(luggage)).extractall(partial)
        try:
            partial.rename(home)
        except OSError:  # another thread was quicker
            shutil.rmtree(partial, ignore_errors=True)
    return home
