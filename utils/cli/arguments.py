"""Shared by both command lines: parser and help, signals, exit codes."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ..entrypoint import SIGNAL_EXITS, set_signal_handlers
from ..errors import NO_THREAD, RAISE_FILE_LIMIT, TOO_MANY_OPEN_FILES, TOO_MANY_PROCESSES, DatasetError
from .messages import for_screen, warn
from .options import Option

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of the scripts, in which files are by default."""
MAX_WIDTH = 110
DASHES = "-\N{EN DASH}\N{EM DASH}"
"""Web pages and word processors turn the hyphens of flags into dashes."""
SAME_SIGNAL_SECONDS = 2.0
"""Signals within this time count as one, since `timeout`, batch systems and closing terminals send them both
to a process and to its group. SIGINT is an exception: Ctrl-C pressed twice ends a run at once."""


class HelpFormatter(argparse.HelpFormatter):
    """Fits the terminal; with `MAX_WIDTH` columns the help of each flag is on one line."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns - 1, MAX_WIDTH)
        super().__init__(prog, max_help_position=38 if width == MAX_WIDTH else 30, width=width)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """Write "X ..." for several values."""
        (metavar,) = self._metavar_formatter(action, default_metavar)(1)
        formats = {argparse.ONE_OR_MORE: f"{metavar} ...", argparse.ZERO_OR_MORE: f"[{metavar} ...]"}
        many = formats.get(str(action.nargs))
        return super()._format_args(action, default_metavar) if many is None else many


class Parser(argparse.ArgumentParser):
    """Parses the flags of a script; hyphens in flags count as underscores.

    Parameters
    ----------
    prog
        The name of the script.
    groups
        The options by the titles of their groups.
    everyday
        The flags that `--help` shows; None for all.
    """

    def __init__(
        self,
        prog: str,
        groups: Mapping[str, Iterable[Option]],
        *,
        description: str,
        epilog: str,
        everyday: Collection[str] | None = None,
    ) -> None:
        super().__init__(
            prog=prog,
            usage=f"python {prog} [--flag value ...]",
            description=description,
            epilog=epilog,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self._everyday = everyday
        for title, options in groups.items():
            group = self.add_argument_group(title)
            for option in options:
                help_text, arguments = option.help, dict(option.arguments)
                if option.default is not None:
                    help_text += f" (default: {option.default})"
                    arguments["default"] = option.default
                group.add_argument(f"--{option.flag}", help=help_text, **arguments)
        group = self.add_argument_group("about this script")
        for flags, help_text, text in (
            (["-h", "--help"], "show the everyday flags", lambda: self.format_help(self._everyday)),
            (["--help_all"], "show all flags", self.format_help),
            (["--version"], "show the version", lambda: f"part-of-imagenet {_version()}\n"),
        ):
            group.add_argument(*flags, action=_Show, dest=argparse.SUPPRESS, text=text, help=help_text)

    def format_help(self, flags: Collection[str] | None = None) -> str:
        """Return the help of some flags, or of all of them, in their groups."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_arguments(
                action
                for action in group._group_actions
                if flags is None or action.dest in flags or isinstance(action, _Show)
            )
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse flags as argparse does, and name the flag that is nearest to an unknown one."""
        words = [self._with_underscores(arg) for arg in (sys.argv[1:] if args is None else args)]
        known, rest = super().parse_known_args(words, namespace)
        for arg in rest:
            flag = arg.partition("=")[0]
            if flag[:1] in DASHES and flag.strip(DASHES):
                self.error(f"{flag} is no flag of this script{self._nearest(flag)}")
        if rest:
            before = [word.partition("=")[0] for word in words[: words.index(rest[0])]]
            flags = [word for word in before if word in self._option_string_actions]
            if flags:
                number = "no" if self._option_string_actions[flags[-1]].nargs == 0 else "one"
                self.error(
                    f"{flags[-1]} takes {number} value: leave {rest[0]!r} out, or put its flag before it"
                )
            example = f"{self._actions[0].option_strings[0]} {rest[0]}"
            self.error(f"{rest[0]!r} follows no flag; did you mean {example}?")
        return known, rest

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        text = message.removeprefix("argument ")
        self.exit(2, f"{for_screen(text)} (--help_all shows all flags.)\n")

    def _with_underscores(self, argument: str) -> str:
        flag, equals, value = argument.partition("=")
        spelled = f"{flag[:2]}{flag[2:].replace('-', '_')}"
        return f"{spelled}{equals}{value}" if spelled in self._option_string_actions else argument

    def _nearest(self, flag: str) -> str:
        name = flag.strip(DASHES).replace("-", "_").lower()
        names = {flag.strip(DASHES): flag for flag in self._option_string_actions if flag.startswith("--")}
        nearest = difflib.get_close_matches(name, names, n=1)
        nearest = nearest or [one for one in names if one.startswith(name)][:1]
        return f"; did you mean {names[nearest[0]]}?" if nearest else "."


class _Show(argparse.Action):
    """Prints a text and exits."""

    def __init__(self, option_strings: Sequence[str], *, text: Callable[[], str], **arguments: Any) -> None:
        super().__init__(option_strings, nargs=0, **arguments)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the text."""
        print(self._text(), end="")
        parser.exit()


def _version() -> str:
    from ..gallery.run_history import version  # imported late: seldom needed

    return version()


class Signals:
    """Handles the signals that end a script.

    A signal raises KeyboardInterrupt. After `defer_interrupts` the first one only makes `received` true, so
    that the run can end in good order, and a later one exits at once.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._deferred = False
        self._received_at = 0.0
        set_signal_handlers(self._receive)

    def defer_interrupts(self) -> None:
        """From now on, only record the first signal."""
        self._deferred = True

    def raise_interrupts(self) -> None:
        """From now on, raise KeyboardInterrupt at the first signal."""
        self._deferred = False

    def received(self) -> bool:
        """Whether a signal was received."""
        return self.exit_code is not None

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        code = SIGNAL_EXITS[signal.Signals(signum).name]
        if self.exit_code is not None:
            if signum != signal.SIGINT and time.monotonic() - self._received_at < SAME_SIGNAL_SECONDS:
                return
            os.write(2, b"\nStopped at once. The next run completes the reports.\n")
            os._exit(code)  # worker processes end when their pipes are closed
        self.exit_code, self._received_at = code, time.monotonic()
        if not self._deferred:
            raise KeyboardInterrupt


def run_script(work: Callable[[], int], signals: Signals) -> int:
    """Do the work of a script; returns its exit code, and prints one sentence for an error."""
    try:
        code = work()
    except (DatasetError, KeyboardInterrupt, OSError, UnicodeEncodeError, MemoryError) as error:
        message, code = _explain(error)
        warn(message)
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        warn(TOO_MANY_PROCESSES)
        code = 1
    return code if signals.exit_code is None else signals.exit_code


def _explain(error: BaseException) -> tuple[str, int]:
    """Return the sentence and the exit code for an error."""
    if isinstance(error, DatasetError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. Run the same command again to continue.", SIGNAL_EXITS["SIGINT"]
    if isinstance(error, UnicodeEncodeError):
        return (
            f"{error.object!a} cannot be written in the encoding of this locale ({error.encoding}). "
            "Set the environment variable PYTHONUTF8 to 1, and run again.",
            2,
        )
    if isinstance(error, BlockingIOError):  # of a process that was to be started
        return TOO_MANY_PROCESSES, 1
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        remedy = f" {RAISE_FILE_LIMIT}" if error.errno in TOO_MANY_OPEN_FILES else ""
        return f"{where}{error.strerror or error}.{remedy}", 1
    return "There is not enough memory. Close other programs, or give a smaller --batch_size.", 1
