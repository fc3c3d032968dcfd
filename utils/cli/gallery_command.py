"""Writes page, dataset card and manifest at the end of a run, and prints messages about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..models.rows import Category
from ..models.settings import Settings
from .console import Console
from .messages import warn


def write(
    root: Path,
    everything: Sequence[Category],
    settings: Settings,
    console: Console,
    *,
    stopped: Callable[[], bool] = lambda: False,
    faulty: bool = False,
) -> Path | None:
    """Write page, card and manifest into a result folder; errors become warnings.

    Parameters
    ----------
    faulty
        Whether an error of the folder was reported already; errors here would have the same cause.

    Returns
    -------
    Path or None
        The page, or else the card; None if neither was written.
    """
    from ..gallery.output_writer import OutputWriter  # imported late: it slows the start down

    writer = OutputWriter(root, everything, settings, stopped, console.print)
    try:
        writer.write()
    except Exception as error:  # the images are saved: no error here stops the run
        cause = " ".join(f"{type(error).__name__} {error}".split())[:200]
        writer.unwritten.append(
            f"Gallery, card and manifest were not written ({cause}). Everything else was saved; try --verify."
        )
    for path in writer.kept:
        console.print(f"{path} was changed by hand, and is kept as it is.")
    for message in [] if faulty else writer.unwritten:
        warn(message)
    return writer.written[0] if writer.written else None
