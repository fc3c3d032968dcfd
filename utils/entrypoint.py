"""Runs the main function of a script: Python version, signals, working directory, import errors, flushing.

Python 3.7 can load this module and the two scripts, so that they can report a version that is too old.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TextIO

MINIMUM_PYTHON = (3, 10)
SIGNAL_EXITS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
"""The signals that end a script, and its exit codes."""
PROJECT = Path(__file__).resolve().parents[1]


def run_main(main: Callable[[], int]) -> int:
    """Run a script's main function; returns its exit code."""
    if sys.version_info < MINIMUM_PYTHON:
        needed, present = (".".join(map(str, version)) for version in (MINIMUM_PYTHON, sys.version_info[:3]))
        print(f"Python {needed} or newer is needed; this is {present}.", file=sys.stderr)
        return 2
    set_signal_handlers(_exit_at_once)  # until `main` has its own: loading the packages takes a while
    _leave_removed_directory()
    # Otherwise processes that this one starts import modules of the working directory, e.g. a queue.py there.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        code = main()
    except KeyboardInterrupt:  # between two steps of the handling in `main`
        code = SIGNAL_EXITS["SIGINT"]
    except ImportError as error:
        print(import_error_message(error), file=sys.stderr)
        code = 2
    finally:
        set_signal_handlers(_exit_at_once)  # the work is done; nothing is left to interrupt
        for stream in filter(None, (sys.stdout, sys.stderr)):
            _flush(stream)
    if code in SIGNAL_EXITS.values():
        set_signal_handlers(signal.SIG_IGN)  # Python restores the default handlers before it ends
    return code


def import_error_message(error: ImportError) -> str:
    """Return which package cannot be imported, and how to install it."""
    install = f"{sys.executable} -m pip install"
    if isinstance(error, ModuleNotFoundError):
        return f"The package {error.name} is missing. Install the requirements: {install} -r requirement.txt"
    cause: BaseException = error
    while cause.__cause__:  # the first error is the short one; packages wrap it in pages of advice
        cause = cause.__cause__
    which = f"The package {error.name}" if error.name else "A package"
    return (
        f"{which} cannot be loaded ({' '.join(str(cause).split())}). Reinstall the requirements: "
        f"{install} --force-reinstall -r requirement.txt"
    )


def set_signal_handlers(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Handle the signals of `SIGNAL_EXITS`, but leave SIGHUP ignored under `nohup`."""
    for name in SIGNAL_EXITS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        ignored = number is not None and signal.getsignal(number) is signal.SIG_IGN
        if number is not None and not (ignored and name == "SIGHUP"):
            signal.signal(number, handler)


def _leave_removed_directory() -> None:
    """Change the working directory if it was removed, because no process can be started in it."""
    try:
        Path.cwd()
    except OSError:
        path = Path(os.environ.get("PWD") or PROJECT)
        folder = path if path.is_dir() else PROJECT  # another directory may have the path now
        os.chdir(folder)
        print(f"The working directory was removed. Relative paths now start at {folder}.", file=sys.stderr)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:  # Python would try again at its end, fail, and exit with code 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _exit_at_once(number: int, _frame: FrameType | None) -> None:
    """Exit without an exception, which any import in progress might catch."""
    os._exit(SIGNAL_EXITS[signal.Signals(number).name])
