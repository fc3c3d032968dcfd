"""The dataset that an export writes: images with their split, and the interface of export formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.images import Box, Picture

if TYPE_CHECKING:
    from ..results.reader import ImageRecord  # the command line needs only the names of formats


OPTIONS = (
    *("val_fraction", "seed", "labels", "other_classes", "export_unannotated"),
    *("per_class", "near_duplicates", "max_side"),
)
"""The flags that change an export, and are recorded in it."""
PATH_OPTIONS = ("not_like", "export_dir")
"""Further flags of exports, with paths."""
MARKER = ".part_of_imagenet_export.json"
"""The file that identifies an export, with its options."""


class Split(str, Enum):
    """The split of an image."""

    TRAIN = "train"
    VAL = "val"


@dataclass(frozen=True, slots=True)
class Item:
    """An image to export.

    Attributes
    ----------
    record
        The image in the result folder.
    picture
        Its size in the export, and else as in the result folder.
    wnid, label
        WordNet id and class name of the category in whose folder the image is.
    boxes
        Boxes inside the image, 0-based and inclusive, with class names as labels.
    needs_rewrite
        Whether the exported file differs from the image (see `normalize`).
    """

    record: ImageRecord
    picture: Picture
    wnid: str
    label: str
    split: Split
    boxes: tuple[Box, ...]
    needs_rewrite: bool = False

    @property
    def image_key(self) -> tuple[str, str]:
        """Identifies the image in all categories that have it; other bytes have other annotations."""
        return self.record.image_code, self.picture.sha256


@dataclass(frozen=True)
class Similar:
    """An image file that an image looks like, and in how many bits their hashes differ."""

    path: Path
    distance: int


@dataclass(frozen=True, slots=True)
class ExportedItem:
    """An item with its file, relative to the export folder."""

    file: str
    item: Item


@dataclass(frozen=True)
class Dataset:
    """Everything to export; each format selects its items.

    Attributes
    ----------
    items
        One item for each image of each class: an image in the folders of several categories of a class is one
        item, with the boxes of all.
    detection
        Items for formats with boxes: an image in the folders of several categories is one item, with the
        boxes of all; images without boxes are included only if the user wants them.
    classes
        The classes of images, sorted.
    labels
        The classes of images and boxes, sorted.
    user_labels
        Those of them that users wrote into XML files.
    not_selected
        The number of boxes that were left out, by their labels, which name categories that are not selected.
    unannotated
        The number of images without boxes.
    largest_group
        Number of images in the largest group of near-duplicates.
    moved
        The number of images that are on another side than in earlier exports.
    duplicates
        The number of near-duplicates that were left out (`--near_duplicates False`).
    left_out
        Items that look like images in other folders, with those (`--not_like`).
    unusable_xml
        XML files of the user's own photos with objects, but without a box that fits.
    """

    items: tuple[Item, ...]
    detection: tuple[Item, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    user_labels: tuple[str, ...] = ()
    not_selected: Mapping[str, int] = field(default_factory=dict)
    unannotated: int = 0
    largest_group: int = 1
    moved: int = 0
    duplicates: int = 0
    left_out: tuple[tuple[Item, Similar], ...] = ()
    unusable_xml: tuple[Path, ...] = ()

    @cached_property
    def class_numbers(self) -> dict[str, int]:
        """The number of each class from 0 in formats with boxes."""
        return {label: number for number, label in enumerate(self.labels)}

    @cached_property
    def image_class_numbers(self) -> dict[str, int]:
        """The number of each class from 0 in formats without boxes: classes that have no image come last."""
        of_boxes = sorted(set(self.labels) - set(self.classes))
        return {label: number for number, label in enumerate([*self.classes, *of_boxes])}


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes
    ----------
    name
        Its name on the command line.
    write
        Writes a dataset into an empty folder, and returns the files of the items.
    has_boxes
        Whether it is for detection, and contains `Dataset.detection`.
    first_id
        The number of its first class; None if classes have no numbers.
    snippet
        Python code that loads an export, run in the folder next to it.
    """

    name: str
    write: Callable[[Dataset, Path], list[ExportedItem]]
    has_boxes: bool
    first_id: int | None
    snippet: str

    def items(self, dataset: Dataset) -> Sequence[Item]:
        """Return the items for the format."""
        return dataset.detection if self.has_boxes else dataset.items

    def ids(self, dataset: Dataset) -> dict[str, int | None]:
        """Return the number of each class in the format; None if classes have no numbers."""
        numbers = dataset.class_numbers if self.has_boxes else dataset.image_class_numbers
        if self.first_id is None:
            return dict.fromkeys(numbers)
        return {label: self.first_id + number for label, number in numbers.items()}
