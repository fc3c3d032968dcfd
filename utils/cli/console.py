"""The console: lines on standard output, progress bars on standard error. Only this module imports tqdm."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from tqdm import tqdm

from ..errors import DiskError
from ..text import pluralize
from .messages import for_screen

if TYPE_CHECKING:
    from ..fetch.file_download import Advance
    from ..results.progress import Progress
    from ..results.statistics import Summary

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_BARS = 0.2
CLEAR_LINE = "\r\x1b[K"
IMAGE_BAR = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"
BAR_COLUMNS = 28
"""Columns of the bar without its description; of these, the bar itself takes about eight."""
STALL_SECONDS = 3.0
"""Seconds without a new result after which the run counts as waiting."""


class Console:
    """Prints lines, and shows the progress of one piece of work at a time.

    Progress is a bar if standard error is a terminal, else a line every `SECONDS_BETWEEN_LINES`.

    Parameters
    ----------
    verbose
        Print a line for each category when it is done.
    """

    def __init__(self, *, verbose: bool = True) -> None:
        self._verbose = verbose
        self._write_error: OSError | None = None
        self._image_progress: _ProgressDisplay | None = None
        self._results = (0, 0)
        self._results_at = 0.0
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115  # None after `>&-`
        sys.stderr = sys.stderr or sys.stdout
        for stream in (sys.stdout, sys.stderr):  # letters that the locale lacks become question marks
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Formatter("%(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)

    @property
    def width(self) -> int | None:
        """Columns of the terminal or of the variable COLUMNS; None if there is neither."""
        if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
            return shutil.get_terminal_size().columns
        return None

    def print(self, text: str) -> None:
        """Print a line; after a write error (`| head`, a full disk) all further lines are dropped."""
        if self._write_error:
            return
        try:
            tqdm.write(for_screen(text), file=sys.stdout)
            sys.stdout.flush()
        except OSError as error:
            self._write_error = error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def require_complete(self) -> None:
        """Check that all lines were written, or that the reader closed the pipe, as `| head` does.

        Raises
        ------
        DiskError
            If lines were lost.
        """
        if self._write_error and not isinstance(self._write_error, BrokenPipeError):
            raise DiskError(
                f"Standard output could not be written in full ({self._write_error.strerror}); "
                "all other work was done."
            )

    def category_done(self, summary: Summary) -> None:
        """Print the result of a category."""
        if self._verbose:
            self.print(summary.line(self.width))

    def update(self, progress: Progress) -> None:
        """Show the progress of a run, until `close`."""
        if self._image_progress is None:
            self._image_progress = _ProgressDisplay(bar_format=IMAGE_BAR, smoothing=0)
            self._results_at = self._image_progress.started
        display = self._image_progress
        if not display.is_due():
            return
        text = ", ".join(self._progress_parts(progress, time.monotonic() - display.started))
        width = shutil.get_terminal_size().columns - BAR_COLUMNS if display.is_bar else self.width
        while width is not None and len(text) >= width and ", " in text:
            text = text.rpartition(", ")[0]
        if display.is_bar:
            display.show_bar(progress.done, progress.total, initial=progress.before, description=text)
        else:
            self.print(text)

    def _progress_parts(self, progress: Progress, seconds: float) -> list[str]:
        """Describe the progress, the most important first."""
        now, results = time.monotonic(), (progress.saved, progress.failed)
        if results != self._results:
            self._results, self._results_at = results, now
        seconds = max(0.001, seconds)
        position, more = f"{progress.there} there", list[str]()
        if progress.total and progress.there == progress.done:
            position = f"{progress.there} of {progress.total} there"
        elif progress.total:  # 0: unknown, or all is done
            position, more = f"{progress.done} of {progress.total} done", [position]
        if progress.in_flight and now - self._results_at > STALL_SECONDS:
            state = [f"waiting for {pluralize(progress.in_flight, 'slow URL')}", *more]
        else:
            state = [*more, f"{progress.saved / seconds:.1f} images/s"]
        parts = [position, *state, f"{progress.failed} failed", f"{progress.bytes / 1e6 / seconds:.1f} MB/s"]
        return [*parts, f"{progress.in_flight} in flight"] if progress.in_flight else parts

    def close(self) -> None:
        """Remove the progress bar of a run."""
        if self._image_progress:
            self._image_progress.close()
            self._image_progress = None

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """Show progress in bytes; yields a function that takes bytes done and in total (0: unknown)."""
        display = _ProgressDisplay(desc=f"  {for_screen(title)}", unit="B", unit_scale=True)

        def advance(done: int, total: int) -> None:
            if not display.is_due():
                return
            if display.is_bar:
                display.show_bar(done, total)
            else:
                of = f" of {total / 1e6:,.0f}" if total else ""
                self.print(f"  {title}: {done / 1e6:,.0f}{of} MB")

        try:
            yield advance
        finally:
            display.close()


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return for_screen(super().format(record))


class _ProgressDisplay:
    """A progress bar with the options of tqdm; without a terminal, only a timer for lines to print."""

    def __init__(self, **options: Any) -> None:
        self.is_bar = sys.stderr.isatty()
        self.started = time.monotonic()
        self._shown = self.started if not self.is_bar else float("-inf")
        self._options = options
        self._bar: tqdm[NoReturn] | None = None

    def is_due(self) -> bool:
        """Whether enough time has passed since progress was shown; if so, it counts as shown now."""
        now = time.monotonic()
        if now - self._shown < (SECONDS_BETWEEN_BARS if self.is_bar else SECONDS_BETWEEN_LINES):
            return False
        self._shown = now
        return True

    def show_bar(
        self, done: int, total: int, *, initial: int | None = None, description: str | None = None
    ) -> None:
        """Draw the bar; `initial` (default: `done` of the first call) was done before and adds no speed."""
        if self._bar is None:
            self._bar = tqdm(
                initial=done if initial is None else initial,
                mininterval=0,
                miniters=0,  # draw at every update
                leave=False,
                dynamic_ncols=True,
                delay=1e-9,  # not drawn before it can be closed: Ctrl-C may come at any moment
                **self._options,
            )
            self._bar.delay = 0
        bar = self._bar
        if initial is not None:
            bar.initial = initial
        if done < bar.n:  # the download started over
            bar.reset()
        bar.total = total or None
        if description is not None:
            bar.set_description_str(description, refresh=False)
        bar.update(done - bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            # tqdm forgets a bar that Ctrl-C interrupts while it is drawn, and leaves it on the screen.
            print(end=CLEAR_LINE, file=sys.stderr, flush=True)
