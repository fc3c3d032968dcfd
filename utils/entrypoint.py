"""The way into a script and out of it: what may go wrong before the house is loaded, and after it is left."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TextIO

OLDEST = (3, 10)
"""The Python that all else needs; this module and the two scripts can be loaded by older ones, to say so."""
SIGNAL_EXITS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
"""The signals that ask to end, and the exit codes that say so."""


def enter(main: Callable[[], int]) -> int:
    """Run a script's main function; returns its exit code."""
    if sys.version_info < OLDEST:
        needed, ours = (".".join(map(str, version)) for version in (OLDEST, sys.version_info[:3]))
        print(f"Python {needed} or newer is needed; this is {ours}.", file=sys.stderr)
        return 2
    answer_signals(_leave)  # until the script answers them itself: loading it takes a while
    try:
        code = main()
    except KeyboardInterrupt:  # between two steps of the script's own answer
        code = SIGNAL_EXITS["SIGINT"]
    except ImportError as error:
        print(advice(error), file=sys.stderr)
        code = 2
    finally:
        answer_signals(_leave)  # all is done, and nothing is left that could be interrupted in order
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)
    if code in SIGNAL_EXITS.values():
        answer_signals(signal.SIG_IGN)  # Python forgets our answer before its end
    return code


def advice(error: ImportError) -> str:
    """Say in a sentence what cannot be loaded, and what to do."""
    install = f"{sys.executable} -m pip install"
    if isinstance(error, ModuleNotFoundError):
        return f"The package {error.name} is missing. Install what is needed: {install} -r requirement.txt"
    cause: BaseException = error
    while cause.__cause__:  # the first says it best; around it are pages of good advice
        cause = cause.__cause__
    which = f"The package {error.name}" if error.name else "A package"
    return (
        f"{which} cannot be loaded ({' '.join(str(cause).split())}). Install what is needed anew: "
        f"{install} --force-reinstall -r requirement.txt"
    )


def answer_signals(answer: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Let the signals that ask to end be answered so; under `nohup`, a hang-up asks nothing."""
    for name in SIGNAL_EXITS:
        number = getattr(signal, name, None)  # not every system has all of them
        ignored = number is not None and signal.getsignal(number) is signal.SIG_IGN
        if number is not None and not (ignored and name == "SIGHUP"):
            signal.signal(number, answer)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End at once: an exception could come out anywhere in what Python is just loading."""
    os._exit(SIGNAL_EXITS[signal.Signals(number).name])


def _flush(stream: TextIO | None) -> None:
    """Write the last words; if nobody takes them they go, or Python would end with a code of its own."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
