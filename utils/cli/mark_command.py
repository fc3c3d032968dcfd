"""`--mark` and `--unmark` as the user sees them: what was written into `ncodes.csv`, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence

from ..catalog import marking
from ..catalog.marking import Marked
from ..models.rows import Category
from ..models.settings import Settings
from ..text import pluralize
from . import extract_flags

SCRIPT = "python extract_images_as_per_tags.py"


def mark(
    chosen: Sequence[Category],
    everything: Sequence[Category],
    settings: Settings,
    all_boxed: Callable[[Collection[str]], bool],
) -> list[str]:
    """Mark categories or take their marks back, as the flags say; gives what is to be told.

    Parameters
    ----------
    all_boxed
        Says whether each of some categories, by code, has images with boxes.

    Raises
    ------
    InputError, DiskError
        If the user's table cannot be changed; it is as it was then.
    """
    codes = [category.code for category in chosen]
    marked = {category.code for category in everything if category.selected}
    path, dry_run = settings.ncode_data, settings.dry_run
    if settings.mark:
        done = marking.mark(path, codes, how_many=settings.how_many, dry_run=dry_run)
        marked.update(codes)
    else:
        done = marking.unmark(path, codes, dry_run=dry_run)
        marked.difference_update(codes)
    if dry_run:
        return [_what_would_be_done(done, settings)]
    return [_what_was_done(done, settings), *_what_is_next(marked, all_boxed, settings)]


def _what_would_be_done(done: Marked, settings: Settings) -> str:
    verb = "marked" if settings.mark else "unmarked"
    already = (
        f" ({done.already:,} {'say' if done.already > 1 else 'says'} so already)" if done.already else ""
    )
    several = pluralize(done.changed, "category")
    return f"{several} would be {verb}{already}. Nothing was changed: this was a dry run."


def _what_was_done(done: Marked, settings: Settings) -> str:
    if done.backup is None:
        several = pluralize(done.already, "category")
        return f"Nothing was changed: {settings.ncode_data} says so already for {several}."
    verb = "Marked" if settings.mark else "Unmarked"
    number = "" if settings.unmark or settings.how_many is None else f", how_many {settings.how_many}"
    already = f" ({done.already:,} more said so already)" if done.already else ""
    return (
        f"{verb} {pluralize(done.changed, 'category')} in {settings.ncode_data}{number}{already}. "
        f"The file as it was before: {done.backup}"
    )


def _what_is_next(
    marked: set[str], all_boxed: Callable[[Collection[str]], bool], settings: Settings
) -> list[str]:
    """Say which command comes next, with the flags that were given for where things lie."""
    command = [*SCRIPT.split(), *_places(settings)]
    if not marked:
        return [f"Nothing is marked now. Find and mark some: {shlex.join(command)} --find WORD ... --mark"]
    is_limited = bool(settings.mark and settings.how_many and settings.how_many > 0)
    if settings.with_annotation:
        command += ["--with_annotation", "True"]
    elif is_limited:  # for who says 200 means 200 images, and half of the URLs are dead
        command += ["--fill", "True"]
    told = [f"{pluralize(len(marked), 'category')} marked now. To download: {shlex.join(command)}"]
    if is_limited and not settings.with_annotation and all_boxed(marked):
        told += ["For so many images with boxes: --with_annotation True in the place of --fill True."]
    return told


def _places(settings: Settings) -> list[str]:
    given = {name: getattr(settings, name) for name in extract_flags.PLACES}
    elsewhere = {name: path for name, path in given.items() if path != extract_flags.PLACES[name]}
    return [part for name, path in elsewhere.items() for part in (f"--{name}", str(path))]
