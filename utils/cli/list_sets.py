"""`--find @`: lists the sets of categories that ship with the tool."""

from __future__ import annotations

from ..catalog import named_sets
from ..errors import InputError
from ..models.settings import Settings
from ..text import pluralize
from . import listing
from .console import Console
from .messages import warn

ABOUT_SETS = (
    "A set names categories, not the very images of the original dataset. To download or mark one: "
    "--categories @NAME, e.g. --categories @imagenette --mark 100. For codes in a file of your own, one a "
    "line: --categories @PATH"
)


def list_sets(text: str, settings: Settings, console: Console) -> int:
    """Print the sets with a text in their names; returns the exit code, which is 1 if there are none.

    Raises
    ------
    InputError
        If sets should be marked, too.
    """
    if settings.mark or settings.unmark:
        raise InputError(
            "--find @ lists sets of categories. To mark the categories of one: "
            f"--categories @{text or 'NAME'} --mark"
        )
    found = named_sets.find(text)
    if not found:
        warn(f"No set has {text!r} in its name; --find @ lists all of them.")
        return 1
    if settings.format == "csv":
        rows = [(one.name, len(one.codes), one.note, one.source) for one in found]
        console.print(listing.csv_text(["name", "size", "note", "source"], rows))
        return 0
    for one in found:
        size = pluralize(len(one.codes), "category")
        line = f"@{one.name}: {size}. {one.note[:1].upper()}{one.note[1:]}. Source: {one.source}"
        console.print(listing.wrapped(line, console.width, indent=4))
    console.print(listing.wrapped(ABOUT_SETS, console.width))
    return 0
