"""What a file in a copy of ImageNet is, by its path.

=============================================  ==========================================================
file                                           is
=============================================  ==========================================================
`.../<wnid>/<wnid>_<n>.JPEG`                   an image of this category
`.../<wnid>/ILSVRC2012_val_<n>.JPEG`           an official validation image of this category
`ILSVRC2012_val_<n>.JPEG`                      the same, but its category is found in a table or an XML
`val_<n>.JPEG` (tiny-imagenet)                 the same; its image code is `ILSVRC2012_val_<n>`
`<wnid>_<n>_<wnid>.JPEG` (Hub)                 as without the second wnid
`.../<image code>.xml`                         the boxes of an image
names of `LABEL_FILES`                         the categories of validation images
=============================================  ==========================================================

The folder of an image, or the folder above that one, decides about its category; without a folder of a
category its name does. Image codes are the only part of a name that becomes part of a path in the result
folder.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from ..models.fast_pickle import FastPickle
from ..models.images import EXTENSIONS
from ..urls import VALIDATION_PREFIX

KAGGLE_LABELS = "LOC_val_solution.csv"
DEVKIT_LABELS = "ILSVRC2012_validation_ground_truth.txt"
TINY_LABELS = "val_annotations.txt"
LABEL_FILES = (KAGGLE_LABELS, DEVKIT_LABELS, TINY_LABELS)
WNID = re.compile(r"n[0-9]{8}")

_TRAINING_NAME = re.compile(r"(n[0-9]{8})_([0-9]{1,12})(?:_n[0-9]{8})?")
_VALIDATION_NAME = re.compile(rf"(?:{VALIDATION_PREFIX}|val_)([0-9]{{1,8}})(?:_(n[0-9]{{8}}))?")


class Kind(enum.IntEnum):
    """What a file is."""

    IMAGE = 0
    BOXES = 1
    LABELS = 2


@dataclass(frozen=True, slots=True)
class Member(FastPickle):
    """A file in a copy.

    Attributes
    ----------
    code
        The wnid of its category; empty if the path does not tell it.
    image_code
        Of the image, or of the image to which the boxes belong; empty for labels.
    name
        The path in the file or folder that its reader reads, with slashes.
    place
        Where its bytes are; only its reader interprets these numbers.
    """

    kind: Kind
    code: str
    image_code: str
    name: str
    place: tuple[int, int, int] = (0, 0, 0)

    @property
    def order(self) -> tuple[bool, int]:
        """The order of images in a category: training images before validation images, by number."""
        return image_order(self.image_code)


def image_order(image_code: str) -> tuple[bool, int]:
    """Return the sort key of an image code: training images before validation images, by number."""
    return image_code.startswith(VALIDATION_PREFIX), int(image_code.rpartition("_")[2])


def classify(name: str, place: tuple[int, int, int] = (0, 0, 0)) -> Member | None:
    """Return what a file is, by its path; None if it is of no use."""
    *folders, base = name.split("/")
    if base in LABEL_FILES:
        return Member(Kind.LABELS, "", "", name, place)
    stem, dot, extension = base.rpartition(".")
    extension = dot + extension.lower()
    if extension not in EXTENSIONS and extension != ".xml":
        return None
    image_code, code = parse_stem(stem)
    if not image_code:
        return None
    code = next((folder for folder in reversed(folders[-2:]) if WNID.fullmatch(folder)), code)
    return Member(Kind.BOXES if extension == ".xml" else Kind.IMAGE, code, image_code, name, place)


def parse_stem(stem: str) -> tuple[str, str]:
    """Return the image code and the wnid in a file name without its extension; empty without one."""
    if found := _TRAINING_NAME.fullmatch(stem):
        return f"{found[1]}_{found[2]}", found[1]
    if found := _VALIDATION_NAME.fullmatch(stem):
        return f"{VALIDATION_PREFIX}{found[1]}", found[2] or ""
    return "", ""
