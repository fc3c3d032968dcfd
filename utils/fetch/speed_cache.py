"""What the last speed test found, kept for a day in the user's cache folder.

This module alone knows where that folder is, and what the file in it looks like. It is a convenience: that
it cannot be written, or holds garbage, is no error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path

from .. import files

FRESH_SECONDS = 24 * 3600
FASTEST = 1e12  # bits per second; more than that is no measurement

_FOLDER, _FILE = "part-of-imagenet", "network_speed.json"
_VARIABLE = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
_BELOW_HOME = {"win32": "AppData/Local", "darwin": "Library/Caches"}
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError)  # RuntimeError: there is no home


def remembered() -> float | None:
    """Return the speed in bits per second that was measured within the last day, if one was."""
    with contextlib.suppress(*_UNREADABLE):
        kept = json.loads(cache_file().read_text(encoding="utf-8"))
        age = time.time() - kept["measured_at"]
        if 0 <= age < FRESH_SECONDS:  # a clock that was set back makes it negative
            return sound_speed(kept["bits_per_second"])
    return None


def remember(bits_per_second: float) -> None:
    """Keep a speed that was measured just now."""
    kept = {"bits_per_second": bits_per_second, "measured_at": time.time()}
    with contextlib.suppress(OSError, RuntimeError):
        file = cache_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(file, json.dumps(kept).encode())


def cache_file() -> Path:
    """Say where the speed is kept.

    Raises
    ------
    RuntimeError
        If the user has no home.
    """
    named = Path(os.environ.get(_VARIABLE, ""))
    if not named.is_absolute():  # the XDG specification says to ignore relative ones
        named = Path.home() / _BELOW_HOME.get(sys.platform, ".cache")
    return named / _FOLDER / _FILE


def sound_speed(value: object) -> float | None:
    """Return a speed in bits per second if the value is one: 0, NaN and all that is no number are none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < FASTEST:
        return float(value)
    return None
