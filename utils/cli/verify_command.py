"""`--verify`: validates the result folder again, and prints what was found."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..catalog import selection
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..results import exclusions
from ..results.folder_lock import FolderLock
from ..results.paths import RESULT_FOLDER
from ..results.reader import find_categories
from ..results.verify import Verification
from ..sources.url_table import NoUrlTable, open_table
from ..text import pluralize
from . import gallery_command
from .console import Console
from .messages import warn


def verify_all(everything: Sequence[Category], settings: Settings, console: Console) -> int:
    """Verify the result folder; returns the exit code."""
    root = settings.save_dir / RESULT_FOLDER
    if not root.is_dir():
        raise InputError(f"{root} does not exist, so there is nothing to verify. Use --save_dir.")
    categories = find_categories(root, everything)
    if settings.categories:
        codes = {category.code for category in selection.selected(everything, settings).categories}
        categories = [category for category in categories if category.code in codes]
    excluded = exclusions.read(root)
    dry, path = settings.dry_run, settings.url_data
    table = open_table(path, keep=not dry) if path.exists() else NoUrlTable(path)
    verification = Verification(root, table.rows_of, console.print, exclusions=excluded, dry=dry)
    with contextlib.nullcontext() if dry else FolderLock(root):
        verification.run(categories)
        if not dry:
            gallery_command.write(root, everything, settings, console, faulty=bool(verification.faults))
    folders = pluralize(len(categories) - len(verification.faults), "folder")
    console.print(f"Valid: {pluralize(verification.images, 'image')} in {folders}.")
    console.print(_conclusion(verification.findings, dry=dry))
    for fault in verification.faults.values():
        warn(fault)
    return 1 if verification.findings or verification.faults else 0


def _conclusion(findings: int, *, dry: bool) -> str:
    if not findings:
        return "Nothing is invalid." if not dry else "Nothing is invalid. Nothing was changed (dry run)."
    problems = f"{pluralize(findings, 'problem')} found"
    if dry:
        return f"{problems}. Nothing was changed (dry run); --verify alone removes invalid files."
    return f"{problems}, and invalid files removed; see the reports. The next run downloads them again."
