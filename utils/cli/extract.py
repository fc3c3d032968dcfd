"""The command line of `extract_images_as_per_tags.py`: from its flags to the work that they ask for."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.settings import Settings
from . import extract_flags
from .arguments import Signals, guarded
from .console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    settings = extract_flags.settings(arguments)
    signals = Signals()
    return guarded(lambda: _work(settings, signals), signals)


def _work(settings: Settings, signals: Signals) -> int:
    # Imported here: each loads much that the other has no use for, and a search shall be answered at once.
    if settings.find or settings.mark or settings.unmark:
        from . import find_command

        console = Console()
        code = find_command.find(settings, console)
        console.require_complete()
        return code
    from . import run_command

    return run_command.run(settings, Console(verbose=settings.verbose), signals)
