"""Images and their bounding boxes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .fast_pickle import FastPickle

MAX_NUMBER = 2**31 - 1
"""Largest width, height and size in bytes; statistics are arrays of 32-bit integers."""
_SHA256 = re.compile("[0-9a-f]{64}")


class ImageFormat(str, Enum):
    """The image formats that are kept; the value is the file's extension."""

    JPEG = "jpg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"


EXTENSIONS = frozenset({f".{kind.value}" for kind in ImageFormat} | {".jpeg", ".tif"})
"""Extensions of images, in lower case; images that a run saves have those of `ImageFormat`."""


@dataclass(frozen=True, slots=True)
class Box(FastPickle):
    """A bounding box in pixels of its image, counted from 0; xmax and ymax are inclusive.

    `label` is a wnid in an archive, and the folder name of that wnid in a result folder.
    """

    label: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    pose: str = "Unspecified"
    truncated: int = 0
    difficult: int = 0

    @property
    def corner_and_size(self) -> tuple[int, int, int, int]:
        """Left, top, width and height, in pixels."""
        return self.xmin, self.ymin, self.xmax + 1 - self.xmin, self.ymax + 1 - self.ymin


@dataclass(frozen=True, slots=True)
class Annotation(FastPickle):
    """The boxes of one image, and the size in pixels of the image for which they were drawn.

    Width and height are 0 if the size is unknown.
    """

    image_code: str
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class BoxCounts(FastPickle):
    """How the boxes of an annotation were fitted to an image.

    Attributes
    ----------
    kept, scaled
        Unchanged boxes, and scaled boxes.
    mended
        Boxes that were clipped to the image, or whose corners were swapped.
    dropped
        Boxes without area inside the image, or for an image of another shape.
    """

    kept: int = 0
    scaled: int = 0
    mended: int = 0
    dropped: int = 0

    def __add__(self, other: BoxCounts) -> BoxCounts:
        return BoxCounts(
            self.kept + other.kept,
            self.scaled + other.scaled,
            self.mended + other.mended,
            self.dropped + other.dropped,
        )


@dataclass(frozen=True, slots=True)
class Picture(FastPickle):
    """A valid image: its format, its size in pixels and bytes, and its hashes.

    Attributes
    ----------
    phash
        Its perceptual hash, if validation has computed it; 0 if it is too flat for one. It is not written to
        the journal.
    """

    format: ImageFormat
    width: int
    height: int
    bytes: int
    sha256: str
    phash: int | None = field(default=None, compare=False)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Picture:
        """Restore a picture from a file that anyone may have edited.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            If it is not one.
        """
        width, height, size = (int(record[name]) for name in ("width", "height", "bytes"))
        if not all(0 < number <= MAX_NUMBER for number in (width, height, size)):
            raise ValueError("no image has this size")
        if not _SHA256.fullmatch(record["sha256"]):
            raise ValueError("not a SHA-256")
        return cls(ImageFormat(record["format"]), width, height, size, record["sha256"])
