"""Runs and dry runs: prepares the inputs, prints the selection, the results and what is missing."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..catalog import selection
from ..catalog.selection import Selection
from ..errors import DatasetError, FolderError, InputError
from ..fetch.certificates import Authorities
from ..gallery import run_history
from ..models.rows import Category
from ..models.settings import Settings
from ..pipeline.category_manager import CategoryManager
from ..pipeline.concurrency import ConcurrencyController
from ..pipeline.context import RunContext
from ..pipeline.dry_run import dry_run
from ..pipeline.executor import Executor, LocalExecutor
from ..pipeline.listed_images import ListedImages, Match
from ..pipeline.messages import WorkerConfig
from ..pipeline.run import Run
from ..pipeline.worker_pool import InProcessBackend, WorkerBackend, WorkerPool
from ..results import exclusions, existing_folders, host_limits, own_images
from ..results.folder_lock import FolderLock
from ..results.paths import RESULT_FOLDER, RUN_NAME, result_folder
from ..results.progress import Progress
from ..results.run_record import RunRecord
from ..results.staging import StagingFolder
from ..results.statistics import MOST_CATEGORIES
from ..scheduler.schedule import Schedule
from ..sources.base import Source, SourceContext
from ..sources.registry import source_types
from ..sources.url_source import UrlSource
from ..sources.url_table import NoUrlTable, UrlTable
from ..text import join_names, pluralize
from . import gallery_command, listed_images_command, verify_command
from .arguments import Signals
from .conclusion import Conclusion, without_boxes_text
from .console import Console
from .messages import open_url_table, warn

if TYPE_CHECKING:
    from .export_command import ExportCommand

URLS_PER_WORKER = 16
"""URLs per worker process; with fewer, the run would end before the process is ready."""


def run(settings: Settings, console: Console, signals: Signals) -> int:
    """Run, verify or dry-run, as the flags state; returns the exit code."""
    root = settings.save_dir / RESULT_FOLDER
    image_list = listed_images_command.read(settings)
    rows = selection.read(settings, listed_images_command.codes(image_list))
    folders = existing_folders.find(root, rows)
    everything = existing_folders.rename(rows, folders)
    if settings.verify:
        return verify_command.verify_all(everything, settings, console)
    listed = listed_images_command.by_category(image_list, settings, everything, console=console)
    settings = replace(settings, list_digest=listed.digest)
    selected = (
        listed_images_command.selected(listed, everything)
        if listed
        else selection.selected(everything, settings)
    )
    _check_inputs(settings)
    excluded = exclusions.read(root)
    table = _open_table(settings, console, listed)
    with contextlib.ExitStack() as stack:
        export = _prepare_export(selected.categories, everything, settings, console)
        folder = None if settings.dry_run else result_folder(settings.save_dir)
        if folder:
            stack.enter_context(FolderLock(folder))
        codes = [category.code for category in selected.categories]
        source_context = SourceContext(
            settings, folder, table, codes, console.print, other_codes=listed.other_codes()
        )
        sources = [stack.enter_context(one.open(source_context)) for one in source_types(settings.source)]
        introduction = (
            listed_images_command.text(listed, settings)
            if listed
            else _selection_text(selected, sources, settings)
        )
        _show_start(introduction, sources, settings, console)
        if kept := existing_folders.sentence(folders, codes):
            console.print(kept)
        labels = {category.code: category.folder for category in everything}
        context = RunContext(settings, root, table, labels, sources, StagingFolder(root), excluded, listed)
        if settings.dry_run:
            saved = _dry_run(selected.categories, context, console)
            if export:
                export.preview(saved)
            return 0
        with _recorded(context, signals) as record:
            _validate_own_images(selected.categories, context, console)
            conclusion = _work(selected.categories, context, console, signals, record)
            faulty = bool(conclusion.manager.faults)
            page = gallery_command.write(
                root, everything, settings, console, stopped=signals.received, faulty=faulty
            )
            if page:
                console.print(f"Look at it: {page}")
            record.exit_code = conclusion.print_problems(interrupted=signals.received())
            if listed and not signals.received():
                record.images = listed_images_command.conclude(selected.categories, context, console)
                if record.images[Match.MISSING] or record.images[Match.DIFFERENT]:
                    record.exit_code = 1
            if export:
                export.run(signals)
    return record.exit_code


@contextlib.contextmanager
def _recorded(context: RunContext, signals: Signals) -> Iterator[RunRecord]:
    """Write `run.json` when the run has ended, also after an error."""
    record = RunRecord(context.settings, run_history.version())
    try:
        yield record
    except BaseException as error:
        record.exit_code = error.exit_code if isinstance(error, DatasetError) else 1
        with contextlib.suppress(OSError):  # one error is enough
            record.write(context.folder, signals.exit_code)
        raise
    try:
        record.write(context.folder, signals.exit_code)
    except OSError as error:
        warn(f"{context.folder / RUN_NAME} could not be written: {error.strerror}. Everything else was.")


def _check_inputs(settings: Settings) -> None:
    """Check that the inputs exist, before anything is written."""
    Authorities.from_environment(os.environ).check()
    for source_type in source_types(settings.source):
        source_type.check(settings)
    if settings.with_annotation and (problem := _no_boxes(settings)):
        raise InputError(problem)


def _show_start(introduction: str, sources: Sequence[Source], settings: Settings, console: Console) -> None:
    console.print(introduction)
    for source in sources:
        if notice := source.notice(settings):
            console.print(notice)
    if problem := _no_boxes(settings):
        console.print(problem)


def _prepare_export(
    selected: Sequence[Category], everything: Sequence[Category], settings: Settings, console: Console
) -> ExportCommand | None:
    """Return the export, if one is requested, after a check that its folders can be written."""
    if not settings.export:
        return None
    from .export_command import ExportCommand  # imported late: it loads pandas

    export = ExportCommand(selected, everything, settings, console)
    export.check_folders()
    return export


def _no_boxes(settings: Settings) -> str:
    """Say that there is no folder of boxes; "" if there is one, or if a copy may have boxes."""
    folder = settings.annotations_dir
    if folder.is_dir() or settings.copy:
        return ""
    why = f"{folder} is not a folder" if folder.exists() else f"the folder {folder} does not exist"
    return (
        f"There are no bounding boxes: {why}. Run `python download_imagenet_prerequisites.py`, or "
        "name their folder with --annotations_dir."
    )


def _open_table(settings: Settings, console: Console, listed: ListedImages) -> UrlTable:
    """Open the URL table; it may be missing if no images come from it, or a manifest has their URLs."""
    if (UrlSource.name not in settings.source or listed.has_urls) and not settings.url_data.exists():
        return NoUrlTable(settings.url_data)
    return open_url_table(settings.url_data, console.print, keep=not settings.dry_run)


def _selection_text(selected: Selection, sources: Sequence[Source], settings: Settings) -> str:
    chosen = selected.categories
    subcategories = (
        f", {selected.subcategories} of them as subcategories" if settings.with_subcategories else ""
    )
    if unlisted := sum(not category.line for category in chosen):
        subcategories += f", {unlisted} of them without a row in {settings.ncode_data}"
    lines = [f"{pluralize(len(chosen), 'category')}{subcategories}:"]
    if len(chosen) > MOST_CATEGORIES:
        texts = {_wanted_text(category.how_many, settings) for category in chosen}
        numbers = texts.pop() if len(texts) == 1 else "numbers as in how_many"
        return f"{lines[0]} {join_names([one.folder for one in chosen])}; {numbers}"
    for category in chosen:
        content = " and ".join(source.describe(category) for source in sources)
        wanted = _wanted_text(category.how_many, settings)
        lines.append(f"  {category.folder} ({category.code}): {content}, {wanted}")
    return "\n".join(lines)


def _wanted_text(limit: int, settings: Settings) -> str:
    kind = "images with boxes" if settings.with_annotation else "images"
    if limit == 0:
        return "none, as how_many is 0"
    if limit < 0:
        return f"all {kind}"
    if settings.fill:
        return f"until {limit} {kind} are saved"
    return f"the first {limit}"


def _dry_run(selected: Sequence[Category], context: RunContext, console: Console) -> int:
    """Print what a run would do; returns the number of images that are saved already."""
    console.print("What a run would do:")
    planned = [dry_run(category, context) for category in selected]
    are_few = len(planned) <= MOST_CATEGORIES
    for one in planned:
        missing = [one.missing_boxes] if one.missing_boxes and are_few else []
        console.print("  " + "\n    ".join([*one.lines(), *missing]))
    without_boxes = [one.category.folder for one in planned if one.missing_boxes]
    if without_boxes and not are_few:
        console.print(without_boxes_text(without_boxes))
    unknown = [source.origin(context.settings) for source in context.sources if not source.listable]
    more = f" The content of {' and '.join(unknown)} is not known yet." if unknown else ""
    noun = "URL" if any(source.many_hosts for source in context.sources) else "image"
    to_try = pluralize(sum(one.to_try for one in planned), noun)
    console.print(f"{to_try} to try at most.{more} Nothing was downloaded: this was a dry run.")
    return sum(one.saved for one in planned)


def _validate_own_images(selected: Sequence[Category], context: RunContext, console: Console) -> None:
    """Validate new photos of the user's own now, because running downloads would have to wait for it."""
    for category in selected:
        with contextlib.suppress(FolderError):  # the run reports it
            own_images.read(context.folder_of(category), context.exclusions, console.print)


def _work(
    selected: Sequence[Category], context: RunContext, console: Console, signals: Signals, record: RunRecord
) -> Conclusion:
    signals.defer_interrupts()
    progress = Progress()
    manager = CategoryManager(selected, context, progress=progress, screen=console, stopped=signals.received)
    conclusion = Conclusion(selected, manager, context, console)
    record.summaries = manager.reports.summaries
    try:
        with context.staging, _executor(context, console, signals, progress.total) as executor:
            try:
                Run(manager, executor, context.staging, progress, console, stopped=signals.received).work()
            finally:
                with contextlib.suppress(OSError):  # then the next run learns it again
                    host_limits.write(context.folder, executor.learned_limits())
    finally:
        console.close()
        conclusion.print_totals(progress.failed)
    return conclusion


@contextlib.contextmanager
def _executor(context: RunContext, console: Console, signals: Signals, expected: int) -> Iterator[Executor]:
    settings = context.settings
    config = WorkerConfig(
        result_folder=context.folder,
        timeout=settings.timeout,
        min_side=settings.min_side,
        honour_opt_out=settings.honour_opt_out,
        with_annotation=settings.with_annotation,
        user_agent=settings.user_agent,
    )
    if settings.scheduler:
        from ..cluster.dask_executor import dask_executor  # imported late: it loads Dask

        with dask_executor(settings, context, config, console.print) as executor:
            yield executor
        return
    many_hosts = any(source.many_hosts for source in context.sources)
    concurrency = ConcurrencyController(settings, console.print, many_hosts=many_hosts)
    schedule = Schedule(
        batch_size=concurrency.batch_size,
        retries=settings.retries,
        learned=host_limits.read(context.folder),
        patience=60 * settings.patience,
        has_delivered=context.delivering_hosts.__contains__,
    )
    is_known = all(source.listable for source in context.sources)
    useful = math.ceil(expected / URLS_PER_WORKER) if is_known else concurrency.processes
    processes = max(1, min(concurrency.processes, useful))
    backend: WorkerBackend = (
        WorkerPool(processes, config) if settings.parallel else InProcessBackend(config, signals.received)
    )
    try:
        with backend:
            yield LocalExecutor(backend, schedule, concurrency.update)
    finally:
        concurrency.stop()
