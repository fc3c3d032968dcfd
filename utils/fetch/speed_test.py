"""The network's speed, and how many images in flight follow from it.

This module alone knows speedtest-cli: it is run as a process of its own
(``python -m utils.fetch.speed_test``) beside the work, as it may hang, keeps threads that cannot be
stopped, and takes hold of standard output.
What was measured is kept for a day by `speed_cache`.

How many images: a line carries bits per second / 8 / `MEAN_IMAGE_BYTES` images a second, and each of them
stays in flight for `MEAN_SECONDS_IN_FLIGHT`; the product of the two keeps the line busy.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..text import pluralize
from . import speed_cache
from .speed_cache import sound_speed

DEFAULT_BATCH = 256
UNKNOWN = "the default for an unknown network"
LEAST_BATCH, MOST_BATCH = 16, 1024
MEAN_IMAGE_BYTES = 110_000
# Half of the URLs are alive and answer within 0.46 s. Of the dead half, a third says so within 0.5 s, and
# two thirds wait for the 5 s that connecting may take: 0.5 * 0.46 + 0.5 * (0.5 / 3 + 5 * 2 / 3) s.
MEAN_SECONDS_IN_FLIGHT = 1.98
# On a slow line those few are often all waiting for the dead at once, so that it lies idle: it gets more, but
# not so many that an image would need half of its 10 s.
FEW, SECONDS_ON_SLOW_LINES = 64, 4.0
IMAGES_PER_CORE = 500  # a second: 1.5 ms for judging an image, 0.5 ms for everything else

FILES_PER_TRANSFER = 3  # IPv4 and IPv6 are tried side by side, and the resolver holds one
FILES_KEPT = 40  # of each worker: its modules, pipes, and the image that it writes

MOST_SECONDS = 10.0  # of a speed test in all
TRY_SECONDS, DOWNLOAD_SECONDS = 3, 4
SERVERS_ASKED = 3
# Pictures of 1500 x 1500 pixels have 4.5 MB; five are 22 MB, where speedtest-cli would take up to 400 MB.
PICTURE_SIDE, PICTURES, THREADS = 1500, 5, 4

_PROJECT = Path(__file__).resolve().parents[2]
_PLAIN = "--plain"


@dataclass(frozen=True)
class BatchSize:
    """How many images may be in flight over all workers, and why, for the screen."""

    number: int
    why: str


@dataclass(frozen=True)
class Measured:
    """What a speed test has to say: whether it is over, and what it found (None if it failed)."""

    finished: bool
    bits_per_second: float | None = None


def batch_size(bits_per_second: float | None, *, cores: int, open_files: int) -> BatchSize:
    """Choose how many images to have in flight.

    Parameters
    ----------
    bits_per_second
        The network's speed; None, or no sensible number, where it is not known.
    cores
        CPUs, and so worker processes.
    open_files
        How many descriptors each process may have.
    """
    speed = sound_speed(bits_per_second)
    unknown = BatchSize(DEFAULT_BATCH, UNKNOWN)
    wished = _for_line(speed, max(1, cores)) if speed else unknown
    return allowed(wished, cores=cores, open_files=open_files)


def allowed(wished: BatchSize, *, cores: int, open_files: int) -> BatchSize:
    """Bound a batch size by the descriptors that each of the processes may have."""
    most = max(1, cores) * max(1, (open_files - FILES_KEPT) // FILES_PER_TRANSFER)
    return wished if wished.number <= most else BatchSize(most, f"as {open_files} open files allow")


def _for_line(bits_per_second: float, cores: int) -> BatchSize:
    carried = bits_per_second / 8 / MEAN_IMAGE_BYTES
    images = min(carried, cores * IMAGES_PER_CORE)
    wished = round(max(images * MEAN_SECONDS_IN_FLIGHT, min(images * SECONDS_ON_SLOW_LINES, FEW)))
    megabits = bits_per_second / 1e6
    speed = f"{megabits:.0f}" if megabits >= 10 else f"{megabits:.1f}"
    why = f"for {speed} Mbit/s on {pluralize(cores, 'core')}"
    return BatchSize(min(max(wished, LEAST_BATCH), MOST_BATCH), why)


class SpeedTest:
    """A measurement beside the work: `start` it, ask for its `result` now and then, and `stop` it.

    None of these waits, raises or writes on the terminal, whatever the network does.

    Parameters
    ----------
    secure
        Whether to talk TLS to speedtest.net, which refuses everything else.
    """

    def __init__(self, *, secure: bool = True) -> None:
        self._options = [] if secure else [_PLAIN]
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0
        self._measured = Measured(finished=True)

    def start(self) -> None:
        """Begin, unless a measurement is under way."""
        if self._process is not None:
            return
        self._deadline = time.monotonic() + MOST_SECONDS
        with contextlib.suppress(OSError):  # no memory or descriptor for it: as if it had failed
            self._process = self._open()
        self._measured = Measured(finished=self._process is None)

    def result(self) -> Measured:
        """Say what is known by now; a speed found is kept for a day."""
        process = self._process
        if process and (process.poll() is not None or time.monotonic() >= self._deadline):
            speed = sound_speed(_number(self._end(process)))
            self._measured = Measured(finished=True, bits_per_second=speed)
            if speed:
                speed_cache.remember(speed)
        return self._measured

    def stop(self) -> None:
        """End it at once; nothing is left of it."""
        if self._process:
            self._end(self._process)
            self._measured = Measured(finished=True)

    def _open(self) -> subprocess.Popen[bytes]:
        paths = [str(_PROJECT), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(  # noqa: S603 - the command is our own
            [sys.executable, "-W", "ignore", "-m", "utils.fetch.speed_test", *self._options],
            cwd=_PROJECT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _end(self, process: subprocess.Popen[bytes]) -> bytes:
        self._process = None
        process.kill()
        return process.communicate()[0]


def _number(output: bytes) -> object:
    with contextlib.suppress(ValueError):
        return json.loads(output)
    return None


def measure(*, secure: bool) -> float:
    """Download a little from a near server of speedtest.net; return bits per second, 0 for failure."""
    import speedtest  # here, because it takes hold of standard output

    bounds = {
        "sizes": {"download": [PICTURE_SIDE]},
        "counts": {"download": PICTURES},
        "threads": {"download": THREADS},
        "length": {"download": DOWNLOAD_SECONDS},
    }
    test = speedtest.Speedtest(config=bounds, timeout=TRY_SECONDS, secure=secure)
    test.get_best_server(test.get_closest_servers(SERVERS_ASKED))
    return float(test.download())


def _serve() -> NoReturn:
    """Write the speed to standard output and end, at the latest when time is up or the parent is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    overtime = threading.Timer(MOST_SECONDS, os._exit, [1])
    overtime.daemon = True
    overtime.start()
    try:
        os.write(1, json.dumps(measure(secure=_PLAIN not in sys.argv)).encode())
    finally:  # whatever happened: speedtest's threads would keep the process
        os._exit(0)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    _serve()
