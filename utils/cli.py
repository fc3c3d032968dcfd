"""The terminal: booleans, signals, exit codes, lines and progress bars. The keeper of tqdm."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from tqdm import tqdm

from .errors import DatasetError
from .progress import Progress

TRUE = frozenset({"true", "yes", "1", "y"})
FALSE = frozenset({"false", "no", "0", "n"})
SIGNAL_EXITS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
SECONDS_BETWEEN_LINES = 10.0
"""Without a terminal a line of progress comes as often as this."""


def boolean(text: str) -> bool:
    """Read a boolean flag's value."""
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return word in TRUE


def number(least: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """Make a reader of numbers that are `least` or more."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} upwards")
        return value

    return read


class Console:
    """Where a run's words go: lines to standard output, bars to a terminal on standard error."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):  # an odd locale may lack a letter; the line matters more
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)

    def say(self, text: str) -> None:
        """Print a line; when nobody reads any more (`| head`), go on in silence."""
        try:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Bar:
    """How far a run is: a bar on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._last_line = time.monotonic()
        self._bar = tqdm(unit=" images", leave=False, dynamic_ncols=True) if sys.stderr.isatty() else None

    def update(self, progress: Progress) -> None:
        """Show the present counts."""
        seconds = max(0.001, time.monotonic() - self._started)
        speed = f"{progress.bytes / 1e6 / seconds:.1f} MB/s, {progress.failed} failed"
        if self._bar is not None:
            self._bar.total = progress.total
            self._bar.set_postfix_str(speed, refresh=False)
            self._bar.update(progress.done - self._bar.n)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            pace = f"{progress.saved / seconds:.1f} images/s"
            self._console.say(f"{progress.done} of {progress.total}: {progress.saved} saved, {pace}, {speed}")

    def close(self) -> None:
        """Clear the bar away."""
        if self._bar is not None:
            self._bar.close()


class Signals:
    """The signals that ask to end.

    At first they raise KeyboardInterrupt. A run that can end in good order says `end_gently`; then the first
    is only taken note of, and a second one ends everything at once.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._gentle = False
        for name in SIGNAL_EXITS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._receive)

    def end_gently(self) -> None:
        """From now on, take note of the first signal and no more."""
        self._gentle = True

    def received(self) -> bool:
        """Whether the run is to end."""
        return self.exit_code is not None

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        code = SIGNAL_EXITS[signal.Signals(signum).name]
        if self.exit_code is not None:
            os._exit(code)  # the workers notice that their pipes are closed, and end, too
        self.exit_code = code
        if not self._gentle:
            raise KeyboardInterrupt


def guarded(work: Callable[[], int]) -> int:
    """Do the work of a script, and turn what stops it into one sentence and an exit code."""
    try:
        return work()
    except DatasetError as error:
        return _stopped(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _stopped("Interrupted. Run the same command again to go on.", SIGNAL_EXITS["SIGINT"])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _stopped(f"{where}{error.strerror or error}.", 1)
    except MemoryError:
        return _stopped(
            "There is not enough memory. Close other programs, or take a smaller --batch_size.", 1
        )


def _stopped(sentence: str, exit_code: int) -> int:
    print(sentence, file=sys.stderr)
    return exit_code
