"""Builds the dataset to export: the saved images, with their split, class names and boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotations import geometry
from ..files import read_bytes
from ..models.rows import Category
from ..models.settings import Settings
from ..results.paths import FINGERPRINTS_NAME, SPLITS_NAME, CategoryFolder
from ..results.reader import CategoryContents, ImageRecord
from . import choose, fingerprints, not_like, split, split_record
from .class_names import ClassNames, class_names
from .dataset import Dataset, Item, Split
from .exporter import ExportDir
from .fingerprints import ImageHash
from .formats import FORMATS
from .split import SplitImage


def build_dataset(
    contents: Iterable[CategoryContents],
    selected: Sequence[Category],
    everything: Sequence[Category],
    settings: Settings,
    *,
    folder: Path,
    print_line: Callable[[str], None],
) -> Dataset:
    """Build the dataset of the selected categories, and record its split.

    Parameters
    ----------
    contents
        The images of the selected categories.
    everything
        All categories.
    folder
        The result folder, with the files of hashes and splits.
    print_line
        Called with messages about categories left out, and about slow steps.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or one of the files cannot be written.
    """
    records: list[ImageRecord] = []
    for category in contents:
        if category.fault:
            print_line(f"{category.fault} It is left out of the export.")
        records += category.images
    paths = {record.picture.sha256: record.path for record in reversed(records)}
    hashes = fingerprints.update(
        folder / FINGERPRINTS_NAME, dict(reversed(paths.items())), print_line, for_export=True
    )
    codes = {category.folder: category.code for category in selected}
    unnamed = [
        _unnamed_item(record, codes[record.folder], hashes[record.picture.sha256], settings)
        for record in records
    ]
    own = [item for item in unnamed if item.record.is_own]
    labels = Counter(box.label for item in unnamed for box in item.boxes)
    own_labels = {box.label for item in own for box in item.boxes}
    names = class_names(labels, selected, everything, settings, own_labels=own_labels)
    items = _merge((_named(item, names) for item in unnamed), lambda item: (item.label, item.image_key))
    similar = not_like.find_similar(settings.not_like, hashes, print_line) if settings.not_like else {}
    left_out = [(item, similar[item.picture.sha256]) for item in items if item.picture.sha256 in similar]
    items = [item for item in items if item.picture.sha256 not in similar]
    groups = split.groups(hashes)
    before = len(items)
    if not settings.near_duplicates:
        items = choose.one_of_each_group(items, groups)
    duplicates = before - len(items)
    items, moved = _split(items, groups, settings, folder / SPLITS_NAME)
    merged = _merge(items, lambda item: item.image_key)
    detection = [item for item in merged if item.boxes or settings.export_unannotated]
    if settings.per_class is not None:
        items = choose.per_class(items, settings.per_class, boxed_first=False)
        detection = choose.per_class(detection, settings.per_class, boxed_first=True)
    classes = {item.label for item in items}
    of_boxes = {box.label for item in (*items, *detection) for box in item.boxes}
    return Dataset(
        items=tuple(items),
        detection=tuple(detection),
        classes=tuple(sorted(classes)),
        labels=tuple(sorted(classes | of_boxes)),
        user_labels=names.user_labels,
        not_selected={label: count for label, count in labels.items() if label not in names.of_boxes},
        unannotated=sum(not item.boxes for item in merged),
        largest_group=max(Counter(groups[item.picture.sha256] for item in items).values(), default=0),
        moved=moved,
        duplicates=duplicates,
        left_out=tuple(left_out),
        unusable_xml=tuple(xml for item in own if not item.boxes and (xml := _unusable_xml(item.record))),
    )


def _unnamed_item(record: ImageRecord, code: str, image_hash: ImageHash, settings: Settings) -> Item:
    """Make an item with the labels of the result folder, in the size in which it is exported.

    The boxes are fitted to the image once more, since the XML may have been edited.
    """
    picture = geometry.reduced(record.picture, settings.max_side)
    fitted = geometry.fit(record.annotation, record.picture).annotation if record.annotation else None
    boxes = geometry.scale(fitted, picture) if fitted else ()
    needs_rewrite = bool(image_hash.needs_rewrite)
    return Item(record, picture, code, record.folder, Split.TRAIN, boxes, needs_rewrite=needs_rewrite)


def _named(item: Item, names: ClassNames) -> Item:
    """Replace labels by class names; boxes without a class are dropped."""
    boxes = [box for box in item.boxes if box.label in names.of_boxes]
    return replace(
        item,
        label=names.of_images[item.label],
        boxes=tuple(replace(box, label=names.of_boxes[box.label]) for box in boxes),
    )


def _unusable_xml(record: ImageRecord) -> Path | None:
    """Return the XML file of an image without boxes, unless it is complete and has no objects."""
    path = CategoryFolder(record.path.parents[1]).annotation(record.path.stem)
    try:
        data = read_bytes(path)
    except OSError:
        return None
    return path if b"object" in data or b"</annotation>" not in data else None


def _split(
    items: Sequence[Item], groups: dict[str, str], settings: Settings, path: Path
) -> tuple[list[Item], int]:
    """Split the items, and record it; also returns how many images moved to another side."""
    exports = [ExportDir.of(name, replace(settings, export_dir=None)).folder for name in FORMATS]
    recorded = split_record.read(path, settings.seed, exports)
    images = [
        SplitImage(
            item.picture.sha256,
            item.record.image_code,
            item.label,
            frozenset(box.label for box in item.boxes),
            item.record.url,
        )
        for item in items
    ]
    sides = split.assign(images, groups, recorded, val_fraction=settings.val_fraction, seed=settings.seed)
    changed = {image: side for image, side in sides.items() if recorded.get(image) is not side}
    if not settings.val_fraction:  # all images are for training, so there is no split to record
        changed.clear()
    split_record.append(path, settings.seed, changed)
    assigned = [replace(item, split=sides[item.picture.sha256]) for item in items]
    return assigned, len(changed.keys() & recorded.keys())


def _merge(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[Item]:
    """Merge items with the same key, of one image in several folders, into one with the boxes of all.

    Images with the same bytes but different image codes are annotated separately, and not merged.
    """
    merged: dict[Hashable, Item] = {}
    for item in items:
        first = merged.setdefault(key(item), item)
        merged[key(item)] = replace(first, boxes=tuple(dict.fromkeys([*first.boxes, *item.boxes])))
    return list(merged.values())
