"""The way into a script and out of it: what may go wrong before the house is loaded, and after it is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO


def enter(main: Callable[[], int]) -> int:
    """Run a script's main function; returns its exit code."""
    try:
        return main()
    except KeyboardInterrupt:  # before anything could have begun
        return 130
    except ModuleNotFoundError as error:
        install = f"{sys.executable} -m pip install -r requirement.txt"
        print(f"The package {error.name} is missing. Install what is needed: {install}", file=sys.stderr)
        return 2
    finally:
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)


def _flush(stream: TextIO | None) -> None:
    """Write the last words; if nobody takes them they go, or Python would end with a code of its own."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
