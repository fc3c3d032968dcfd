"""Notes about an export, on problems that would otherwise appear only in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..models.rows import Category
from ..models.settings import Settings
from ..text import join_names, truncate
from .dataset import Dataset, Split
from .formats import FORMATS
from .tables import MAX_LABEL

LARGE_GROUP = 50
"""Near-duplicates in a group from which on there is a note."""
MAX_NAMES = 5
"""Names listed in a note."""
PURPOSES = {Split.TRAIN: "training", Split.VAL: "validation"}


def notes(dataset: Dataset, settings: Settings, selected: Iterable[Category]) -> Iterator[str]:
    """Yield the notes on the exports in the settings.

    Parameters
    ----------
    selected
        The categories that the user selected.
    """
    yield from _large_group(dataset)
    yield from _no_training_images(dataset, settings)
    yield from _classes_in_one_split(dataset, settings)
    yield from _yolo_with_one_split(dataset, settings)
    yield from _classes_not_selected(dataset, settings, selected)
    yield from _images_without_boxes(dataset, settings)
    yield from _imagefolder_without_boxes(dataset, settings)


def _splits(dataset: Dataset, format_name: str) -> set[Split]:
    return {item.split for item in FORMATS[format_name].items(dataset)}


def _listed(names: Sequence[str]) -> str:
    return join_names([truncate(name, MAX_LABEL) for name in names], MAX_NAMES)


def _large_group(dataset: Dataset) -> Iterator[str]:
    if dataset.largest_group >= LARGE_GROUP:
        yield (
            f"{dataset.largest_group:,} images are near-duplicates, directly or through others between them, "
            "so all of them are in one split; see images.csv."
        )


def _no_training_images(dataset: Dataset, settings: Settings) -> Iterator[str]:
    formats = [name for name in settings.export if Split.TRAIN not in _splits(dataset, name)]
    if formats:
        yield (
            f"No training images in {_listed(formats)} with --val_fraction {settings.val_fraction}: use a "
            "smaller fraction, or another --seed."
        )


def _classes_in_one_split(dataset: Dataset, settings: Settings) -> Iterator[str]:
    labels = {item.label for item in dataset.items}
    for split, remedy in ((Split.VAL, "larger"), (Split.TRAIN, "smaller")):
        missing = sorted(labels - {item.label for item in dataset.items if item.split is split})
        # The user wants no validation images, or the note before says that there are no training images.
        expected = not settings.val_fraction if split is Split.VAL else len(missing) == len(labels)
        if missing and not expected:
            yield (
                f"No {PURPOSES[split]} images of {_listed(missing)}: too few for --val_fraction "
                f"{settings.val_fraction}; a {remedy} fraction or another --seed may help."
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


def _classes_not_selected(
    dataset: Dataset, settings: Settings, selected: Iterable[Category]
) -> Iterator[str]:
    known = {name for category in selected for name in (category.folder, category.code)}
    others = [label for label in dataset.labels if label not in known]
    if others and set(settings.export) != {"imagefolder"}:  # its classes are only those of folders
        verb, noun = ("was", "it is a class") if len(others) == 1 else ("were", "they are classes")
        yield f"{_listed(others)} {verb} not selected, but images have such boxes, so {noun}, too."


def _images_without_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    if not any(FORMATS[name].has_boxes for name in settings.export):
        if not settings.export_unannotated:
            formats = " and ".join(settings.export)
            yield f"--export_unannotated False has no effect on {formats}, which contain every image."
        return
    count = sum(not item.boxes for item in dataset.detection)
    if count:
        yield (
            f"Without boxes: {count:,} of {len(dataset.detection):,} images. They may show objects of their "
            "category, which a detector would learn to ignore; --export_unannotated False leaves them out."
        )


def _imagefolder_without_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    with_boxes = {item.split for item in dataset.items if item.boxes}
    splits = {item.split for item in dataset.items}
    if "imagefolder" in settings.export and len(with_boxes) == 1 < len(splits):
        yield (
            f"imagefolder has no boxes: only images in {with_boxes.pop().value} have some, and readers "
            "reject splits that differ. Another --seed or --val_fraction may help."
        )
