"""The gallery and the dataset card at the end of a run, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..models.rows import Category
from ..models.settings import Settings
from .console import Console
from .messages import warn


def never() -> bool:
    """Say that the run is not to end early."""
    return False


def _unforeseen(error: Exception) -> str:
    words = " ".join(f"{type(error).__name__} {error}".split())[:200]
    return f"Gallery and dataset card were not written ({words}). All else is there; --verify may mend them."


def leave(
    root: Path,
    everything: Sequence[Category],
    settings: Settings,
    console: Console,
    *,
    stopped: Callable[[], bool] = never,
    faulty: bool = False,
) -> Path | None:
    """Leave both in a result folder; what cannot be written costs no more than a sentence.

    Parameters
    ----------
    faulty
        Whether the user hears of a fault of the folder already, of which this would be but another face.

    Returns
    -------
    Path or None
        What is worth a look, if anything was written.
    """
    from ..gallery.output_writer import OutputWriter  # only now: it shall not make the start later

    left = OutputWriter(root, everything, settings, stopped)
    try:
        left.write()
    except Exception as error:  # whatever became of the files there: the images are saved, the run goes on
        left.unwritten.append(_unforeseen(error))
    for path in left.kept:
        console.print(f"{path} is not as a run leaves it, and stays as it is.")
    for sentence in [] if faulty else left.unwritten:
        warn(sentence)
    return left.written[0] if left.written else None
