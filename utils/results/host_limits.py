"""`.hosts.json` in the result folder: what hosts allowed that refused requests; forgotten after a day."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import read_json, write_atomic
from ..models.hosts import LearnedLimit

HOSTS_NAME = ".hosts.json"
MAX_AGE = 24 * 3600.0
"""Seconds for which it is remembered what a host allows."""
MIN_PACE = 1 / 3600
"""Requests per second; no run learns less, as it asks every ten minutes."""


def read(folder: Path) -> dict[str, LearnedLimit]:
    """Read what hosts allow, by their names; nothing if there is no readable file."""
    found = {}
    for host, entry in _read_entries(folder).items():
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError, OverflowError):  # edited
            pace = entry["requests_per_second"]
            pace = None if pace is None else float(pace)
            if pace is None or MIN_PACE < pace < math.inf:
                found[host] = LearnedLimit(pace, max(1, int(entry["concurrent_requests"])))
    return found


def write(folder: Path, learned: Mapping[str, LearnedLimit]) -> None:
    """Add what a run has learned to the file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if not learned:
        return
    now = round(time.time())
    entries = _read_entries(folder) | {
        host: {"requests_per_second": limit.pace, "concurrent_requests": limit.concurrency, "learned": now}
        for host, limit in sorted(learned.items())
    }
    write_atomic(folder / HOSTS_NAME, (json.dumps(entries, indent=1) + "\n").encode())


def _read_entries(folder: Path) -> dict[str, Any]:
    try:
        content = read_json(folder / HOSTS_NAME)
        now = time.time()
        return {host: entry for host, entry in content.items() if abs(now - entry["learned"]) <= MAX_AGE}
    except (OSError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return {}
