"""The function that a Dask worker runs for a shard: it starts a process and connects it to the run.

The functions are pickled by value and use no other module of `utils`. The process keeps these modules apart
from any other `utils`, and an image that kills a process does not kill the Dask worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import IO, Any, cast

LENGTH = 4
"""Bytes of the length before each message."""
SECEDE = b"secede"
"""Sent by the process when it mostly waits, so that the worker can start another shard."""
POLL_INTERVAL = 0.5
MAX_SILENCE = 60.0
"""Seconds without a message after which the process counts as hanging and is killed."""
MAX_ERROR = 300


def run_shard(bundle: bytes, digest: str, name: str, shard: bytes, results_queue: str) -> str | None:
    """Run a shard; returns why the process failed, an empty string if it did not, None if it was killed."""
    from distributed import Queue, get_client, get_worker, secede

    worker, client = get_worker(), get_client()
    attempt = secrets.token_hex(8)
    results = Queue(results_queue, client=client)
    commands = Queue(attempt, client=client)
    task = worker.get_current_task()
    home = unpack(bundle, digest, Path(worker.local_directory))
    with tempfile.TemporaryFile() as stderr:
        process = start(home, stderr)
        received = [time.monotonic()]

        def is_wanted() -> bool:
            state = worker.state.tasks.get(task)
            running = state is not None and state.state in ("executing", "long-running")
            return running and time.monotonic() - received[0] < MAX_SILENCE

        forwarder = threading.Thread(target=forward, args=(commands, process, is_wanted), daemon=True)
        try:
            write_frame(cast("IO[bytes]", process.stdin), shard)
            results.put([name, attempt, b""])
            forwarder.start()
            while (frame := read_frame(cast("IO[bytes]", process.stdout))) is not None:
                received[0] = time.monotonic()
                if frame == SECEDE:
                    secede()
                else:
                    results.put([name, attempt, frame])
        except BrokenPipeError:  # the process has died; see its exit code
            process.kill()
        except BaseException:  # the scheduler is gone
            process.kill()
            raise
        finally:
            code = process.wait()
            commands.close()
        if code < 0:
            return None
        stderr.seek(0)
        error = stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
        return error[-MAX_ERROR:] if code else ""


def forward(commands: Any, process: subprocess.Popen[bytes], is_wanted: Any) -> None:
    """Pass commands on to the process until its shard is cancelled, then end it.

    A process that does not end by itself when its standard input closes is killed.
    """
    stdin = cast("IO[bytes]", process.stdin)
    with contextlib.suppress(Exception):  # the scheduler or the process is gone
        while process.poll() is None and is_wanted():
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                write_frame(stdin, commands.get(timeout=POLL_INTERVAL))
    with contextlib.suppress(OSError):
        stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    process.kill()


def start(home: Path, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process; it ends when its standard input closes."""
    return subprocess.Popen(  # our own code
        [sys.executable, "-W", "ignore", "-m", "utils.cluster.shard_process"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write a message after its length."""
    stream.write(len(data).to_bytes(LENGTH, "big") + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read a message; None at the end of the stream, even within a message."""
    header = read_exactly(stream, LENGTH)
    return None if header is None else read_exactly(stream, int.from_bytes(header, "big"))


def read_exactly(stream: IO[bytes], size: int) -> bytes | None:
    """Read `size` bytes, also from an unbuffered stream; None if the stream ends before."""
    parts: list[bytes] = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return None if size else b"".join(parts)


def unpack(bundle: bytes, digest: str, where: Path) -> Path:
    """Unpack our code, once for each worker."""
    home = where / f"part-of-imagenet-{digest}"
    if not home.is_dir():
        partial = Path(tempfile.mkdtemp(dir=where))
        zipfile.ZipFile(io.BytesIO(bundle)).extractall(partial)  # our own code
        try:
            partial.rename(home)
        except OSError:  # another thread was quicker
            shutil.rmtree(partial, ignore_errors=True)
    return home
