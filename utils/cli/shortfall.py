"""Why categories have fewer images than were wanted, or none, and what can be done: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotations import voc_xml
from ..models.rows import Category
from ..models.settings import ImageSource
from ..pipeline.category_manager import CategoryManager
from ..pipeline.context import RunContext
from ..results.statistics import Summary
from ..sources.row_filter import candidates
from ..text import pluralize


def short(books: CategoryManager, store: RunContext) -> Iterator[str]:
    """Tell of categories that have images, but too few."""
    kind = "images with boxes" if store.settings.with_annotation else "images"
    left = "no URL is left" if store.settings.source is ImageSource.URLS else "there are no more"
    for category in books.short:
        have, wanted = books.images_of(category), category.how_many
        yield f"{category.folder}: {have} of the {wanted} {kind} that were wanted; {left}."


def barren(books: CategoryManager, store: RunContext) -> Iterator[str]:
    """Tell of categories that have none, but for those of which a fault has been told: that is why."""
    for category in books.barren:
        if any(said.startswith(f"{category.folder}: ") for said in books.faults):
            continue
        considered = books.publisher.summaries.get(category.code, Summary(category.folder))
        kind = "image with boxes" if store.settings.with_annotation else "image"
        nothing = f"There is no {kind} of {category.folder} ({category.code}){_others(considered)}."
        yield f"{nothing} {_why(category, considered, store)}"


def _others(considered: Summary) -> str:
    """Say that images of another kind are there, which are none of those that were wanted."""
    number = considered.images
    if not number:
        return ""
    return f"; its {pluralize(number, 'image')} without stay{'s' if number == 1 else ''}"


def _why(category: Category, considered: Summary, store: RunContext) -> str:
    """Say why a category has nothing, and what can be done about it."""
    settings = store.settings
    if settings.with_annotation and not _has_boxes(category, store):
        nobody = (
            "None of its URLs" if settings.source is ImageSource.URLS else "Nothing that is offered of it"
        )
        return f"{nobody} has boxes in {settings.annotations_dir}: try without --with_annotation."
    if considered.statuses:
        return f"Its report says why: {store.category(category).report}"
    return {
        ImageSource.URLS: f"{store.table.path} has no URL of it.",
        ImageSource.ARCHIVE: "Its tar holds no image.",
        ImageSource.BOTH: f"{store.table.path} has no URL of it, and no tar brought any image.",
    }[settings.source]


def _has_boxes(category: Category, store: RunContext) -> bool:
    """Whether there are boxes of anything that is offered, as far as can be told."""
    annotations = voc_xml.read_archive(store.settings.annotations_dir, category.code).annotations
    if store.settings.source is not ImageSource.URLS:
        return bool(annotations)
    offered = candidates(category, store.table, annotations, only_annotated=True)
    return next(offered, None) is not None
