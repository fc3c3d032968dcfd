"""`--find`, `--mark` and `--unmark`: list categories, and mark them in `ncodes.csv`.

Only categories that were named, or that match best and have all the words, are marked. Names that only begin
with the words or are spelled similarly are listed, but not marked.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..catalog import marking, names, search, selection
from ..catalog.marking import MarkResult
from ..catalog.search import Fit, SearchIndex
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..text import join_names, pluralize
from . import extract_flags, listing
from .category_overview import CategoryOverview
from .console import Console
from .messages import warn

SCRIPT = "python extract_images_as_per_tags.py"
MAX_ROWS = 25  # without --format
NOTE_WIDTH = 100  # columns of a message on standard error, if it is not a terminal
MAX_NAMED = 3  # categories named in a message
MAX_CODES_TO_MARK = 5  # codes given in the suggestion of what to mark


@dataclass(frozen=True)
class SearchResult:
    """The categories found.

    Attributes
    ----------
    certain
        Categories that were named, or that match best and have all the words; these can be marked.
    others
        All other matches.
    reasons
        How each category matches, by code; empty for named ones.
    """

    certain: list[Category]
    others: list[Category] = field(default_factory=list)
    reasons: Mapping[str, str] = field(default_factory=dict)


def find(settings: Settings, console: Console) -> int:
    """Run `--find`, `--mark` or `--unmark`; return the exit code, which is 1 if nothing was found."""
    overview = CategoryOverview(settings, _print_note)
    if settings.categories:
        result = SearchResult(search.find_named(overview.categories, settings.categories))
    else:
        result = _search(overview, settings)
    chosen = _with_subcategories(result.certain, overview, settings)
    is_marking = settings.mark or settings.unmark
    if is_marking and chosen:
        shown = [replace(one, class_name=settings.class_name or one.class_name) for one in chosen]
        _print_rows(shown, result, overview, settings, console)
        _print_lines(
            [*_left_out(result, chosen, settings), *_mark(chosen, overview, settings)], settings, console
        )
        return 0
    found = _with_subcategories(result.certain + result.others, overview, settings)
    _print_rows(found, result, overview, settings, console)
    if not found:
        return 1
    if is_marking:
        raise InputError(
            f"Nothing was changed: no name has the words {' '.join(settings.find)!r}, the matches are only "
            f"similar. Use the codes of those that you mean: {_command_for(result.others[0], settings)}"
        )
    if settings.format is None:
        hints = [_how_to_mark(chosen, found)]
        if not settings.with_subcategories and overview.have_subcategories(found[:MAX_ROWS]):
            hints.insert(0, "Add --with_subcategories True to list their subcategories.")
        _print_lines(hints, settings, console)
    return 0


def _search(overview: CategoryOverview, settings: Settings) -> SearchResult:
    text = " ".join(settings.find)
    words = names.words(text)
    if not words:
        raise InputError("--find needs words, made of letters or digits, e.g. --find sled dog")
    index = SearchIndex(overview.categories)
    matches = index.search(words, overview.image_count)
    if not matches:
        warn(_not_found(text, words, overview, index))
    elif matches[0].fit is Fit.SPELLING:
        warn(f"No category has {text!r} in its name; these are spelled similarly.")
    certain = [match for match in matches if match.fit.has_all_words and match.fit is matches[0].fit]
    return SearchResult(
        certain=[match.category for match in certain],
        others=[match.category for match in matches[len(certain) :]],
        reasons={match.category.code: match.fit.value for match in matches},
    )


def _not_found(text: str, words: Sequence[str], overview: CategoryOverview, index: SearchIndex) -> str:
    if {category.code for category in overview.categories}.issuperset(words):
        return (
            "--find searches for names that have all the words. To name several codes: "
            f"--categories {' '.join(words)} (with --mark to mark them)"
        )
    suggestions = index.suggest(words)
    hint = f"did you mean {_enumerate(suggestions)}?" if suggestions else "try other or fewer words."
    return f"No category has {'all words of ' if len(text.split()) > 1 else ''}{text!r} in its name; {hint}"


def _with_subcategories(
    chosen: Sequence[Category], overview: CategoryOverview, settings: Settings
) -> list[Category]:
    if not settings.with_subcategories:
        return list(chosen)
    return selection.with_subcategories(chosen, overview.categories, overview.hierarchy)


def _mark(chosen: Sequence[Category], overview: CategoryOverview, settings: Settings) -> list[str]:
    """Mark or unmark categories; return the lines to print.

    Raises
    ------
    InputError, DiskError
        If the table cannot be changed.
    """
    codes = [category.code for category in chosen]
    marked = {category.code for category in overview.categories if category.selected}
    path, dry_run = settings.ncode_data, settings.dry_run
    if settings.mark:
        result = marking.mark(
            path, codes, how_many=settings.how_many, class_name=settings.class_name, dry_run=dry_run
        )
        marked.update(codes)
    else:
        result = marking.unmark(path, codes, dry_run=dry_run)
        marked.difference_update(codes)
    if dry_run:
        unchanged = f" ({result.unchanged:,} unchanged)" if result.unchanged else ""
        verb = "marked" if settings.mark else "unmarked"
        changed = pluralize(result.changed, "category")
        what = f"{changed} would be {verb}{_class_text(settings)}{unchanged}"
        return [f"{what}. Nothing was changed: this was a dry run."]
    return [_what_changed(result, settings), *_next_command(marked, overview, settings)]


def _what_changed(result: MarkResult, settings: Settings) -> str:
    if result.backup is None:
        unchanged = pluralize(result.unchanged, "category")
        return f"Nothing was changed: {settings.ncode_data} has these values already for {unchanged}."
    verb = "Marked" if settings.mark else "Unmarked"
    number = "" if settings.unmark or settings.how_many is None else f", how_many {settings.how_many}"
    unchanged = f" ({result.unchanged:,} more unchanged)" if result.unchanged else ""
    return (
        f"{verb} {pluralize(result.changed, 'category')} in {settings.ncode_data}{number}"
        f"{_class_text(settings)}{unchanged}. Backup of the previous file: {result.backup}"
    )


def _class_text(settings: Settings) -> str:
    return "" if settings.class_name is None else f", class {settings.class_name!r}"


def _next_command(marked: set[str], overview: CategoryOverview, settings: Settings) -> list[str]:
    """Return the command for the next step, with the flags for places that are not the defaults."""
    command = SCRIPT.split()
    for name, default in extract_flags.DEFAULT_PATHS.items():
        if (path := getattr(settings, name)) != default:
            command += [f"--{name}", str(path)]
    if not marked:
        return [
            f"No category is marked now. To find and mark some: {shlex.join(command)} --find WORD ... --mark"
        ]
    is_limited = bool(settings.mark and settings.how_many and settings.how_many > 0)
    if settings.with_annotation:
        command += ["--with_annotation", "True"]
    elif is_limited:  # half of the URLs are dead: without --fill, there would be fewer images
        command += ["--fill", "True"]
    are = "is" if len(marked) == 1 else "are"
    lines = [f"{pluralize(len(marked), 'category')} {are} marked now. To download: {shlex.join(command)}"]
    if is_limited and not settings.with_annotation and overview.all_have_boxes(marked):
        lines += ["For as many images with boxes: --with_annotation True instead of --fill True."]
    return lines


def _print_rows(
    found: Sequence[Category],
    result: SearchResult,
    overview: CategoryOverview,
    settings: Settings,
    console: Console,
) -> None:
    """Print categories: all of them with --format, else the first `MAX_ROWS`."""
    matches = {category.code for category in result.certain + result.others}
    subcategories = {one.code: listing.SUBCATEGORY for one in found if one.code not in matches}
    rows = overview.rows(found if settings.format else found[:MAX_ROWS], {**subcategories, **result.reasons})
    if settings.format == "csv":
        if hasattr(sys.stdout, "reconfigure"):  # independent of the locale
            sys.stdout.reconfigure(encoding="utf-8")
        console.print(listing.as_csv(rows).rstrip("\n"))
    elif rows:
        more = len(found) - len(rows)
        console.print(listing.as_table(rows, console.width))
        rest = [f"... and {more:,} more; --format table or --format csv lists all of them."] if more else []
        _print_lines([*rest, listing.legend(rows)], settings, console)


def _print_note(message: str) -> None:
    """Print a message on standard error, wrapped to the terminal."""
    is_width_known = sys.stderr.isatty() or os.environ.get("COLUMNS", "").isdigit()
    warn(listing.wrapped(message, shutil.get_terminal_size().columns if is_width_known else NOTE_WIDTH))


def _print_lines(lines: Sequence[str], settings: Settings, console: Console) -> None:
    """Print lines that are not part of the list; on standard error if the list is a CSV."""
    write, width = (warn, None) if settings.format == "csv" else (console.print, console.width)
    write("\n".join(listing.wrapped(line, width) for line in lines))


def _how_to_mark(certain: Sequence[Category], found: Sequence[Category]) -> str:
    if not certain:
        codes = [category.code for category in found]
        if len(codes) > MAX_CODES_TO_MARK:
            return f"To mark one of them, use its code: --categories {codes[0]} --mark"
        which, noun = ("it", "code") if len(codes) == 1 else ("them", "codes")
        return f"To mark {which}, use the {noun}: --categories {' '.join(codes)} --mark"
    shown = f" ({MAX_ROWS} are shown)" if len(certain) > MAX_ROWS else ""
    if len(certain) < len(found):
        which = "the first" if len(certain) == 1 else f"the first {len(certain):,}"
        how = "add --mark, or --mark 200 for 200 images of each. Others are marked by code."
        return f"To mark {which}{shown}: {how}"
    which = "it" if len(found) == 1 else "them"
    if shown:
        which = f"all {len(certain):,}{shown}"
    return f"To mark {which}: add --mark, or --mark 200 for 200 images{' of each' * (len(certain) > 1)}."


def _left_out(result: SearchResult, chosen: Sequence[Category], settings: Settings) -> list[str]:
    """Return a line about the matches that could have been marked (or unmarked) as well."""
    changed = {category.code for category in chosen}
    others = [category for category in result.others if category.code not in changed]
    if settings.unmark:
        others = [category for category in others if category.selected]
    if not others:
        return []
    command = _command_for(others[0], settings)
    return [f"Left out, because they match less well: {_enumerate(others)}. To include one: {command}"]


def _command_for(category: Category, settings: Settings) -> str:
    if settings.unmark:
        return f"--categories {category.code} --unmark"
    words = ["--categories", category.code, "--mark"]
    words += [] if settings.how_many is None else [str(settings.how_many)]
    words += [] if settings.class_name is None else ["--class", settings.class_name]
    return shlex.join(words)


def _enumerate(categories: Sequence[Category]) -> str:
    described = [f"{category.code} ({category.name})" for category in categories]
    return join_names(described, MAX_NAMED)
