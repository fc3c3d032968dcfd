"""`--find`, `--mark` and `--unmark`: list categories and sets of categories, and mark them in `ncodes.csv`.

What is listed is what is marked, with three exceptions. Names that only begin with the words or are spelled
similarly are not marked. Neither are results from several lexicographer files of WordNet: a horse is an
animal, a chess piece and a frame for sawing. And a search marks no category without URLs, if images come from
URLs only.
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
from ..catalog.named_sets import PREFIX
from ..catalog.search import Fit, Match, SearchIndex
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..sources.url_source import UrlSource
from ..text import join_names, pluralize
from . import extract_flags, listing
from .category_overview import CategoryOverview
from .console import Console
from .list_sets import list_sets
from .messages import warn

SCRIPT = "python extract_images_as_per_tags.py"
MAX_ROWS = 25  # without --format
LEAST_ROWS_OF_GROUP = 3
NOTE_WIDTH = 100  # columns of a message on standard error, if it is not a terminal
MAX_NAMED = 3  # categories named in a message
MAX_CODES_TO_MARK = 5  # codes given in the suggestion of what to mark
NO_LEXNAME = "not in WordNet"


@dataclass(frozen=True)
class SearchResult:
    """The categories found.

    Attributes
    ----------
    listed
        Categories that were named, or that match best.
    others
        The number of matches that are not listed, because they match less well.
    reasons
        How each category matches, by code; empty for named ones.
    is_certain
        Whether they were named or have all the words; only then they can be marked.
    """

    listed: list[Category]
    others: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
    is_certain: bool = True


def find(settings: Settings, console: Console) -> int:
    """Run `--find`, `--mark` or `--unmark`; return the exit code, which is 1 if nothing was found."""
    if settings.find and settings.find[0].startswith(PREFIX):
        return list_sets(" ".join(settings.find).removeprefix(PREFIX), settings, console)
    overview = CategoryOverview(settings, _print_note)
    if settings.categories:
        result = SearchResult(search.find_named(overview.categories, settings.categories))
    else:
        result = _search(overview, settings)
    groups = _groups(result.listed, overview, settings)
    chosen = [category for members in groups.values() for category in members]
    if (settings.mark or settings.unmark) and chosen:
        if not result.is_certain or (settings.mark and len(groups) > 1):
            _print_rows(groups, result, overview, settings, console)
            raise InputError(_refusal(result, groups, settings))
        chosen, notes = _markable(chosen, overview, settings)
        shown = [replace(one, class_name=settings.class_name or one.class_name) for one in chosen]
        _print_rows({"": shown}, result, overview, settings, console)
        notes += [*_others(result), *_mark(chosen, overview, settings)]
        _print_lines(notes, settings, console)
        return 0
    _print_rows(groups, result, overview, settings, console)
    if settings.format is None:
        hints = [
            *_hints(chosen, result, overview, settings),
            *_how_to_mark(groups, result, overview, settings),
        ]
        _print_lines(hints, settings, console)
    return 0 if chosen else 1


def _search(overview: CategoryOverview, settings: Settings) -> SearchResult:
    text = " ".join(settings.find or ())
    words = names.words(text)
    if not words and (text or not (settings.below or settings.boxed)):
        raise InputError("--find needs words, made of letters or digits, e.g. --find sled dog")
    searched = overview.categories if settings.below is None else overview.below(settings.below)
    index = SearchIndex(searched)
    if words:
        matches = index.search(words, overview.image_count)
    else:
        matches = [Match(category, Fit.KIND, extra_words=0, in_short_name=True) for category in searched]
    if not matches:
        warn(_not_found(words, overview, index, settings))
        return SearchResult([])
    if settings.boxed:
        matches = _boxed(matches, overview)
    best = [match for match in matches if match.fit is matches[0].fit]
    listed = matches if settings.all_matches else best
    if listed and listed[0].fit is Fit.SPELLING:
        warn(f"No category has {text!r} in its name; these are spelled similarly.")
    return SearchResult(
        listed=[match.category for match in listed],
        others=len(matches) - len(listed),
        reasons={match.category.code: match.fit.value for match in listed} if words else {},
        is_certain=all(match.fit.has_all_words for match in best),
    )


def _boxed(matches: Sequence[Match], overview: CategoryOverview) -> list[Match]:
    boxed = overview.boxed([match.category.code for match in matches])
    found = [match for match in matches if match.category.code in boxed]
    if not found:
        warn(f"No images have boxes in {pluralize(len(matches), 'category')} found. Leave --boxed out.")
    return found


def _not_found(
    words: Sequence[str], overview: CategoryOverview, index: SearchIndex, settings: Settings
) -> str:
    if {category.code for category in overview.categories}.issuperset(words):
        return (
            "--find searches for names that have all the words. To name several codes: "
            f"--categories {' '.join(words)} (with --mark to mark them)"
        )
    where = "" if settings.below is None else f" below {settings.below!r}"
    text = " ".join(settings.find or ())
    if not words:
        return f"There is no category{where} in {settings.ncode_data}."
    single = [word for word in settings.find or () if _is_name(names.words(word), index)]
    has = f"all words of {text!r} in one name" if len(words) > 1 else f"{text!r} in its name"
    if len(single) > 1:
        searches = " or ".join(shlex.join(["--find", word]) for word in single)
        return f"No category{where} has {has}. To search for one of them: {searches}"
    suggestions = index.suggest(words)
    hint = f"did you mean {_enumerate(suggestions)}?" if suggestions else "try other or fewer words."
    return f"No category{where} has {has}; {hint}"


def _is_name(words: Sequence[str], index: SearchIndex) -> bool:
    """Whether categories have these words in their names."""
    return bool(words) and any(match.fit.has_all_words for match in index.search(words, lambda _code: 0))


def _groups(
    listed: Sequence[Category], overview: CategoryOverview, settings: Settings
) -> dict[str, list[Category]]:
    """Return the categories with their subcategories, divided by the lexicographer files of the former.

    Categories that were named or limited by --below are one group, as are those of one file. Rows that the
    user added belong to no file, and follow.
    """
    lexnames = {category.code: overview.hierarchy.lexname(category.code) for category in listed}
    divided = len(set(lexnames.values()) - {""}) > 1
    if settings.categories or settings.below is not None or not divided:
        return {"": _with_subcategories(listed, overview, settings)} if listed else {}
    by_lexname: dict[str, list[Category]] = {}
    for category in listed:
        by_lexname.setdefault(lexnames[category.code] or NO_LEXNAME, []).append(category)
    seen = {category.code for category in listed}
    groups = {}
    for lexname, members in by_lexname.items():
        own = {category.code for category in members}
        whole = _with_subcategories(members, overview, settings)
        groups[lexname] = [one for one in whole if one.code in own or one.code not in seen]
        seen.update(category.code for category in whole)
    return groups


def _with_subcategories(
    chosen: Sequence[Category], overview: CategoryOverview, settings: Settings
) -> list[Category]:
    if not settings.with_subcategories:
        return list(chosen)
    return selection.with_subcategories(chosen, overview.categories, overview.hierarchy)


def _refusal(result: SearchResult, groups: Mapping[str, Sequence[Category]], settings: Settings) -> str:
    """Return why nothing is marked or unmarked, and commands that do it."""
    words = " ".join(settings.find or ())
    if not result.is_certain:
        flags = f"--{'unmark' if settings.unmark else 'mark'}"
        return (
            f"Nothing was changed: no name has the words {words!r}, the matches are only similar. Use the "
            f"codes of those that you mean: --categories {result.listed[0].code} {flags}"
        )
    number = sum(map(len, groups.values()))
    return "\n".join(
        [
            f"Nothing was changed: these {number:,} categories are of {len(groups)} kinds. To mark one kind:",
            *_commands_below(groups, settings),
        ]
    )


def _commands_below(groups: Mapping[str, Sequence[Category]], settings: Settings) -> list[str]:
    """Return the command for each group; rows of no file are marked by their codes."""
    commands = []
    for lexname, members in groups.items():
        if lexname == NO_LEXNAME:
            codes = [category.code for category in members]
            commands.append(_command(replace(settings, find=None, categories=tuple(codes))))
        else:
            commands.append(_command(replace(settings, below=lexname)))
    return [f"  {command}" for command in commands]


def _command(settings: Settings) -> str:
    """Return the command for the settings of a search that marks or unmarks."""
    words = _script(settings)
    words += [] if settings.find is None else ["--find", *settings.find]
    words += ["--categories", *settings.categories] if settings.categories else []
    for name in ("all_matches", "boxed", "with_subcategories", "with_annotation"):
        words += [f"--{name}", "True"] if getattr(settings, name) else []
    words += [] if settings.below is None else ["--below", settings.below]
    words += _source_flags(settings)
    words += ["--unmark" if settings.unmark else "--mark"]
    words += [] if settings.how_many is None else [str(settings.how_many)]
    words += [] if settings.class_name is None else ["--class", settings.class_name]
    return shlex.join(words)


def _script(settings: Settings) -> list[str]:
    """Return the command of the script, with the flags for places that are not the defaults."""
    words = [*SCRIPT.split(), *extract_flags.input_flags(settings)]
    return words + (
        [] if settings.save_dir == extract_flags.PROJECT else ["--save_dir", str(settings.save_dir)]
    )


def _source_flags(settings: Settings) -> list[str]:
    words = [] if settings.source == (UrlSource.name,) else ["--source", *settings.source]
    return words + (["--copy", *settings.copy] if settings.copy else [])


def _without_urls(
    chosen: Sequence[Category], overview: CategoryOverview, settings: Settings
) -> list[Category]:
    """Return the categories that have no URL, if images come from URLs only."""
    if not overview.has_url_table or settings.source != (UrlSource.name,):
        return []
    return [category for category in chosen if not overview.image_count(category.code)]


def _markable(
    chosen: list[Category], overview: CategoryOverview, settings: Settings
) -> tuple[list[Category], list[str]]:
    """Return the categories to mark or unmark, and notes about the others.

    Raises
    ------
    InputError
        If none is left.
    """
    unlisted = [category for category in chosen if not category.line]
    without_urls = [] if settings.unmark else _without_urls(chosen, overview, settings)
    left_out = {category.code for category in unlisted}
    notes = []
    if unlisted:
        notes.append(
            f"{settings.ncode_data} has no row for {_enumerate(unlisted)}. To add the missing rows: python "
            "download_imagenet_prerequisites.py --only ncodes --force (your marks are kept)"
        )
    if without_urls:
        more = "--source archive or --copy PATH gives other sources."
        which = f"{_enumerate(without_urls)} {'has' if len(without_urls) == 1 else 'have'} no URL"
        if settings.categories:
            notes.append(f"{which}: a run from URLs finds no images there. {more}")
        else:
            left_out.update(category.code for category in without_urls)
            notes.append(f"Not marked, because {which}. {more}")
    rest = [category for category in chosen if category.code not in left_out]
    if not rest:
        raise InputError(" ".join(["Nothing was changed.", *notes]))
    return rest, notes


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
    """Return the command for the next step."""
    command = _script(settings)
    if not marked:
        return [
            f"No category is marked now. To find and mark some: {shlex.join(command)} --find WORD ... --mark"
        ]
    is_limited = bool(settings.mark and settings.how_many and settings.how_many > 0)
    if settings.with_annotation:
        command += ["--with_annotation", "True"]
    elif is_limited:  # half of the URLs are dead: without --fill, there would be fewer images
        command += ["--fill", "True"]
    command += _source_flags(settings)
    are = "is" if len(marked) == 1 else "are"
    lines = [f"{pluralize(len(marked), 'category')} {are} marked now. To download: {shlex.join(command)}"]
    if is_limited and not settings.with_annotation and overview.all_have_boxes(marked):
        lines += ["For as many images with boxes: --with_annotation True instead of --fill True."]
    return lines


def _print_rows(
    groups: Mapping[str, Sequence[Category]],
    result: SearchResult,
    overview: CategoryOverview,
    settings: Settings,
    console: Console,
) -> None:
    """Print categories: all of them with --format, else the first `MAX_ROWS`, evenly from all groups."""
    found = [category for members in groups.values() for category in members]
    matches = {category.code for category in result.listed}
    reasons = {one.code: listing.SUBCATEGORY for one in found if one.code not in matches} | {**result.reasons}
    most = len(found) if settings.format else _rows_of_group([len(members) for members in groups.values()])
    shown: list[Category] = []
    headings: dict[str, str] = {}
    for lexname, members in groups.items():
        shown += members[:most]
        cut = f", {most} of them here" if len(members) > most else ""
        heading = f"{lexname} ({pluralize(len(members), 'category')}{cut})" if lexname else ""
        headings |= {category.code: heading for category in members}
    rows = overview.rows(shown, reasons, headings)
    if settings.format == "csv":
        if hasattr(sys.stdout, "reconfigure"):  # independent of the locale
            sys.stdout.reconfigure(encoding="utf-8")
        console.print(listing.as_csv(rows).rstrip("\n"))
    elif rows:
        more = len(found) - len(rows)
        console.print(listing.as_table(rows, console.width))
        rest = [f"... and {more:,} more; --format table or --format csv lists all of them."] if more else []
        _print_lines([*rest, listing.legend(rows)], settings, console)


def _rows_of_group(sizes: Sequence[int]) -> int:
    """Return how many rows of each group are shown: some of each, and about `MAX_ROWS` in all."""
    fitting = (most for most in range(MAX_ROWS, 0, -1) if sum(min(most, size) for size in sizes) <= MAX_ROWS)
    return max(LEAST_ROWS_OF_GROUP, next(fitting, 0))


def _print_note(message: str) -> None:
    """Print a message on standard error, wrapped to the terminal."""
    is_width_known = sys.stderr.isatty() or os.environ.get("COLUMNS", "").isdigit()
    warn(listing.wrapped(message, shutil.get_terminal_size().columns if is_width_known else NOTE_WIDTH))


def _print_lines(lines: Sequence[str], settings: Settings, console: Console) -> None:
    """Print lines that are not part of the list; on standard error if the list is a CSV."""
    if not lines:
        return
    write, width = (warn, None) if settings.format == "csv" else (console.print, console.width)
    is_command = [line.startswith("  ") for line in lines]  # to be copied, so not wrapped
    pairs = zip(lines, is_command, strict=True)
    write("\n".join(line if command else listing.wrapped(line, width) for line, command in pairs))


def _hints(
    chosen: Sequence[Category], result: SearchResult, overview: CategoryOverview, settings: Settings
) -> list[str]:
    """Return notes about the list, and how to list more."""
    hints = _others(result)
    if settings.boxed and chosen:
        urls = sum(1 for category in chosen if overview.image_count(category.code))
        also = (
            f"; {urls:,} of them {'has' if urls == 1 else 'have'} URLs, too" if overview.has_url_table else ""
        )
        hints.append(f"{pluralize(len(chosen), 'category')} with boxes{also}.")
    if not settings.with_subcategories and overview.have_subcategories(chosen[:MAX_ROWS]):
        hints.append("Add --with_subcategories True to list their subcategories.")
    return hints


def _others(result: SearchResult) -> list[str]:
    if not result.others:
        return []
    verb = "fits" if result.others == 1 else "fit"
    return [f"{result.others:,} more {verb} less well: add --all_matches True to include them."]


def _how_to_mark(
    groups: Mapping[str, Sequence[Category]],
    result: SearchResult,
    overview: CategoryOverview,
    settings: Settings,
) -> list[str]:
    found = [category for members in groups.values() for category in members]
    if not found:
        return []
    if not result.is_certain:
        codes = [category.code for category in found]
        if len(codes) > MAX_CODES_TO_MARK:
            return [f"To mark one of them, use its code: --categories {codes[0]} --mark"]
        which, noun = ("it", "code") if len(codes) == 1 else ("them", "codes")
        return [f"To mark {which}, use the {noun}: --categories {' '.join(codes)} --mark"]
    if len(groups) > 1:
        return [
            f"They are of {len(groups)} kinds. To mark one kind:",
            *_commands_below(groups, settings),
        ]
    shown = f" ({MAX_ROWS} are shown)" if len(found) > MAX_ROWS else ""
    which = "it" if len(found) == 1 else f"all {len(found):,}{shown}" if shown else "them"
    of_each = " of each" * (len(found) > 1)
    without = len(_without_urls(found, overview, settings))
    if without == len(found):
        more = (
            f"To mark {which}, which {'has' if without == 1 else 'have'} no URL: add --mark --source archive."
        )
    else:
        but = f", but for {without:,} without URLs" if without else ""
        more = f"To mark {which}{but}: add --mark, or --mark 200 for 200 images{of_each}."
    return [more]


def _enumerate(categories: Sequence[Category]) -> str:
    described = [f"{category.code} ({category.name})" for category in categories]
    return join_names(described, MAX_NAMED)
