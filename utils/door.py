"""The way into a script: what may go wrong before anything of the house has been loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable


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
