"""`--mark` and `--unmark` as the user sees them: what was written into `ncodes.csv`, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..models import Category, Settings
from ..tables import marking
from ..tables.marking import Marked
from . import extract_options

SCRIPT = "python extract_images_as_per_tags.py"


def mark(chosen: Sequence[Category], everything: Sequence[Category], settings: Settings) -> list[str]:
    """Mark categories or take their marks back, as the flags say; gives what is to be told.

    Raises
    ------
    InputError, DiskError
        If the user's table cannot be changed; it is as it was then.
    """
    codes = [category.code for category in chosen]
    if settings.dry_run:
        verb = "marked" if settings.mark else "unmarked"
        return [f"{_counted(len(codes))} would be {verb}. Nothing was changed: this was a dry run."]
    marked = {category.code for category in everything if category.selected}
    if settings.mark:
        done = marking.mark(settings.ncode_data, codes, how_many=settings.how_many)
        return [_what_was_done(done, settings), _what_is_next(marked.union(codes), settings)]
    done = marking.unmark(settings.ncode_data, codes)
    return [_what_was_done(done, settings), _what_is_next(marked.difference(codes), settings)]


def _counted(number: int) -> str:
    return f"{number:,} categor{'y' if number == 1 else 'ies'}"


def _what_was_done(done: Marked, settings: Settings) -> str:
    if done.backup is None:
        return f"Nothing was changed: {settings.ncode_data} says so already for {_counted(done.already)}."
    verb = "Marked" if settings.mark else "Unmarked"
    number = "" if settings.unmark or settings.how_many is None else f", how_many {settings.how_many}"
    already = f" ({done.already:,} more said so already)" if done.already else ""
    return (
        f"{verb} {_counted(done.changed)} in {settings.ncode_data}{number}{already}. "
        f"The file as it was: {done.backup}"
    )


def _what_is_next(marked: set[str], settings: Settings) -> str:
    """Say which command comes next, with the flags that were given for where things lie."""
    command = [*SCRIPT.split(), *_places(settings)]
    if not marked:
        return f"Nothing is marked now. Find and mark some: {shlex.join(command)} --find WORD ... --mark"
    if settings.with_annotation:
        command += ["--with_annotation", "True"]
    return f"{_counted(len(marked))} marked now. To download: {shlex.join(command)}"


def _places(settings: Settings) -> list[str]:
    given = {name: getattr(settings, name) for name in extract_options.PLACES}
    elsewhere = {name: path for name, path in given.items() if path != extract_options.PLACES[name]}
    return [part for name, path in elsewhere.items() for part in (f"--{name}", str(path))]
