"""The command line of `extract_images_as_per_tags.py`."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.settings import Settings
from . import extract_flags
from .arguments import Signals, run_script
from .console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    settings = extract_flags.settings(arguments)
    signals = Signals()
    return run_script(lambda: _work(settings, signals), signals)


def _work(settings: Settings, signals: Signals) -> int:
    console = Console(verbose=settings.verbose)
    # Imported when needed: a search starts faster without the modules of a run.
    if settings.find is not None or settings.mark or settings.unmark:
        from . import find_command

        code = find_command.find(settings, console)
        console.require_complete()
        return code
    from . import run_command

    return run_command.run(settings, console, signals)
