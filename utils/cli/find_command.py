"""`--find`, `--mark` and `--unmark` as the user sees them: what was found, and which of it may be marked.

This module alone knows what may be: what was named, or what fits the words best as long as it has them
whole. Beginnings of words and close spellings are guesses; those are shown, and not marked.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import text
from ..catalog import categories, names, selection
from ..catalog.search import Finder, Fit, Match
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from . import listing, mark_command
from .category_overview import Catalogue
from .console import Console
from .messages import warn

ROWS_SHOWN = 25
NOTE_WIDTH = 100  # columns, where there is no terminal
NAMED = 3
"""Categories named in a sentence that is about more of them."""
NAMED_TO_MARK = 5
"""Categories, up to which the codes of all are given."""


@dataclass(frozen=True)
class Found:
    """What the user asked for.

    Attributes
    ----------
    sure
        What was named, or fits best and has all words: what may be marked.
    others
        What else was found.
    why
        How each fits, by code; empty for what was named.
    """

    sure: list[Category]
    others: list[Category] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)


def find(settings: Settings, console: Console) -> int:
    """Do what the flags of a search ask for; returns the exit code, which is 1 if nothing was found."""
    catalogue = Catalogue(settings, tell=_note)
    found = _named(catalogue, settings) if settings.categories else _searched(catalogue, settings)
    sure = _with_subcategories(found.sure, catalogue, settings)
    if (settings.mark or settings.unmark) and sure:
        _show(sure, found, catalogue, settings, console)
        marked = mark_command.mark(sure, catalogue.everything, settings, catalogue.all_boxed)
        _say([*_left_out(found, sure, settings), *marked], settings, console)
        return 0
    listed = _with_subcategories(found.sure + found.others, catalogue, settings)
    _show(listed, found, catalogue, settings, console)
    if not listed:
        return 1
    if settings.mark or settings.unmark:
        raise InputError(_only_guesses(found, settings))
    if settings.format is None:
        _say([*_what_lies_below(listed, catalogue, settings), _how_to_mark(sure, listed)], settings, console)
    return 0


def _what_lies_below(listed: Sequence[Category], catalogue: Catalogue, settings: Settings) -> list[str]:
    if settings.with_subcategories or not catalogue.any_below(listed[:ROWS_SHOWN]):
        return []
    return ["Add --with_subcategories True for what lies below them."]


def _named(catalogue: Catalogue, settings: Settings) -> Found:
    return Found(categories.find(catalogue.everything, settings.categories))


def _searched(catalogue: Catalogue, settings: Settings) -> Found:
    text = " ".join(settings.find)
    words = names.words(text)
    if not words:
        raise InputError("--find needs words, made of letters or digits, e.g. --find sled dog")
    finder = Finder(catalogue.everything)
    matches = finder.find(words, catalogue.images)
    if not matches:
        codes = {category.code for category in catalogue.everything}
        warn(_several_codes(words) if codes.issuperset(words) else _nothing(text, finder.nearest(words)))
    elif matches[0].fit is Fit.SPELLING:
        warn(f"No category has {text!r} in its name; these are spelled alike.")
    return _sorted_out(matches)


def _sorted_out(matches: Sequence[Match]) -> Found:
    sure = [match for match in matches if match.fit.is_certain and match.fit is matches[0].fit]
    return Found(
        sure=[match.category for match in sure],
        others=[match.category for match in matches[len(sure) :]],
        why={match.category.code: match.fit.value for match in matches},
    )


def _several_codes(codes: Sequence[str]) -> str:
    return (
        "--find looks for words that stand in one name. Several codes are named so: "
        f"--categories {' '.join(codes)} (with --mark to mark them)"
    )


def _nothing(text: str, nearest: Sequence[Category]) -> str:
    meant = f"did you mean {_enumerated(nearest)}?" if nearest else "try other words, or fewer."
    words = "all words of " if " " in text.strip() else ""
    return f"No category has {words}{text!r} in its name; {meant}"


def _with_subcategories(
    chosen: Sequence[Category], catalogue: Catalogue, settings: Settings
) -> list[Category]:
    if not settings.with_subcategories:
        return list(chosen)
    return selection.with_subcategories(chosen, catalogue.everything, catalogue.tree)


def _show(
    listed: Sequence[Category], found: Found, catalogue: Catalogue, settings: Settings, console: Console
) -> None:
    """List categories: all of them if a format was asked for, else as many as a screen takes."""
    asked_for = {category.code for category in found.sure + found.others}
    why = {one.code: listing.SUBCATEGORY for one in listed if one.code not in asked_for} | found.why
    rows = catalogue.rows(listed if settings.format else listed[:ROWS_SHOWN], why)
    if settings.format == "csv":
        if hasattr(sys.stdout, "reconfigure"):  # for who reads it the locale of this machine is nothing
            sys.stdout.reconfigure(encoding="utf-8")
        console.print(listing.as_csv(rows).rstrip("\n"))
    elif rows:
        more = len(listed) - len(rows)
        console.print(listing.as_table(rows, console.width))
        rest = [f"... and {more:,} more; --format table or --format csv lists all of them."] if more else []
        _say([*rest, listing.legend(rows)], settings, console)


def _note(sentence: str) -> None:
    """Say beside the list what is missing, or takes long, no wider than the terminal."""
    known = sys.stderr.isatty() or os.environ.get("COLUMNS", "").isdigit()
    warn(listing.wrapped(sentence, shutil.get_terminal_size().columns if known else NOTE_WIDTH))


def _say(lines: Sequence[str], settings: Settings, console: Console) -> None:
    """Say what is not part of the list; standard output is that of a CSV alone."""
    say, width = (warn, None) if settings.format == "csv" else (console.print, console.width)
    say("\n".join(listing.wrapped(line, width) for line in lines))


def _how_to_mark(sure: Sequence[Category], listed: Sequence[Category]) -> str:
    which = "it" if len(listed) == 1 else "them"
    shown = f", of which {ROWS_SHOWN} are shown" if len(sure) > ROWS_SHOWN else ""
    if not sure:
        codes = [category.code for category in listed]
        if len(codes) > NAMED_TO_MARK:
            return f"To mark one of them, say its code: --categories {codes[0]} --mark"
        return f"To mark {which}, say the code{'s' * (len(codes) > 1)}: --categories {' '.join(codes)} --mark"
    if len(sure) < len(listed):
        which = "the first" if len(sure) == 1 else f"the first {len(sure):,}"
        how = "add --mark, or --mark 200 for 200 images of each. Others are marked by code."
        return f"To mark {which}{shown}: {how}"
    if shown:
        which = f"all {len(sure):,}{shown}"
    return f"To mark {which}: add --mark, or --mark 200 for 200 images{' of each' * (len(sure) > 1)}."


def _left_out(found: Found, sure: Sequence[Category], settings: Settings) -> list[str]:
    """Say what was found, but is left as it is: what could be marked, or unmarked, just as well."""
    changed = {category.code for category in sure}
    others = [category for category in found.others if category.code not in changed]
    if settings.unmark:
        others = [category for category in others if category.selected]
    if not others:
        return []
    return [
        f"Left out, as fitting less well: {_enumerated(others)}. To take one: {_by_code(others, settings)}"
    ]


def _only_guesses(found: Found, settings: Settings) -> str:
    return (
        f"Nothing was changed: no name has {' '.join(settings.find)!r} in full, and these are guesses. "
        f"Say the codes of those that you mean: {_by_code(found.others, settings)}"
    )


def _by_code(several: Sequence[Category], settings: Settings) -> str:
    number = "" if settings.how_many is None else f" {settings.how_many}"
    return f"--categories {several[0].code} {'--unmark' if settings.unmark else f'--mark{number}'}"


def _enumerated(several: Sequence[Category]) -> str:
    return text.listed([f"{category.code} ({names.shown(category.name)})" for category in several], NAMED)
