"""Words to the user beside the work itself: warnings, and why something takes long."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from ..sources.url_table import UrlTable, open_table

LARGE_TABLE = 50_000_000
"""Bytes, from which on indexing takes long enough to be mentioned."""


def warn(sentence: str) -> None:
    """Say something on standard error; if nobody reads it the exit code still tells."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr)


def open_url_table(path: Path, say: Callable[[str], None], *, keep: bool) -> UrlTable:
    """Open the URL table as `open_table` does, and say so if it has to be indexed."""
    told: list[int] = []

    def progress(_done: int, total: int) -> None:
        if not told and total > LARGE_TABLE:
            told.append(total)
            once = ", only this once" if keep else ""
            say(f"Indexing the URL table ({total / 1e6:.0f} MB){once} ...")

    return open_table(path, progress, keep=keep)
