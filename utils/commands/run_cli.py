"""A run as the user sees it: what was selected, how it goes, what it came to; or a dry one, or `--verify`."""

from __future__ import annotations

from collections.abc import Sequence

from ..archive import terms
from ..downloads.addresses import shown
from ..errors import InputError
from ..models import Category, Settings, Source
from ..results import summary, verify
from ..results.progress import Progress
from ..results.summary import Summary
from ..run.books import Books, Screen
from ..run.messages import WorkOrder
from ..run.pipeline import Run
from ..run.pool import Alone, Crew, Pool
from ..run.preview import preview
from ..run.store import Store, how_many
from ..storage import RESULT_FOLDER, CategoryFolder, FolderLock, result_folder
from ..tables import categories, selection
from ..tables.selection import Selection
from ..tables.url_table import NoUrlTable, UrlTable, open_table
from ..web.schedule import Schedule
from ..web.tempo import Tempo
from .cli import Signals
from .screen import Console, ImageBar
from .telling import open_telling, warn

CATEGORIES_SHOWN = 12
IDLE_CONNECTIONS = 256
"""Connections that a worker keeps open for further URLs of the same hosts."""


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


def run(settings: Settings, console: Console, signals: Signals) -> int:
    """Do what the flags of a run ask for; returns the exit code."""
    everything = categories.read(settings.ncode_data)
    if settings.verify:
        return _verify(everything, settings, console)
    chosen = selection.selected(everything, settings)
    selected = chosen.categories
    terms.require(settings)
    table = _table(settings, console)
    console.say(_told(chosen, table, settings))
    if settings.source is not Source.URLS:
        console.say(f"{terms.TEXT} (accepted).")
    if not settings.annotations_dir.is_dir():
        console.say(f"There are no bounding boxes: the folder {settings.annotations_dir} is not there.")
    if settings.dry_run:
        return _dry_run(selected, table, settings, console)
    folder = result_folder(settings.save_dir)
    with FolderLock(folder):
        labels = {category.code: category.folder for category in everything}
        with terms.feeds(settings, folder) as feeds:
            store = Store(settings, folder, table, labels, feeds)
            books = _work(selected, store, console, signals)
    return _conclude(books, store, console, signals)


def _table(settings: Settings, console: Console) -> UrlTable:
    """Open the URL table; who takes everything from an archive need not have one."""
    if settings.source is Source.ARCHIVE and not settings.url_data.exists():
        return NoUrlTable(settings.url_data)
    return open_telling(settings.url_data, console.say)


def _told(chosen: Selection, table: UrlTable, settings: Settings) -> str:
    selected = chosen.categories
    brought = f", {chosen.brought} of them as subcategories" if settings.with_subcategories else ""
    lines = [f"{len(selected)} categor{'ies' if len(selected) > 1 else 'y'}{brought}:"]
    for category in selected[:CATEGORIES_SHOWN]:
        wanted = _wanted(how_many(category, settings), settings)
        lines.append(
            f"  {category.folder} ({category.code}): {_offered(category, table, settings)}, {wanted}"
        )
    if len(selected) > CATEGORIES_SHOWN:
        lines.append(f"  ... and {len(selected) - CATEGORIES_SHOWN} more")
    return "\n".join(lines)


def _offered(category: Category, table: UrlTable, settings: Settings) -> str:
    urls = f"{table.count(category.code)} URLs"
    return {Source.URLS: urls, Source.ARCHIVE: "its tar", Source.BOTH: f"{urls} and its tar"}[settings.source]


def _wanted(limit: int, settings: Settings) -> str:
    kind = "images with boxes" if settings.with_annotation else "images"
    if limit == 0:
        return "none, as how_many is 0"
    if limit < 0:
        return f"all {kind}"
    if settings.fill:
        return f"until {limit} {kind} are there"
    return f"the first {limit} {'in it' if settings.source is Source.ARCHIVE else 'URLs'}"


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
    tars = (
        ""
        if settings.source is Source.URLS
        else f" What tars hold ({shown(settings.archive_url)}) is not known yet."
    )
    console.say(f"{to_try} URLs to try at most.{tars} Nothing was downloaded: this was a dry run.")
    return 0


def _verify(everything: Sequence[Category], settings: Settings, console: Console) -> int:
    root = settings.save_dir / RESULT_FOLDER
    if not root.is_dir():
        raise InputError(
            f"There is nothing to verify: {root} is not there. Give the --save_dir that it is in."
        )
    named = selection.selected(everything, settings).categories if settings.categories else None
    codes = {category.code for category in named or ()}
    chosen = [one for one in verify.folders(root, everything) if named is None or one.code in codes]
    table = open_table(settings.url_data) if settings.url_data.exists() else NoUrlTable(settings.url_data)
    verification = verify.Verification(root, table.rows_of, settings.min_side, tell=console.say)
    with FolderLock(root):
        verification.run(chosen)
    console.say(f"{verification.images} images in {len(chosen)} folders are whole and fit their boxes.")
    if verification.findings:
        console.say(f"{verification.findings} things did not hold, and were taken back; see the reports.")
    return 1 if verification.findings else 0


def _work(selected: Sequence[Category], store: Store, console: Console, signals: Signals) -> Books:
    settings = store.settings
    signals.end_gently()
    progress = Progress()
    screen = TerminalScreen(console, verbose=settings.verbose)
    books = Books(selected, store, progress=progress, screen=screen, stopped=signals.received)
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
        warn(fault)
    if signals.received():
        written = "Not all reports" if books.unreported else "The reports"
        warn(f"Interrupted. {written} are written; run the same command again to go on.")
        return 0  # the signal's own exit code takes its place
    for category in books.short:
        console.say(_how_short(category, books, store))
    for category in _barren_for_no_fault(books):
        warn(
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
    left = "no URL is left" if store.settings.source is Source.URLS else "there are no more"
    have, wanted = books.images_of(category), how_many(category, store.settings)
    return f"{category.folder}: {have} of the {wanted} {kind} that were wanted; {left}."


def _why_barren(category: Category, books: Books, store: Store) -> str:
    """Say why a category has nothing, and what can be done about it."""
    settings, considered = store.settings, books.publisher.summaries.get(category.code)
    if considered is None or considered.statuses:
        return f"Its report says why: {store.category(category).report}"
    if settings.with_annotation:
        nobody = "None of its URLs" if settings.source is Source.URLS else "Nothing that is offered of it"
        return f"{nobody} has boxes in {settings.annotations_dir}: try without --with_annotation."
    return {
        Source.URLS: f"{store.table.path} has no URL of it.",
        Source.ARCHIVE: "Its tar holds no image.",
        Source.BOTH: f"{store.table.path} has no URL of it, and no tar brought any image.",
    }[settings.source]
