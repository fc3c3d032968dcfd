"""What the user sees: lines on standard output, bars on a terminal. The keeper of tqdm."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from tqdm import tqdm

from ..errors import DiskError
from ..results.progress import Progress

SECONDS_BETWEEN_LINES = 10.0
"""Without a terminal a line of progress comes as often as this."""
SECONDS_BETWEEN_BARS = 0.2
BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}] {desc}"


class Console:
    """Where a run's words go: lines to standard output, bars to a terminal on standard error."""

    def __init__(self) -> None:
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115  # closed by `>&-`
        sys.stderr = sys.stderr or sys.stdout
        for stream in (sys.stdout, sys.stderr):  # an odd locale may lack a letter; the line matters more
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)

    def say(self, text: str) -> None:
        """Print a line; when nobody reads any more (`| head`, a log on a full disk), go on in silence."""
        try:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    @property
    def width(self) -> int | None:
        """The terminal's width in columns; None where there is none, and nobody says how wide to write."""
        if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
            return shutil.get_terminal_size().columns
        return None


class StrictConsole(Console):
    """Where the words of a search go: it is made for them, so that some may not be missing unnoticed."""

    def __init__(self) -> None:
        super().__init__()
        self._fault: OSError | None = None

    def say(self, text: str) -> None:
        """Print a line; after a fault none, for a list with a gap would look whole."""
        if self._fault is None:
            try:
                print(text, flush=True)
            except OSError as error:
                self._fault = error

    def require_whole(self) -> None:
        """See that all was printed that was wanted; `| head` wants no more when it goes.

        Raises
        ------
        DiskError
            If it was not.
        """
        if self._fault and not isinstance(self._fault, BrokenPipeError):
            raise DiskError(
                f"Standard output could not be written in full ({self._fault.strerror}); all else was done."
            )


class ImageBar:
    """How far a run is: a bar on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._shown = time.monotonic()
        self._bar = tqdm(leave=False, dynamic_ncols=True, bar_format=BAR) if sys.stderr.isatty() else None

    def update(self, progress: Progress) -> None:
        """Show the present counts, if they were last shown long enough ago."""
        interval = SECONDS_BETWEEN_LINES if self._bar is None else SECONDS_BETWEEN_BARS
        if time.monotonic() - self._shown < interval:
            return
        self._shown = time.monotonic()
        if self._bar is None:
            of = f"{progress.done} of {progress.total}: " if progress.total else ""  # unknown, or all is done
            self._console.say(f"{of}{self._fitted(self._counts(progress), len(of))}")
            return
        self._bar.total, self._bar.n, self._bar.initial = progress.total, progress.done, progress.before
        self._bar.set_description_str(self._counts(progress), refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Clear the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _fitted(self, counts: str, taken: int) -> str:
        """Leave out the last numbers where a terminal has no room for them."""
        width = self._console.width
        while width is not None and taken + len(counts) >= width and ", " in counts:
            counts = counts.rpartition(", ")[0]
        return counts

    def _counts(self, progress: Progress) -> str:
        seconds = max(0.001, time.monotonic() - self._started)
        pace = f"{progress.saved / seconds:.1f} images/s, {progress.bytes / 1e6 / seconds:.1f} MB/s"
        return f"{progress.saved} saved, {progress.failed} failed, {progress.in_flight} in flight, {pace}"


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
