"""What both command lines need: readers of flags, their parser, signals, exit codes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ..entrypoint import SIGNAL_EXITS, answer_signals
from ..errors import MORE_FILES, TOO_MANY_OPEN, DatasetError

TRUE = frozenset({"true", "yes", "1", "y"})
FALSE = frozenset({"false", "no", "0", "n"})
TOGETHER = 2.0
"""Seconds in which signals are one: `timeout`, batch systems and closing terminals send them to a process
and to its group. Only who presses Ctrl-C twice means it."""


def boolean(text: str) -> bool:
    """Read a boolean flag's value."""
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return word in TRUE


def number(
    least: float, kind: Callable[[str], float] = int, *, most: float = 2**31
) -> Callable[[str], float]:
    """Make a reader of numbers from `least` to `most`."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            upwards = f"from {least} upwards" if value < least or value != value else f"up to {most}"
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} {upwards}")
        return value

    return read


def one_of(words: Sequence[str], text: str) -> str:
    """Read one of some words, however it is capitalised."""
    if text.lower() not in words:
        several = "; separate them by blanks" if "," in text else ""
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}{several}")
    return text.lower()


def address(text: str) -> str:
    """Read a path or a URL; an empty one is a variable that nobody has set, and no wish for this folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("this is empty: say where, or leave the flag out")
    return text


def path(text: str) -> Path:
    """Read a path; in `--save_dir=~/x` the shell leaves the `~` to us."""
    address(text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} names no user of this machine") from error


def file(text: str) -> Path:
    """Read the path of a file; a folder is none."""
    place = path(text)
    if os.path.isdir(place):  # noqa: PTH112  # unlike Path's it leaves faults to who opens the file
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: give the file in it")
    return place


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves each flag's help on one line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=38, width=110)


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; all flags above it would only push it off the screen."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{message.removeprefix('argument ')} (--help shows all flags.)\n")


class Signals:
    """The signals that ask to end.

    At first they raise KeyboardInterrupt. A run that can end in good order says `end_gently`; then the first
    is only taken note of, and a later one ends everything at once. `end_at_once` takes that back.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._gentle = False
        self._received_at = 0.0
        answer_signals(self._receive)

    def end_gently(self) -> None:
        """From now on, take note of the first signal and no more."""
        self._gentle = True

    def end_at_once(self) -> None:
        """From now on, let the first signal raise KeyboardInterrupt again."""
        self._gentle = False

    def received(self) -> bool:
        """Whether the run is to end."""
        return self.exit_code is not None

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        code = SIGNAL_EXITS[signal.Signals(signum).name]
        if self.exit_code is not None:
            if signum != signal.SIGINT and time.monotonic() - self._received_at < TOGETHER:
                return
            os.write(2, b"\nStopped at once. The next run completes the reports.\n")
            os._exit(code)  # the workers notice that their pipes are closed, and end, too
        self.exit_code, self._received_at = code, time.monotonic()
        if not self._gentle:
            raise KeyboardInterrupt


def guarded(work: Callable[[], int], signals: Signals) -> int:
    """Do the work of a script, and turn what stops it into one sentence and an exit code."""
    code = _guarded(work)
    return code if signals.exit_code is None else signals.exit_code


def _guarded(work: Callable[[], int]) -> int:
    try:
        return work()
    except DatasetError as error:
        return _stopped(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _stopped("Interrupted. Run the same command again to go on.", SIGNAL_EXITS["SIGINT"])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        how = f" {MORE_FILES}" if error.errno in TOO_MANY_OPEN else ""
        return _stopped(f"{where}{error.strerror or error}.{how}", 1)
    except UnicodeEncodeError as error:
        return _stopped(
            f"{error.object!a} cannot be written in the encoding of this locale ({error.encoding}). "
            "Set the environment variable PYTHONUTF8 to 1, and run again.",
            2,
        )
    except MemoryError:
        return _stopped(
            "There is not enough memory. Close other programs, or take a smaller --batch_size.", 1
        )


def _stopped(sentence: str, exit_code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it any more; the exit code still tells
        print(sentence, file=sys.stderr, flush=True)
    return exit_code
