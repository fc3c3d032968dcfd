"""What is to be known of an export: sentences for who ordered it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..models.rows import Category
from ..models.settings import Settings
from ..text import join_names
from .dataset import Dataset, Split
from .formats import FORMATS
from .tables import shortened

LARGE_GROUP = 50
"""Near-duplicates in one group, from which on it says something about the images."""
NAMED = 5
"""Classes named in a sentence that is about more of them."""
PURPOSES = {Split.TRAIN: "training", Split.VAL: "validation"}


def remarks(dataset: Dataset, settings: Settings, chosen: Iterable[Category]) -> Iterator[str]:
    """Say what is to be known of the exports that the settings ask for.

    Parameters
    ----------
    chosen
        The categories that were selected.
    """
    yield from _large_group(dataset)
    yield from _without_training(dataset, settings)
    yield from _classes_on_one_side(dataset, settings)
    yield from _yolo_on_one_side(dataset, settings)
    yield from _not_selected(dataset, settings, chosen)
    yield from _without_boxes(dataset, settings)
    yield from _one_side_with_boxes(dataset, settings)


def _sides(dataset: Dataset, format_name: str) -> set[Split]:
    """Give the sides that an export has images of."""
    return {item.side for item in FORMATS[format_name].items(dataset)}


def _listed(names: Sequence[str]) -> str:
    return join_names([shortened(name) for name in names], NAMED)


def _large_group(dataset: Dataset) -> Iterator[str]:
    if dataset.largest_group >= LARGE_GROUP:
        yield (
            f"{dataset.largest_group:,} images look alike, each like another one of them, and so all are on "
            "one side; images.csv says on which each image is."
        )


def _without_training(dataset: Dataset, settings: Settings) -> Iterator[str]:
    bare = [name for name in settings.export if Split.TRAIN not in _sides(dataset, name)]
    if bare:
        yield (
            f"No image is for training in {_listed(bare)}: all are for validation, for --val_fraction is "
            f"{settings.val_fraction}. Give a smaller one, or another --seed."
        )


def _classes_on_one_side(dataset: Dataset, settings: Settings) -> Iterator[str]:
    """Name classes that a side lacks; not those that lack it by will, or as the sentence before says."""
    labels = {item.label for item in dataset.items}
    for side, remedy in ((Split.VAL, "larger"), (Split.TRAIN, "smaller")):
        without = sorted(labels - {item.label for item in dataset.items if item.side is side})
        is_said = not settings.val_fraction if side is Split.VAL else len(without) == len(labels)
        if without and not is_said:
            yield (
                f"No image of {_listed(without)} is for {PURPOSES[side]}: too few for --val_fraction "
                f"{settings.val_fraction}; a {remedy} one or another --seed may help."
            )


def _yolo_on_one_side(dataset: Dataset, settings: Settings) -> Iterator[str]:
    there = _sides(dataset, "yolo")
    if "yolo" in settings.export and len(there) == 1:
        (side,) = there
        (missing,) = set(Split) - there
        yield (
            f"yolo: no image is for {PURPOSES[missing]}, so that `{missing.value}` in data.yaml names the "
            f"{PURPOSES[side]} images: Ultralytics does not start without any."
        )


def _not_selected(dataset: Dataset, settings: Settings, chosen: Iterable[Category]) -> Iterator[str]:
    """Name classes that are on the images all the same; imagefolder has none but folders."""
    selected = {word for category in chosen for word in (category.folder, category.code)}
    others = [label for label in dataset.labels if label not in selected]
    if not others or set(settings.export) == {"imagefolder"}:
        return
    if len(others) == 1:
        yield f"{_listed(others)} was not selected, but is drawn on these images, so it is a class, too."
    else:
        yield f"{_listed(others)} were not selected, but are drawn on these images, so they are classes, too."


def _without_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    if not any(FORMATS[name].is_for_detection for name in settings.export):
        if not settings.export_unannotated:
            formats = " and ".join(settings.export)
            yield f"--export_unannotated False changes nothing in {formats}: every image is in them."
        return
    bare = sum(not item.boxes for item in dataset.detection)
    if bare:
        yield (
            f"Without boxes: {bare:,} of {len(dataset.detection):,} images. They may well show their category"
            ", and a detector would learn to overlook it; --export_unannotated False leaves them out."
        )


def _one_side_with_boxes(dataset: Dataset, settings: Settings) -> Iterator[str]:
    boxed = {item.side for item in dataset.items if item.boxes}
    if "imagefolder" in settings.export and len(boxed) == 1 < len({item.side for item in dataset.items}):
        yield (
            f"imagefolder is without boxes: only images of {boxed.pop().value} have any, and its readers "
            "refuse sides that differ. Another --seed or --val_fraction may help."
        )
