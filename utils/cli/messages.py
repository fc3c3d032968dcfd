"""Text for the screen, warnings, and the note that the URL table is being indexed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from ..fetch.credentials import redact
from ..sources.url_table import UrlTable, open_table
from ..text import printable

LARGE_TABLE = 50_000_000
"""Bytes; indexing a larger table takes long enough for a note."""


def for_screen(text: str) -> str:
    """Return a text without letters that control a terminal or mislead, and without credentials.

    All text that the scripts print passes through here, since servers, tables and archives contribute to it.
    Line breaks are kept.
    """
    return redact("\n".join(map(printable, text.split("\n"))))


def warn(message: str) -> None:
    """Print to standard error; errors are ignored, as the exit code states the result, too."""
    with contextlib.suppress(OSError):
        print(for_screen(message), file=sys.stderr, flush=True)


def open_url_table(path: Path, print_line: Callable[[str], None], *, keep: bool) -> UrlTable:
    """Open the URL table as `open_table` does, with a note if a large table must be indexed."""
    is_noted = False

    def progress(_done: int, total: int) -> None:
        nonlocal is_noted
        if not is_noted and total > LARGE_TABLE:
            is_noted = True
            once = ", only this once" if keep else ""
            print_line(f"Indexing the URL table ({total / 1e6:.0f} MB){once} ...")

    return open_table(path, progress, keep=keep)
