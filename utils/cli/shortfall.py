"""Why categories have fewer images than wanted, or none, and what can be done: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotations import voc_xml
from ..models.rows import Category
from ..pipeline.category_manager import CategoryManager
from ..pipeline.context import RunContext
from ..results.statistics import Summary
from ..sources.base import Request
from ..text import pluralize


def incomplete(manager: CategoryManager, context: RunContext) -> Iterator[str]:
    """Describe categories that have images, but too few."""
    kind = "images with boxes" if context.settings.with_annotation else "images"
    for category in manager.incomplete:
        have = manager.images_of(category)
        wanted = f"{have} of the {category.how_many} {kind} that were wanted"
        yield f"{category.folder}: {wanted}; no more were found."


def without_images(manager: CategoryManager, context: RunContext) -> Iterator[str]:
    """Describe categories that have no images, except those of which an error was reported."""
    kind = "image with boxes" if context.settings.with_annotation else "image"
    for category in manager.without_images:
        if any(fault.startswith(f"{category.folder}: ") for fault in manager.faults):
            continue
        summary = manager.reports.summaries.get(category.code, Summary(category.folder))
        others = f"; {pluralize(summary.images, 'image')} without boxes kept" if summary.images else ""
        why = _why(category, summary, context)
        yield f"There is no {kind} of {category.folder} ({category.code}){others}. {why}"


def _why(category: Category, summary: Summary, context: RunContext) -> str:
    settings = context.settings
    if settings.with_annotation and not _has_boxes(category, context):
        return (
            f"Nothing listed for it has boxes in {settings.annotations_dir}: try without --with_annotation."
        )
    if summary.statuses:
        return f"Its report says why: {context.folder_of(category).report}"
    return " ".join(source.nothing_found(category) for source in context.sources)


def _has_boxes(category: Category, context: RunContext) -> bool:
    """Whether any candidate has boxes, as far as that is known before anything is fetched."""
    annotations = voc_xml.read_archive(context.settings.annotations_dir, category.code).annotations
    request = Request(category, context.folder_of(category).path, annotations, outcomes=tuple, saved=())
    return any(
        source.stream(request).next() is not None if source.listable else bool(annotations)
        for source in context.sources
    )
