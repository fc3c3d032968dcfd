"""Notes about an export, on problems that would otherwise appear only in training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..models.settings import Settings
from ..text import join_names, pluralize, truncate
from .dataset import Dataset, Split
from .formats import FORMATS
from .tables import LEFT_OUT, MAX_LABEL

LARGE_GROUP = 50
"""Near-duplicates in a group from which on there is a note."""
PURPOSES = {Split.TRAIN: "training", Split.VAL: "validation"}


def notes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    """Yield the notes on the exports in the settings."""
    yield from _large_group(dataset)
    yield from _moved_images(dataset)
    yield from _left_out(dataset)
    yield from _no_training_images(dataset, settings)
    yield from _classes_in_one_split(dataset, settings)
    yield from _yolo_with_one_split(dataset, settings)
    yield from _images_without_boxes(dataset, settings)
    yield from _unusable_xml(dataset)
    yield from _classes_of_boxes(dataset, settings)


def _splits(dataset: Dataset, format_name: str) -> set[Split]:
    return {item.split for item in FORMATS[format_name].items(dataset)}


def _listed(names: Sequence[str]) -> str:
    return join_names([truncate(name, MAX_LABEL) for name in names])


def _box_formats(settings: Settings) -> list[str]:
    return [name for name in settings.export if FORMATS[name].has_boxes]


def _large_group(dataset: Dataset) -> Iterator[str]:
    if dataset.largest_group >= LARGE_GROUP:
        yield (
            f"{dataset.largest_group:,} images are near-duplicates, directly or through others between them, "
            "so all of them are in one split; see images.csv."
        )


def _moved_images(dataset: Dataset) -> Iterator[str]:
    if dataset.moved:
        yield (
            f"{pluralize(dataset.moved, 'image')} moved from training to validation since earlier exports, "
            "because of near-duplicates among the validation images. Train again rather than continue a "
            "training."
        )


def _left_out(dataset: Dataset) -> Iterator[str]:
    if dataset.duplicates:
        yield f"Left out: {pluralize(dataset.duplicates, 'near-duplicate')} of exported images."
    if dataset.left_out:
        count = pluralize(len(dataset.left_out), "image")
        yield f"Left out: {count}, similar to images in --not_like; see {LEFT_OUT}."


def _no_training_images(dataset: Dataset, settings: Settings) -> Iterator[str]:
    formats = [name for name in settings.export if Split.TRAIN not in _splits(dataset, name)]
    if formats:
        yield (
            f"No training images in {_listed(formats)} with --val_fraction {settings.val_fraction}: use a "
            "smaller fraction, or another --seed."
        )


def _classes_in_one_split(dataset: Dataset, settings: Settings) -> Iterator[str]:
    if not settings.val_fraction:
        return
    labels = {
        "images": [(item.label, item.split) for item in dataset.items],
        "boxes": [(box.label, item.split) for item in dataset.detection for box in item.boxes],
    }
    is_box_format = {FORMATS[name].has_boxes for name in settings.export}
    found = False
    for kind, pairs in labels.items():
        splits = defaultdict(set)
        for label, split in pairs:
            splits[label].add(split)
        for split, purpose in PURPOSES.items():
            names = sorted(label for label, present in splits.items() if present == {split})
            if names and (kind == "boxes") in is_box_format:
                found = True
                yield f"Only for {purpose}: the {kind} of {_listed(names)}."
    if found and settings.per_class != 1:
        yield (
            "A class is in both splits if it has two images that are not near-duplicates, unless all of its "
            "images were exported for the same purpose before. Another --seed splits anew."
        )


def _yolo_with_one_split(dataset: Dataset, settings: Settings) -> Iterator[str]:
    splits = _splits(dataset, "yolo")
    if "yolo" in settings.export and len(splits) == 1:
        (present,) = splits
        (missing,) = set(Split) - splits
        yield (
            f"yolo: no {PURPOSES[missing]} images, so `{missing.value}` in data.yaml names the "
            f"{PURPOSES[present]} images; Ultralytics does not start without any."
        )


def _images_without_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    formats = _box_formats(settings)
    if not formats or not dataset.unannotated:
        return
    images = f"{pluralize(dataset.unannotated, 'image')} without boxes"
    if settings.export_unannotated:
        yield (
            f"{images} in {_listed(formats)}: most of them show objects of their category, which a detector "
            "learns to ignore. --export_unannotated False leaves them out."
        )
        return
    yield f"Left out of {_listed(formats)}: {images}."
    without = sorted(set(dataset.classes) - {box.label for item in dataset.detection for box in item.boxes})
    if without:
        yield f"{_listed(formats)}: no boxes of {_listed(without)}, so a detector cannot learn them."


def _unusable_xml(dataset: Dataset) -> Iterator[str]:
    if dataset.unusable_xml:
        names = [path.relative_to(path.parents[2]).as_posix() for path in dataset.unusable_xml]
        yield (
            f"No usable box in {pluralize(len(names), 'XML file')} of your own photos (damaged, not in "
            f"UTF-8, or for an image of another shape): {join_names(names)}."
        )


def _classes_of_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    if not _box_formats(settings):
        return
    if dataset.not_selected:
        count = sum(dataset.not_selected.values())
        yield (
            f"Left out: {pluralize(count, 'box')} of categories that were not selected "
            f"({_listed(sorted(dataset.not_selected))}). --other_classes True exports them."
        )
    if dataset.user_labels:
        yield f"Classes from your own labels: {_listed(dataset.user_labels)}."
