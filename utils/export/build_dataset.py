"""Builds the dataset to export: the saved images, with their split, class names and boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..annotations import geometry
from ..models.images import Box
from ..models.settings import Settings
from ..results.reader import CategoryContents, ImageRecord
from . import image_hash, split
from .dataset import Dataset, Item

CODE = "code"
"""The value of `--labels` for wnids as class names."""


def build_dataset(
    categories: Iterable[CategoryContents],
    codes: Mapping[str, str],
    settings: Settings,
    *,
    cache: Path,
    print_line: Callable[[str], None],
) -> Dataset:
    """Build the dataset of some categories.

    Parameters
    ----------
    codes
        The wnid of every category, by its folder.
    cache
        The file of hashes (see `image_hash`).
    print_line
        Called with messages about categories left out, and about slow steps.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or the file of hashes cannot be written.
    """
    records: list[ImageRecord] = []
    for category in categories:
        if category.fault:
            print_line(f"{category.fault} It is left out of the export.")
        records += category.images
    paths = {record.picture.sha256: record.path for record in reversed(records)}
    hashes = image_hash.update(cache, dict(reversed(paths.items())), print_line)
    groups = split.groups(hashes)

    def class_name(folder: str) -> str:
        return codes.get(folder, folder) if settings.labels == CODE else folder

    items = tuple(
        Item(
            record=record,
            wnid=codes.get(record.folder, record.folder),
            label=class_name(record.folder),
            split=split.assign(
                groups[record.picture.sha256], val_fraction=settings.val_fraction, seed=settings.seed
            ),
            boxes=tuple(replace(box, label=class_name(box.label)) for box in _fitted_boxes(record)),
            is_rotated=hashes[record.picture.sha256].is_rotated,
        )
        for record in records
    )
    classes = {item.label for item in items}
    labels = classes.union(box.label for item in items for box in item.boxes)
    group_sizes = Counter(groups[record.picture.sha256] for record in records)
    return Dataset(
        items=items,
        detection=_for_detection(items, unannotated=settings.export_unannotated),
        classes=tuple(sorted(classes)),
        labels=tuple(sorted(labels)),
        largest_group=max(group_sizes.values(), default=0),
    )


def _fitted_boxes(record: ImageRecord) -> tuple[Box, ...]:
    """Fit the boxes to the image once more, since the XML file may have been edited."""
    if record.annotation is None:
        return ()
    fitted = geometry.fit(record.annotation, record.picture).annotation
    return fitted.boxes if fitted else ()


def _for_detection(items: Iterable[Item], *, unannotated: bool) -> tuple[Item, ...]:
    """Merge an image that is in several categories' folders into one item with the boxes of all.

    Images with the same bytes but different image codes are annotated separately, and not merged.
    """
    merged: dict[tuple[str, str], Item] = {}
    for item in items:
        key = item.record.image_code, item.record.picture.sha256
        first = merged.setdefault(key, item)
        merged[key] = replace(first, boxes=tuple(dict.fromkeys([*first.boxes, *item.boxes])))
    return tuple(item for item in merged.values() if item.boxes or unannotated)
