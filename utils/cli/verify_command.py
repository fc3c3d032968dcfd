"""--verify: the result folder judged again, and what was found."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..catalog import selection
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..results import verify
from ..results.category_folders import categories_in
from ..results.paths import RESULT_FOLDER, FolderLock
from ..sources.url_table import NoUrlTable, open_table
from ..text import pluralize
from . import gallery_command
from .console import Console
from .messages import warn


def verify_all(everything: Sequence[Category], settings: Settings, console: Console) -> int:
    """Judge the result folder again, download nothing; returns the exit code."""
    root = settings.save_dir / RESULT_FOLDER
    if not root.is_dir():
        raise InputError(
            f"There is nothing to verify: {root} is not there. Give the --save_dir that it is in."
        )
    named = selection.selected(everything, settings).categories if settings.categories else None
    codes = {category.code for category in named or ()}
    chosen = [one for one in categories_in(root, everything) if named is None or one.code in codes]
    dry = settings.dry_run
    place = settings.url_data
    table = open_table(place, keep=not dry) if place.exists() else NoUrlTable(place)
    verification = verify.Verification(root, table.rows_of, tell=console.print, dry=dry)
    with contextlib.nullcontext() if dry else FolderLock(root):
        verification.run(chosen)
        if not dry:
            gallery_command.write(root, everything, settings, console, faulty=bool(verification.faults))
    for sentence in _verified(verification, len(chosen) - len(verification.faults)):
        console.print(sentence)
    for fault in verification.faults.values():
        warn(fault)
    return 1 if verification.findings or verification.faults else 0


def _verified(verification: verify.Verification, folders: int) -> list[str]:
    """Say what a judgement came to."""
    images, number = verification.images, verification.findings
    are = "is" if images == 1 else "are"
    whole = f"{pluralize(images, 'image')} in {pluralize(folders, 'folder')} {are} whole"
    said = [f"{whole}; no boxes are left that do not fit them."]
    things = f"{pluralize(number, 'thing')} "
    if verification.dry:
        said = [f"{whole}."]
        things += f"{'does' if number == 1 else 'do'} not hold; --verify without --dry_run takes back what "
        things += "is wrong. "
        return [*said, f"{things if number else ''}Nothing was changed: this was a dry run."]
    things += f"did not hold, and {'was' if number == 1 else 'were'} taken back; see the reports."
    return [*said, things] if number else said
