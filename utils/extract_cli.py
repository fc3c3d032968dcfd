"""The command line of `extract_images_as_per_tags.py`: from flags to a run, and from a run to the screen."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Sequence

from . import categories, extract_options, summary, verify
from .books import Books, Screen
from .cli import Signals, guarded
from .errors import InputError
from .messages import WorkOrder
from .models import Category, Settings, UrlRow
from .pipeline import Run
from .pool import Alone, Crew, Pool
from .preview import preview
from .progress import Progress
from .schedule import Schedule
from .screen import Console, ImageBar
from .storage import RESULT_FOLDER, CategoryFolder, FolderLock, result_folder
from .summary import Summary
from .supply import Store, how_many
from .tempo import Tempo
from .url_table import UrlTable, open_table

CATEGORIES_SHOWN = 12
LARGE_TABLE = 50_000_000
"""Bytes, from which on indexing takes long enough to be mentioned."""
IDLE_CONNECTIONS = 256
"""Connections that a worker keeps open for further URLs of the same hosts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    settings = extract_options.settings(arguments)
    console = Console()
    signals = Signals()
    return guarded(lambda: _extract(settings, console, signals), signals)


class TerminalScreen(Screen):
    """Shows a run on the terminal."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._verbose = verbose
        self._bar = ImageBar(console)
        self.say = console.say  # type: ignore[method-assign]  # said the same way, bar or not

    def category_done(self, summary: Summary) -> None:
        """Show how a category ended, if the user wants to know."""
        if self._verbose:
            self.say(summary.line())

    def update(self, progress: Progress) -> None:
        """Show how far the run is."""
        self._bar.update(progress)

    def close(self) -> None:
        """Clear the bar away."""
        self._bar.close()


def _extract(settings: Settings, console: Console, signals: Signals) -> int:
    everything = categories.read(settings.ncode_data)
    if settings.verify:
        return _verify(everything, settings, console)
    selected = _selected(everything, settings)
    table = open_table(settings.url_data, _indexing(console))
    console.say(_selection(selected, table, settings))
    if not settings.annotations_dir.is_dir():
        console.say(f"There are no bounding boxes: the folder {settings.annotations_dir} is not there.")
    if settings.dry_run:
        return _dry_run(selected, table, settings, console)
    folder = result_folder(settings.save_dir)
    with FolderLock(folder):
        labels = {category.code: category.folder for category in everything}
        store = Store(settings, folder, table, labels)
        books = _work(selected, store, console, signals)
    return _conclude(books, store, console, signals)


def _selected(everything: Sequence[Category], settings: Settings) -> list[Category]:
    if settings.categories:
        return categories.find(everything, settings.categories)
    marked = categories.selected(everything)
    if not marked:
        raise InputError(
            f"No category is marked in {settings.ncode_data}. Set to_download to True for some and save it, "
            "or name them, e.g. --categories carton cup"
        )
    return marked


def _indexing(console: Console) -> Callable[[int, int], None]:
    """Say once that the table is being indexed, for that takes some seconds the first time."""
    told: list[int] = []

    def progress(_done: int, total: int) -> None:
        if not told and total > LARGE_TABLE:
            told.append(total)
            console.say(f"Indexing the URL table ({total / 1e6:.0f} MB), only this once ...")

    return progress


def _selection(selected: Sequence[Category], table: UrlTable, settings: Settings) -> str:
    lines = [f"{len(selected)} categor{'ies' if len(selected) > 1 else 'y'}:"]
    for category in selected[:CATEGORIES_SHOWN]:
        count, wanted = table.count(category.code), _wanted(how_many(category, settings), settings)
        lines.append(f"  {category.folder} ({category.code}): {count} URLs, {wanted}")
    if len(selected) > CATEGORIES_SHOWN:
        lines.append(f"  ... and {len(selected) - CATEGORIES_SHOWN} more")
    return "\n".join(lines)


def _wanted(limit: int, settings: Settings) -> str:
    kind = "images with boxes" if settings.with_annotation else "images"
    if limit == 0:
        return "none, as how_many is 0"
    if limit < 0:
        return f"all {kind}"
    return f"until {limit} {kind} are there" if settings.fill else f"the first {limit} URLs"


def _dry_run(selected: Sequence[Category], table: UrlTable, settings: Settings, console: Console) -> int:
    console.say("What a run would do:")
    to_try = 0
    for category in selected:
        folder = CategoryFolder(settings.save_dir / RESULT_FOLDER / category.folder)
        planned = preview(category, table, folder, settings)
        to_try += planned.to_try
        console.say(f"  {planned.line()}")
        if planned.problem:
            console.say(f"    {planned.problem}")
    console.say(f"{to_try} URLs to try at most. Nothing was downloaded: this was a dry run.")
    return 0


def _verify(everything: Sequence[Category], settings: Settings, console: Console) -> int:
    root = settings.save_dir / RESULT_FOLDER
    if not root.is_dir():
        raise InputError(
            f"There is nothing to verify: {root} is not there. Give the --save_dir that it is in."
        )
    named = categories.find(everything, settings.categories) if settings.categories else None
    chosen = [one for one in verify.folders(root, everything) if named is None or one in named]
    rows_of = open_table(settings.url_data).rows_of if settings.url_data.exists() else _no_rows
    verification = verify.Verification(root, rows_of, settings.min_side, tell=console.say)
    with FolderLock(root):
        verification.run(chosen)
    console.say(f"{verification.images} images in {len(chosen)} folders are whole and fit their boxes.")
    if verification.findings:
        console.say(f"{verification.findings} things did not hold, and were taken back; see the reports.")
    return 1 if verification.findings else 0


def _no_rows(_image_codes: Collection[str]) -> list[UrlRow]:
    """Stand in for a URL table that is not there."""
    return []


def _work(selected: Sequence[Category], store: Store, console: Console, signals: Signals) -> Books:
    settings = store.settings
    signals.end_gently()
    progress = Progress()
    screen = TerminalScreen(console, verbose=settings.verbose)
    books = Books(selected, store, progress=progress, screen=screen)
    tempo = Tempo(settings, console.say)
    schedule = Schedule(batch_size=tempo.batch_size(), retries=settings.retries)
    try:
        with _crew(tempo, store) as crew:
            Run(books, crew, schedule, tempo, progress, screen=screen, stopped=signals.received).work()
    finally:
        tempo.stop()
        screen.close()
        _say_totals(selected, books, store, console)
    return books


def _say_totals(selected: Sequence[Category], books: Books, store: Store, console: Console) -> None:
    made = books.publisher.summaries
    summaries = [made[category.code] for category in selected if category.code in made]
    if summaries:
        console.say("\n".join([summary.table(summaries), *summary.total(summaries).judgement()]))
        console.say(f"Images, annotations and reports lie in {store.folder}")


def _crew(tempo: Tempo, store: Store) -> Crew:
    settings = store.settings
    order = WorkOrder(
        result_folder=store.folder,
        timeout=settings.timeout,
        min_side=settings.min_side,
        honour_opt_out=settings.honour_opt_out,
        with_annotation=settings.with_annotation,
        transfers=IDLE_CONNECTIONS,
    )
    return Pool(tempo.processes, order) if settings.parallel else Alone(order)


def _conclude(books: Books, store: Store, console: Console, signals: Signals) -> int:
    for fault in books.faults:
        _warn(fault)
    if signals.received():
        _warn("Interrupted. The reports are written; run the same command again to go on.")
        return 0  # the signal's own exit code takes its place
    for category in books.short:
        console.say(_how_short(category, books, store))
    for category in _barren_for_no_fault(books):
        _warn(
            f"There is no image of {category.folder} ({category.code}). {_why_barren(category, books, store)}"
        )
    return 1 if books.barren or books.faults else 0


def _barren_for_no_fault(books: Books) -> list[Category]:
    """Leave out those categories of which a fault has been told: that is why."""
    return [
        one for one in books.barren if not any(said.startswith(f"{one.folder}: ") for said in books.faults)
    ]


def _how_short(category: Category, books: Books, store: Store) -> str:
    kind = "images with boxes" if store.settings.with_annotation else "images"
    have, wanted = books.images_of(category), how_many(category, store.settings)
    return f"{category.folder}: {have} of the {wanted} {kind} that were wanted; no URL is left."


def _why_barren(category: Category, books: Books, store: Store) -> str:
    """Say why a category has nothing, and what can be done about it."""
    if not store.table.count(category.code) and not store.settings.with_annotation:
        return f"{store.table.path} has no URL of it."
    considered = books.publisher.summaries.get(category.code)
    if considered and not considered.statuses:
        return (
            f"None of its URLs has boxes in {store.settings.annotations_dir}: try without --with_annotation."
        )
    return f"Its report says why: {store.category(category).report}"


def _warn(sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it; the exit code still tells
        print(sentence, file=sys.stderr)
