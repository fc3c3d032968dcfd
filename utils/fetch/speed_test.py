"""Measures the speed of the network with speedtest-cli, and keeps the result for a day.

The measurement runs in a process of its own (``python -m utils.fetch.speed_test``): speedtest-cli may hang,
starts threads that cannot be stopped, and uses standard output. The result is kept in the user's cache
folder; it is no error if that cannot be written or holds anything else.
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

from .. import files
from ..machine import cache_folder

MAX_SECONDS = 10.0  # of a measurement in all
REQUEST_TIMEOUT, DOWNLOAD_SECONDS = 3, 4
SERVERS = 3
# Pictures of 1500 x 1500 pixels have 4.5 MB; five are 22 MB, where speedtest-cli would load up to 400 MB.
PICTURE_SIDE, PICTURES, THREADS = 1500, 5, 4
CACHE_SECONDS = 24 * 3600
MAX_SPEED = 1e12  # bits per second; anything more is no measurement

_PROJECT = Path(__file__).resolve().parents[2]
_PLAIN_HTTP = "--plain-http"
_CACHE_FILE = "network_speed.json"
_READ_ERRORS = (OSError, ValueError, TypeError, KeyError, RuntimeError)  # RuntimeError: no home


@dataclass(frozen=True)
class Measurement:
    """The state of a measurement, and the speed that was found (None if it failed)."""

    finished: bool
    bits_per_second: float | None = None


class SpeedTest:
    """A measurement in the background: call `start`, then `result` now and then, or `stop`.

    None of the methods waits, raises or writes to the terminal.

    Parameters
    ----------
    secure
        Whether to use TLS; speedtest.net requires it.
    """

    def __init__(self, *, secure: bool = True) -> None:
        self._options = [] if secure else [_PLAIN_HTTP]
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0
        self._measurement = Measurement(finished=True)

    def start(self) -> None:
        """Start, unless a measurement is running."""
        if self._process is not None:
            return
        self._deadline = time.monotonic() + MAX_SECONDS
        paths = [str(_PROJECT), os.environ.get("PYTHONPATH", "")]
        with contextlib.suppress(OSError):  # without memory or descriptors the measurement fails
            self._process = subprocess.Popen(  # noqa: S603 - a command of this project
                [sys.executable, "-W", "ignore", "-m", "utils.fetch.speed_test", *self._options],
                cwd=_PROJECT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        self._measurement = Measurement(finished=self._process is None)

    def result(self) -> Measurement:
        """Return the current state; a speed that was found is cached."""
        process = self._process
        if process and (process.poll() is not None or time.monotonic() >= self._deadline):
            speed = None
            with contextlib.suppress(ValueError):
                speed = valid_speed(json.loads(self._end(process)))
            self._measurement = Measurement(finished=True, bits_per_second=speed)
            if speed:
                cache_speed(speed)
        return self._measurement

    def stop(self) -> None:
        """End the measurement at once."""
        if self._process:
            self._end(self._process)
            self._measurement = Measurement(finished=True)

    def _end(self, process: subprocess.Popen[bytes]) -> bytes:
        self._process = None
        process.kill()
        return process.communicate()[0]


def cached_speed() -> float | None:
    """Return the speed in bits per second that was measured within the last day, if any."""
    with contextlib.suppress(*_READ_ERRORS):
        content = files.read_json(cache_file())
        age = time.time() - content["measured_at"]
        if 0 <= age < CACHE_SECONDS:  # negative if the clock was set back
            return valid_speed(content["bits_per_second"])
    return None


def cache_speed(bits_per_second: float) -> None:
    """Store a speed that was measured just now."""
    content = {"bits_per_second": bits_per_second, "measured_at": time.time()}
    with contextlib.suppress(OSError, RuntimeError):
        file = cache_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(file, json.dumps(content).encode())


def cache_file() -> Path:
    """Return the path of the cache; see `cache_folder`."""
    return cache_folder() / _CACHE_FILE


def valid_speed(value: object) -> float | None:
    """Return a value as a speed in bits per second; None for 0, NaN and anything that is no number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < MAX_SPEED:
        return float(value)
    return None


def measure(*, secure: bool) -> float:
    """Download from a near server of speedtest.net; returns bits per second, 0 for failure."""
    import speedtest  # imported here because it replaces standard output

    limits = {
        "sizes": {"download": [PICTURE_SIDE]},
        "counts": {"download": PICTURES},
        "threads": {"download": THREADS},
        "length": {"download": DOWNLOAD_SECONDS},
    }
    test = speedtest.Speedtest(config=limits, timeout=REQUEST_TIMEOUT, secure=secure)
    test.get_best_server(test.get_closest_servers(SERVERS))
    return float(test.download())


def _main() -> NoReturn:
    """Write the speed to standard output; ends after `MAX_SECONDS` or with the parent process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    timer = threading.Timer(MAX_SECONDS, os._exit, [1])
    timer.daemon = True
    timer.start()
    try:
        os.write(1, json.dumps(measure(secure=_PLAIN_HTTP not in sys.argv)).encode())
    finally:  # speedtest's threads would keep the process alive
        os._exit(0)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    _main()
