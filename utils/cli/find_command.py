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
from . import listing, suggested_commands
from .category_overview import CategoryOverview
from .console import Console
from .list_sets import list_sets
from .messages import warn
from .suggested_commands import NO_LEXNAME

MAX_ROWS = 25  # without --format
LEAST_ROWS_OF_GROUP = 3
NOTE_WIDTH = 100  # columns of a message on standard error, if it is not a terminal
MAX_NAMED = 3  # categories named in a message
MAX_CODES_TO_MARK = 5  # codes given in the suggestion of what to mark


def find(settings: Settings, console: Console) -> int:
    """Run `--find`, `--mark` or `--unmark`; return the exit code, which is 1 if nothing was found."""
    if settings.find and settings.find[0].startswith(PREFIX):
        return list_sets(" ".join(settings.find).removeprefix(PREFIX), settings, console)
    return FindCommand(settings, console, CategoryOverview(settings, _print_note)).run()


@dataclass(frozen=True)
class SearchResult:
    """The categories found.

    Attributes
    ----------
    listed
        Categories that were named, or that match best.
    groups
        These and, if they are wanted, their subcategories by lexicographer file; "" if they are one group.
    others
        The number of matches that are not listed, because they match less well.
    reasons
        How each category matches, by code; empty for named ones.
    is_certain
        Whether they were named or have all the words; only then they can be marked.
    """

    listed: list[Category] = field(default_factory=list)
    groups: Mapping[str, list[Category]] = field(default_factory=dict)
    others: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
    is_certain: bool = True

    @property
    def found(self) -> list[Category]:
        """The categories of all groups."""
        return [category for members in self.groups.values() for category in members]


@dataclass(frozen=True)
class FindCommand:
    """A search, or a list of named categories, and what is done with the result."""

    settings: Settings
    console: Console
    overview: CategoryOverview

    def run(self) -> int:
        """List the categories, and mark or unmark them; returns the exit code.

        Raises
        ------
        InputError, DiskError
            If there is no such category, or the table cannot be changed.
        """
        settings = self.settings
        if settings.categories:
            named = search.find_named(self.overview.categories, settings.categories)
            result = SearchResult(named, self._groups(named))
        else:
            result = self._search()
        if (settings.mark or settings.unmark) and result.found:
            if not result.is_certain or (settings.mark and len(result.groups) > 1):
                self._print_rows(result)
                raise InputError(self._refusal(result))
            chosen, notes = self._markable(result.found)
            shown = [replace(one, class_name=settings.class_name or one.class_name) for one in chosen]
            self._print_rows(replace(result, groups={"": shown}))
            self._print_lines([*notes, *_others(result), *self._mark(chosen)])
            return 0
        self._print_rows(result)
        if settings.format is None:
            self._print_lines([*self._hints(result), *self._how_to_mark(result)])
        return 0 if result.found else 1

    def _search(self) -> SearchResult:
        settings, overview = self.settings, self.overview
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
            warn(self._not_found(words, index))
            return SearchResult()
        if settings.boxed:
            boxed = overview.boxed([match.category.code for match in matches])
            number = len(matches)
            matches = [match for match in matches if match.category.code in boxed]
            if not matches:
                warn(f"No images have boxes in {pluralize(number, 'category')} found. Leave --boxed out.")
        best = [match for match in matches if match.fit is matches[0].fit]
        chosen = matches if settings.all_matches else best
        if chosen and chosen[0].fit is Fit.SPELLING:
            warn(f"No category has {text!r} in its name; these are spelled similarly.")
        listed = [match.category for match in chosen]
        return SearchResult(
            listed,
            self._groups(listed),
            others=len(matches) - len(chosen),
            reasons={match.category.code: match.fit.value for match in chosen} if words else {},
            is_certain=all(match.fit.has_all_words for match in best),
        )

    def _not_found(self, words: Sequence[str], index: SearchIndex) -> str:
        settings = self.settings
        if {category.code for category in self.overview.categories}.issuperset(words):
            return (
                "--find searches for names that have all the words. To name several codes: "
                f"--categories {' '.join(words)} (with --mark to mark them)"
            )
        where = "" if settings.below is None else f" below {settings.below!r}"
        if not words:
            return f"There is no category{where} in {settings.ncode_data}."
        given = settings.find or ()
        has = f"{' '.join(given)!r} in its name"
        if len(words) > 1:
            has = f"all words of {' '.join(given)!r} in one name"
        single = [word for word in given if _is_name(names.words(word), index)]
        if len(single) > 1:
            searches = " or ".join(shlex.join(["--find", word]) for word in single)
            return f"No category{where} has {has}. To search for one of them: {searches}"
        suggestions = index.suggest(words)
        hint = f"did you mean {_enumerate(suggestions)}?" if suggestions else "try other or fewer words."
        return f"No category{where} has {has}; {hint}"

    def _groups(self, listed: Sequence[Category]) -> dict[str, list[Category]]:
        """Return the categories with their subcategories, divided by the lexicographer files of the former.

        Categories that were named or limited by --below are one group, as are those of one file. Rows that
        the user added belong to no file, and follow.
        """
        lexnames = {category.code: self.overview.hierarchy.lexname(category.code) for category in listed}
        divided = len(set(lexnames.values()) - {""}) > 1
        if self.settings.categories or self.settings.below is not None or not divided:
            return {"": self._with_subcategories(listed)} if listed else {}
        by_lexname: dict[str, list[Category]] = {}
        for category in listed:
            by_lexname.setdefault(lexnames[category.code] or NO_LEXNAME, []).append(category)
        seen = {category.code for category in listed}
        groups = {}
        for lexname, members in by_lexname.items():
            own = {category.code for category in members}
            whole = self._with_subcategories(members)
            groups[lexname] = [one for one in whole if one.code in own or one.code not in seen]
            seen.update(category.code for category in whole)
        return groups

    def _with_subcategories(self, chosen: Sequence[Category]) -> list[Category]:
        if not self.settings.with_subcategories:
            return list(chosen)
        return selection.with_subcategories(chosen, self.overview.categories, self.overview.hierarchy)

    def _refusal(self, result: SearchResult) -> str:
        """Return why nothing is marked or unmarked, and commands that do it."""
        if not result.is_certain:
            words = " ".join(self.settings.find or ())
            flag = "--unmark" if self.settings.unmark else "--mark"
            return (
                f"Nothing was changed: no name has the words {words!r}, the matches are only similar. Use "
                f"the codes of those that you mean: --categories {result.listed[0].code} {flag}"
            )
        why = (
            f"Nothing was changed: these {len(result.found):,} categories are of {len(result.groups)} kinds. "
            "To mark one kind:"
        )
        return "\n".join([why, *suggested_commands.mark_groups(result.groups, self.settings)])

    def _without_urls(self, chosen: Sequence[Category]) -> list[Category]:
        """Return the categories that have no URL, if images come from URLs only."""
        if not self.overview.has_url_table or self.settings.source != (UrlSource.name,):
            return []
        return [category for category in chosen if not self.overview.image_count(category.code)]

    def _markable(self, found: Sequence[Category]) -> tuple[list[Category], list[str]]:
        """Return the categories to mark or unmark, and notes about the others.

        Raises
        ------
        InputError
            If none is left.
        """
        settings = self.settings
        unlisted = [category for category in found if not category.line]
        without_urls = [] if settings.unmark else self._without_urls(found)
        left_out = {category.code for category in unlisted}
        notes = []
        if unlisted:
            notes.append(
                f"{settings.ncode_data} has no row for {_enumerate(unlisted)}. To add the missing rows: "
                "python download_imagenet_prerequisites.py --only ncodes --force (your marks are kept)"
            )
        if without_urls:
            more = "--source archive or --copy PATH gives other sources."
            which = f"{_enumerate(without_urls)} {'has' if len(without_urls) == 1 else 'have'} no URL"
            if settings.categories:
                notes.append(f"{which}: a run from URLs finds no images there. {more}")
            else:
                left_out.update(category.code for category in without_urls)
                notes.append(f"Not marked, because {which}. {more}")
        rest = [category for category in found if category.code not in left_out]
        if not rest:
            raise InputError(" ".join(["Nothing was changed.", *notes]))
        return rest, notes

    def _mark(self, chosen: Sequence[Category]) -> list[str]:
        """Mark or unmark categories; return the lines to print.

        Raises
        ------
        InputError, DiskError
            If the table cannot be changed.
        """
        settings = self.settings
        codes = [category.code for category in chosen]
        marked = {category.code for category in self.overview.categories if category.selected}
        path, dry_run = settings.ncode_data, settings.dry_run
        if settings.mark:
            result = marking.mark(
                path, codes, how_many=settings.how_many, class_name=settings.class_name, dry_run=dry_run
            )
            marked.update(codes)
        else:
            result = marking.unmark(path, codes, dry_run=dry_run)
            marked.difference_update(codes)
        changed = self._what_changed(result)
        return [changed] if dry_run else [changed, *self._next_command(marked)]

    def _what_changed(self, result: MarkResult) -> str:
        settings = self.settings
        verb = "marked" if settings.mark else "unmarked"
        changed, unchanged = (pluralize(one, "category") for one in (result.changed, result.unchanged))
        class_text = "" if settings.class_name is None else f", class {settings.class_name!r}"
        if settings.dry_run:
            same = f" ({result.unchanged:,} unchanged)" if result.unchanged else ""
            what = f"{changed} would be {verb}{class_text}{same}"
            return f"{what}. Nothing was changed: this was a dry run."
        if result.backup is None:
            return f"Nothing was changed: {settings.ncode_data} has these values already for {unchanged}."
        number = "" if settings.unmark or settings.how_many is None else f", how_many {settings.how_many}"
        same = f" ({result.unchanged:,} more unchanged)" if result.unchanged else ""
        return (
            f"{verb.capitalize()} {changed} in {settings.ncode_data}{number}{class_text}{same}. "
            f"Backup of the previous file: {result.backup}"
        )

    def _next_command(self, marked: set[str]) -> list[str]:
        """Return the command for the next step."""
        settings = self.settings
        command = suggested_commands.script(settings)
        if not marked:
            script = shlex.join(command)
            return [f"No category is marked now. To find and mark some: {script} --find WORD ... --mark"]
        is_limited = bool(settings.mark and settings.how_many and settings.how_many > 0)
        if settings.with_annotation:
            command += ["--with_annotation", "True"]
        elif is_limited:  # half of the URLs are dead: without --fill, there would be fewer images
            command += ["--fill", "True"]
        command += suggested_commands.source_flags(settings)
        are = "is" if len(marked) == 1 else "are"
        lines = [f"{pluralize(len(marked), 'category')} {are} marked now. To download: {shlex.join(command)}"]
        if is_limited and not settings.with_annotation and self.overview.all_have_boxes(marked):
            lines += ["For as many images with boxes: --with_annotation True instead of --fill True."]
        return lines

    def _print_rows(self, result: SearchResult) -> None:
        """Print categories: all of them with --format, else the first `MAX_ROWS`, evenly from all groups."""
        found, groups = result.found, result.groups
        matches = {category.code for category in result.listed}
        reasons = {one.code: listing.SUBCATEGORY for one in found if one.code not in matches}
        most = len(found) if self.settings.format else _rows_of_group(list(map(len, groups.values())))
        shown: list[Category] = []
        headings: dict[str, str] = {}
        for lexname, members in groups.items():
            shown += members[:most]
            cut = f", {most} of them here" if len(members) > most else ""
            heading = f"{lexname} ({pluralize(len(members), 'category')}{cut})" if lexname else ""
            headings |= {category.code: heading for category in members}
        rows = self.overview.rows(shown, reasons | {**result.reasons}, headings)
        if self.settings.format == "csv":
            if hasattr(sys.stdout, "reconfigure"):  # independent of the locale
                sys.stdout.reconfigure(encoding="utf-8")
            self.console.print(listing.as_csv(rows))
        elif rows:
            more = len(found) - len(rows)
            self.console.print(listing.as_table(rows, self.console.width))
            rest = [f"... and {more:,} more; --format table or --format csv lists all of them."]
            self._print_lines([*(rest if more else []), listing.legend(rows)])

    def _print_lines(self, lines: Sequence[str]) -> None:
        """Print lines that are not part of the list; on standard error if the list is a CSV."""
        if not lines:
            return
        is_csv = self.settings.format == "csv"
        write, width = (warn, None) if is_csv else (self.console.print, self.console.width)
        # Commands are indented; they are to be copied, so they are not wrapped.
        write("\n".join(line if line.startswith("  ") else listing.wrapped(line, width) for line in lines))

    def _hints(self, result: SearchResult) -> list[str]:
        """Return notes about the list, and how to list more."""
        hints, found = _others(result), result.found
        if self.settings.boxed and found:
            urls = sum(1 for category in found if self.overview.image_count(category.code))
            has = "has" if urls == 1 else "have"
            also = f"; {urls:,} of them {has} URLs, too" if self.overview.has_url_table else ""
            hints.append(f"{pluralize(len(found), 'category')} with boxes{also}.")
        if not self.settings.with_subcategories and self.overview.have_subcategories(found[:MAX_ROWS]):
            hints.append("Add --with_subcategories True to list their subcategories.")
        return hints

    def _how_to_mark(self, result: SearchResult) -> list[str]:
        found = result.found
        if not found:
            return []
        if not result.is_certain:
            codes = [category.code for category in found]
            if len(codes) > MAX_CODES_TO_MARK:
                return [f"To mark one of them, use its code: --categories {codes[0]} --mark"]
            which, noun = ("it", "code") if len(codes) == 1 else ("them", "codes")
            return [f"To mark {which}, use the {noun}: --categories {' '.join(codes)} --mark"]
        if len(result.groups) > 1:
            return [
                f"They are of {len(result.groups)} kinds. To mark one kind:",
                *suggested_commands.mark_groups(result.groups, self.settings),
            ]
        which = "it" if len(found) == 1 else "them"
        if len(found) > MAX_ROWS:
            which = f"all {len(found):,} ({MAX_ROWS} are shown)"
        without = len(self._without_urls(found))
        if without == len(found):
            have = "has" if without == 1 else "have"
            return [f"To mark {which}, which {have} no URL: add --mark --source archive."]
        but = f", but for {without:,} without URLs" if without else ""
        of_each = " of each" if len(found) > 1 else ""
        return [f"To mark {which}{but}: add --mark, or --mark 200 for 200 images{of_each}."]


def _is_name(words: Sequence[str], index: SearchIndex) -> bool:
    """Whether categories have these words in their names."""
    return bool(words) and any(match.fit.has_all_words for match in index.search(words, lambda _code: 0))


def _others(result: SearchResult) -> list[str]:
    if not result.others:
        return []
    verb = "fits" if result.others == 1 else "fit"
    return [f"{result.others:,} more {verb} less well: add --all_matches True to include them."]


def _rows_of_group(sizes: Sequence[int]) -> int:
    """Return how many rows of each group are shown: some of each, and about `MAX_ROWS` in all."""
    fitting = (most for most in range(MAX_ROWS, 0, -1) if sum(min(most, size) for size in sizes) <= MAX_ROWS)
    return max(LEAST_ROWS_OF_GROUP, next(fitting, 0))


def _print_note(message: str) -> None:
    """Print a message on standard error, wrapped to the terminal."""
    is_width_known = sys.stderr.isatty() or os.environ.get("COLUMNS", "").isdigit()
    warn(listing.wrapped(message, shutil.get_terminal_size().columns if is_width_known else NOTE_WIDTH))


def _enumerate(categories: Sequence[Category]) -> str:
    return join_names([f"{category.code} ({category.name})" for category in categories], MAX_NAMED)
