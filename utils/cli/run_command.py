"""A run as the user sees it: what was selected, how it goes, what it came to; or a dry one, or `--verify`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..catalog import categories, selection
from ..catalog.selection import Selection
from ..errors import InputError
from ..fetch.locations import is_in_web, local_path, shown
from ..models.enums import Status
from ..models.rows import Category
from ..models.settings import ImageSource, Settings
from ..pipeline.category_manager import CategoryManager
from ..pipeline.concurrency import ConcurrencyController
from ..pipeline.context import RunContext
from ..pipeline.dry_run import preview
from ..pipeline.executor import Executor, LocalExecutor
from ..pipeline.messages import WorkerConfig
from ..pipeline.run import Run
from ..pipeline.worker_pool import InProcessBackend, WorkerBackend, WorkerPool
from ..results import segments, statistics
from ..results.paths import RESULT_FOLDER, CategoryFolder, FolderLock, result_folder
from ..results.progress import Progress
from ..scheduler.schedule import Schedule
from ..sources import tar_address, terms
from ..sources.url_table import NoUrlTable, UrlTable
from ..text import pluralize
from . import gallery_command, shortfall, verify_command
from .arguments import Signals
from .console import Console
from .messages import open_url_table, warn

if TYPE_CHECKING:
    from .export_command import ExportOrder

CATEGORIES_SHOWN = 12
OF_ALL_RUNS = "What failed is told of all runs so far, not of this one alone."
WORTH_A_WORKER = 16
"""URLs for which one more process is started; with fewer it would hardly be up before the work is done."""
IDLE_CONNECTIONS = 256
"""Connections that a worker keeps open for further URLs of the same hosts."""


def run(settings: Settings, console: Console, signals: Signals) -> int:
    """Do what the flags of a run ask for; returns the exit code."""
    everything = categories.read(settings.ncode_data)
    if settings.verify:
        return verify_command.verify_all(everything, settings, console)
    chosen = selection.selected(everything, settings)
    selected = chosen.categories
    terms.require(settings)
    _require_folders(settings)
    table = _table(settings, console)
    console.print(_told(chosen, table, settings))
    if settings.source is not ImageSource.URLS:
        console.print(f"{terms.TEXT} (accepted).")
    if not settings.annotations_dir.is_dir():
        console.print(_no_boxes(settings))
    order = _order(selected, everything, settings, console)
    if settings.dry_run:
        there = _dry_run(selected, table, settings, console)
        if order:
            order.preview(there)
        return 0
    folder = result_folder(settings.save_dir)
    with FolderLock(folder):
        segments.take_in_left(folder, console.print)
        labels = {category.code: category.folder for category in everything}
        with terms.feeds(settings, folder) as feeds:
            store = RunContext(settings, folder, table, labels, feeds)
            books = _work(selected, store, console, signals)
        stopped, faulty = signals.received, bool(books.faults)
        left = gallery_command.write(folder, everything, settings, console, stopped=stopped, faulty=faulty)
        if left:
            console.print(f"Look at it: {left}")
        code = _conclude(books, store, console, signals)
        if order:
            order.carry_out(signals)
    return code


def _order(
    selected: Sequence[Category], everything: Sequence[Category], settings: Settings, console: Console
) -> ExportOrder | None:
    """Take the order for an export, if there is one, and see that nothing stands in its way."""
    if not settings.export:
        return None
    from .export_command import ExportOrder  # only now: it loads pandas

    order = ExportOrder(selected, everything, settings, console)
    order.require_places()
    return order


def _require_folders(settings: Settings) -> None:
    """See that there is what nothing can be had without, before anything is made.

    Raises
    ------
    InputError
        If it is not there.
    """
    if settings.with_annotation and not settings.annotations_dir.is_dir():
        raise InputError(_no_boxes(settings))
    if settings.source is ImageSource.URLS:
        return
    before_code = tar_address.template(settings.archive_url).partition(tar_address.CODE)[0]
    if not is_in_web(before_code) and not (folder := local_path(f"{before_code}_").parent).is_dir():
        raise InputError(
            f"--archive_url {settings.archive_url}: no such folder as {folder}. "
            "Give the one that the tars lie in."
        )


def _no_boxes(settings: Settings) -> str:
    folder = settings.annotations_dir
    why = f"{folder} is no folder" if folder.exists() else f"the folder {folder} is not there"
    return (
        f"There are no bounding boxes: {why}. Get them by `python download_imagenet_prerequisites.py`, or "
        "say by --annotations_dir where they are."
    )


def _table(settings: Settings, console: Console) -> UrlTable:
    """Open the URL table; who takes everything from an archive need not have one."""
    if settings.source is ImageSource.ARCHIVE and not settings.url_data.exists():
        return NoUrlTable(settings.url_data)
    return open_url_table(settings.url_data, console.print, keep=not settings.dry_run)


def _told(chosen: Selection, table: UrlTable, settings: Settings) -> str:
    selected = chosen.categories
    brought = f", {chosen.subcategories} of them as subcategories" if settings.with_subcategories else ""
    lines = [f"{len(selected)} categor{'ies' if len(selected) > 1 else 'y'}{brought}:"]
    for category in selected[:CATEGORIES_SHOWN]:
        wanted = _wanted(category.how_many, settings)
        lines.append(
            f"  {category.folder} ({category.code}): {_offered(category, table, settings)}, {wanted}"
        )
    if len(selected) > CATEGORIES_SHOWN:
        lines.append(f"  ... and {len(selected) - CATEGORIES_SHOWN} more")
    return "\n".join(lines)


def _offered(category: Category, table: UrlTable, settings: Settings) -> str:
    urls = pluralize(table.count(category.code), "URL")
    offered = {
        ImageSource.URLS: urls,
        ImageSource.ARCHIVE: "its tar",
        ImageSource.BOTH: f"{urls} and its tar",
    }
    return offered[settings.source]


def _wanted(limit: int, settings: Settings) -> str:
    kind = "images with boxes" if settings.with_annotation else "images"
    if limit == 0:
        return "none, as how_many is 0"
    if limit < 0:
        return f"all {kind}"
    if settings.fill:
        return f"until {limit} {kind} are there"
    return f"the first {limit} {'in it' if settings.source is ImageSource.ARCHIVE else 'URLs'}"


def _dry_run(selected: Sequence[Category], table: UrlTable, settings: Settings, console: Console) -> int:
    """Say what a run would do; returns how many images are there already."""
    console.print("What a run would do:")
    to_try = there = 0
    for category in selected:
        folder = CategoryFolder(settings.save_dir / RESULT_FOLDER / category.folder)
        planned = preview(category, table, folder, settings)
        to_try, there = to_try + planned.to_try, there + planned.there
        console.print("  " + "\n    ".join(planned.lines()))
    tars = (
        ""
        if settings.source is ImageSource.URLS
        else f" What tars hold ({shown(settings.archive_url)}) is not known yet."
    )
    console.print(
        f"{pluralize(to_try, 'URL')} to try at most.{tars} Nothing was downloaded: this was a dry run."
    )
    return there


def _work(
    selected: Sequence[Category], store: RunContext, console: Console, signals: Signals
) -> CategoryManager:
    signals.end_gently()
    progress = Progress()
    books = CategoryManager(selected, store, progress=progress, screen=console, stopped=signals.received)
    try:
        with _traffic(store, console, progress.total) as traffic:
            Run(books, traffic, progress, console, stopped=signals.received).work()
    finally:
        console.close()
        _say_totals(selected, books, store, console, failed=progress.failed)
    return books


def _say_totals(
    selected: Sequence[Category], books: CategoryManager, store: RunContext, console: Console, *, failed: int
) -> None:
    """Say what the categories have by now; of what `failed`, this run may have seen only a part."""
    made = books.publisher.summaries
    summaries = [made[category.code] for category in selected if category.code in made]
    if summaries:
        total = statistics.total(summaries)
        console.print("\n".join([statistics.table(summaries, console.width), *total.details()]))
        if total.statuses[Status.FAILED] > failed:
            console.print(OF_ALL_RUNS)
        console.print(f"Images, annotations and reports lie in {store.folder}")


@contextlib.contextmanager
def _traffic(store: RunContext, console: Console, expected: int) -> Iterator[Executor]:
    settings, order = store.settings, _work_order(store)
    if settings.scheduler:
        from .cluster_command import fleet  # only now: it loads Dask

        with fleet(settings.scheduler, store, order, console) as many_machines:
            yield many_machines
        return
    tempo = ConcurrencyController(settings, console.print)
    schedule = Schedule(batch_size=tempo.batch_size(), retries=settings.retries)
    # Of an archive it is not known before how much it has.
    enough = math.ceil(expected / WORTH_A_WORKER) if settings.source is ImageSource.URLS else tempo.processes
    processes = max(1, min(tempo.processes, enough))
    crew: WorkerBackend = WorkerPool(processes, order) if settings.parallel else InProcessBackend(order)
    try:
        with crew:
            yield LocalExecutor(crew, schedule, tempo.batch_size)
    finally:
        tempo.stop()


def _work_order(store: RunContext) -> WorkerConfig:
    settings = store.settings
    return WorkerConfig(
        result_folder=store.folder,
        timeout=settings.timeout,
        min_side=settings.min_side,
        honour_opt_out=settings.honour_opt_out,
        with_annotation=settings.with_annotation,
        transfers=IDLE_CONNECTIONS,
    )


def _conclude(books: CategoryManager, store: RunContext, console: Console, signals: Signals) -> int:
    for fault in books.faults:
        warn(fault)
    if signals.received():
        written = "Not all reports" if books.unreported else "The reports"
        warn(f"Interrupted. {written} are written; run the same command again to go on.")
        return 0  # the signal's own exit code takes its place
    for sentence in shortfall.short(books, store):
        console.print(sentence)
    for sentence in shortfall.barren(books, store):
        warn(sentence)
    return 1 if books.barren or books.faults else 0
