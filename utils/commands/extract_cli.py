"""The command line of `extract_images_as_per_tags.py`: from its flags to the work that they ask for."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.settings import Settings
from . import extract_options
from .cli import Signals, guarded
from .screen import Console, Printout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    settings = extract_options.settings(arguments)
    signals = Signals()
    return guarded(lambda: _work(settings, signals), signals)


def _work(settings: Settings, signals: Signals) -> int:
    # Imported here: each loads much that the other has no use for, and a search shall be answered at once.
    if settings.find or settings.mark or settings.unmark:
        from . import finding_cli

        printout = Printout()
        code = finding_cli.find(settings, printout)
        printout.require_whole()
        return code
    from . import run_cli

    return run_cli.run(settings, Console(), signals)
