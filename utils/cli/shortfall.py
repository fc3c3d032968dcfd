"""Explains why categories have fewer images than requested, or none, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from ..models.rows import Category
from ..pipeline.category_manager import CategoryManager
from ..pipeline.context import RunContext
from ..results.statistics import Summary
from ..sources.base import Request
from ..text import join_names, pluralize


def incomplete(manager: CategoryManager, context: RunContext) -> Iterator[str]:
    """Yield a sentence for each category with too few images."""
    kind = "images with boxes" if context.settings.with_annotation else "images"
    for category in manager.incomplete:
        if _is_unwritten(category, manager):
            continue
        number = f"{manager.images_of(category)} of {category.how_many} {kind}"
        yield f"{category.folder}: {number}; no more were found."


def without_images(manager: CategoryManager, context: RunContext) -> Iterator[str]:
    """Yield why categories have no images, those with the same reason together.

    Categories that another message explains are left out.
    """
    kind = "image with boxes" if context.settings.with_annotation else "image"
    names: dict[str, list[str]] = {}
    for category in manager.without_images:
        if any(fault.startswith(f"{category.folder}: ") for fault in manager.faults):
            continue
        if _is_unwritten(category, manager):
            continue
        summary = manager.reports.summaries.get(category.code, Summary(category.folder))
        others = f"; {pluralize(summary.images, 'image')} without boxes kept" if summary.images else ""
        name = f"{category.folder} ({category.code}){others}"
        names.setdefault(_reason(category, summary, context), []).append(name)
    for reason, same in names.items():
        yield f"There is no {kind} of {join_names(same)}. {reason}"


def _is_unwritten(category: Category, manager: CategoryManager) -> bool:
    return any(category.folder in folders for folders in manager.unwritten.values())


def _reason(category: Category, summary: Summary, context: RunContext) -> str:
    settings = context.settings
    if settings.with_annotation and not _has_boxes(category, context):
        folder = settings.annotations_dir
        return f"No available image has boxes in {folder}: try without --with_annotation."
    if summary.statuses:
        return f"See its report for the reasons: {context.folder_of(category).report}"
    return " ".join(source.nothing_found() for source in context.sources)


def _has_boxes(category: Category, context: RunContext) -> bool:
    """Whether any candidate has boxes, as far as known without downloading."""
    annotations = context.read_annotations(category).annotations
    request = Request(category, context.folder_of(category).path, annotations, outcomes=tuple, saved=())
    return any(
        source.stream(request).next() is not None if source.listable else bool(annotations)
        for source in context.sources
    )
