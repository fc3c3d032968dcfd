"""Decodes an image in a process of its own, whose CPU time is limited.

Decoders cannot be interrupted, and no header tells how long all of them take. While the process works, its
parent can handle signals and other transfers.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from ..models.images import ImageFormat
from . import decoding
from .decoding import Decoded
from .structure import DamagedError, Size

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

CPU_SECONDS = 5
MAX_SECONDS = 20.0
"""Seconds of the clock, after which the machine is suspended or overloaded."""
POLL_INTERVAL = 0.02
"""Seconds between two calls of `wait`."""
TOO_SLOW = "decoding takes too long"
_PROJECT = Path(__file__).resolve().parents[2]


def decode(image_format: ImageFormat, data: bytes, size: Size, wait: Callable[[], None]) -> Decoded:
    """Decode an image like `decoding.decode`; `wait` is called repeatedly until it is done.

    Raises
    ------
    TruncatedError, DamagedError
        If the image is incomplete or damaged, takes too much CPU time or crashes the decoder.
    MemoryError
        If there is not enough memory, or the process was killed.
    """
    try:
        process = _start()
    except OSError as error:
        raise MemoryError(str(error)) from error
    stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    deadline = time.monotonic() + MAX_SECONDS
    with process:
        try:
            with contextlib.suppress(BrokenPipeError), stdin:  # it may have died already
                pickle.dump((image_format, data, size), stdin)
            while process.poll() is None and time.monotonic() < deadline:
                wait()
                time.sleep(POLL_INTERVAL)
        finally:
            process.kill()
        answer = stdout.read()
    if not answer:
        raise _error(process.returncode)
    result: Decoded | Exception = pickle.loads(answer)  # noqa: S301  # from our own process
    if isinstance(result, Exception):
        raise result
    return result


def _error(exit_code: int) -> Exception:
    """Return why a process gave no answer."""
    if resource is None or exit_code == -signal.SIGXCPU:
        return DamagedError(TOO_SLOW)
    if exit_code < 0 and exit_code != -signal.SIGKILL:
        return DamagedError("it crashes its decoder")
    return MemoryError("the process that decodes an image was killed")


def main() -> None:
    """Decode the image that arrives on standard input."""
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        seconds = int(sys.argv[1])
        soft = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    result: Decoded | Exception
    try:
        result = decoding.decode(*pickle.load(sys.stdin.buffer))  # noqa: S301  # from our own process
    except (DamagedError, MemoryError) as error:
        result = error
    pickle.dump(result, sys.stdout.buffer)


def _start() -> subprocess.Popen[bytes]:
    paths = filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(  # noqa: S603 - a command of this project
        [sys.executable, "-W", "ignore", "-m", "utils.images.decoder_process", str(CPU_SECONDS)],
        cwd=_PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal ends its parent only
    )


if __name__ == "__main__":
    main()
