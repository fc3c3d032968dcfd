"""The nouns of an export: images with the side that they are on, and the dataset that they make."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from ..models.images import Box
from ..results.reader import ImageRecord


class Split(str, Enum):
    """What an image is for."""

    TRAIN = "train"
    VAL = "val"


@dataclass(frozen=True, slots=True)
class Item:
    """An image to be exported.

    Attributes
    ----------
    sample
        The image as it stands.
    wnid, label
        Of the category whose folder it lies in; the label is spelled as the export shall.
    boxes
        Fitted to the image, 0-based and inclusive, labelled as the export shall.
    is_turned
        Whether its metadata ask viewers to turn or mirror it.
    """

    sample: ImageRecord
    wnid: str
    label: str
    side: Split
    boxes: tuple[Box, ...]
    is_turned: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """An image in an export: its file, relative to the export's folder, and what it is."""

    file: str
    item: Item


@dataclass(frozen=True)
class Dataset:
    """All that is exported; every format takes what it can hold.

    Attributes
    ----------
    items
        Each image of each category.
    detection
        The same for formats that are about boxes: an image that lies in several categories' folders stands
        once, with the boxes of all; without boxes it stands only if those are wanted.
    labels
        All classes: the categories that have images first, then what else boxes are labelled with.
    largest_group
        How many images are in the largest group of near-duplicates.
    """

    items: tuple[Item, ...]
    detection: tuple[Item, ...]
    labels: tuple[str, ...]
    largest_group: int = 1

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of every class, from 0: the same in all formats."""
        return {label: number for number, label in enumerate(self.labels)}
