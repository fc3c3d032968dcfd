"""The command line of `download_imagenet_prerequisites.py`: from flags to an order, and on to the screen."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tqdm import tqdm

from .cli import SECONDS_BETWEEN_LINES, SIGNAL_EXITS, Console, guarded
from .prerequisites import Order, Piece, prepare
from .sourcing import Advance

PROJECT = Path(__file__).resolve().parent.parent
DESCRIPTION = """\
Get what a run needs, once: ncodes.csv (every category, to be marked), imageNetURLs.csv (where the images
are) and annotation/ (their bounding boxes). What is there and whole is left alone."""
EPILOG = """\
Interrupted? Run the same command again: downloads go on where they stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    order = _order(_parser().parse_args(arguments))
    stopped: list[int] = []
    _interrupt_on_signals(stopped)
    code = guarded(lambda: _prepare(order))
    return stopped[0] if stopped else code


class TerminalScreen:
    """Shows what goes on: lines, and a bar on a terminal or a line now and then without one."""

    def __init__(self, console: Console) -> None:
        self.say = console.say

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """Show how far something is, in bytes."""
        shown = ByteBar(title) if sys.stderr.isatty() else ByteLines(title, self.say)
        try:
            yield shown.advance
        finally:
            shown.close()


class ByteLines:
    """How far something is, without a terminal: a line now and then."""

    def __init__(self, title: str, say: Callable[[str], None]) -> None:
        self._title = title
        self._say = say
        self._last_line = time.monotonic()

    def advance(self, done: int, total: int) -> None:
        """Show the present state, if the last line is long enough ago."""
        if time.monotonic() - self._last_line < SECONDS_BETWEEN_LINES:
            return
        self._last_line = time.monotonic()
        of = f" of {total / 1e6:,.0f}" if total else ""
        self._say(f"  {self._title}: {done / 1e6:,.0f}{of} MB")

    def close(self) -> None:
        """Leave the lines as they are."""


class ByteBar:
    """How far something is, on a terminal: a bar with speed and time left."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[NoReturn] | None = None  # comes with the first bytes: many things are done at once

    def advance(self, done: int, total: int) -> None:
        """Show the present state."""
        if self._bar is None:  # asked so, for a bar without a total has no truth value
            self._bar = self._begin(done)
        bar = self._bar
        bar.total = total or None
        if done < bar.n:  # the server began anew
            bar.reset(total or None)
        bar.update(done - bar.n)

    def close(self) -> None:
        """Clear the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _begin(self, done: int) -> tqdm[NoReturn]:
        """Make the bar; what an earlier run did counts as done, not as speed."""
        return tqdm(
            desc=f"  {self._title}", initial=done, unit="B", unit_scale=True, leave=False, dynamic_ncols=True
        )


def _prepare(order: Order) -> int:
    prepare(order, TerminalScreen(Console()))
    return 0


def _interrupt_on_signals(stopped: list[int]) -> None:
    """Let every signal that asks for an end interrupt as Ctrl-C does, and note its exit code."""

    def interrupt(signum: int, _frame: FrameType | None) -> None:
        stopped.append(SIGNAL_EXITS[signal.Signals(signum).name])
        raise KeyboardInterrupt

    for name in SIGNAL_EXITS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def _order(flags: argparse.Namespace) -> Order:
    return Order(
        ncodes_dir=flags.ncodes_dir,
        only=frozenset(Piece(word) for word in flags.only),
        urls_source=tuple(flags.urls_source),
        annotations_source=flags.annotations_source,
        force=flags.force,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download_imagenet_prerequisites.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = [piece.value for piece in Piece]
    what = parser.add_argument_group("what to get, and where to put it")
    what.add_argument(
        "--ncodes_dir",
        type=Path,
        metavar="DIR",
        default=PROJECT,
        help="the folder of all three (default: beside the script)",
    )
    what.add_argument(
        "--only", nargs="+", choices=words, default=words, help="just these of the three (default: all three)"
    )
    what.add_argument(
        "--force",
        action="store_true",
        help="fetch again what is there; the marks in ncodes.csv are kept (default: off)",
    )
    sources = parser.add_argument_group("where to get it from")
    sources.add_argument(
        "--urls_source",
        action="append",
        default=[],
        metavar="URL_OR_PATH",
        help="a zip, tgz, gz, txt or csv of URLs; repeatable, tried in order (default: the known sources)",
    )
    sources.add_argument(
        "--annotations_source",
        metavar="URL_OR_PATH",
        help="bboxes_annotations.tar.gz, or a folder of archives (default: the known source)",
    )
    return parser
