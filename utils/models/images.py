"""What is known of a picture: its format and size, its boxes and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

from .enums import ImageFormat
from .fast_pickle import FastPickle


@dataclass(frozen=True, slots=True)
class Box(FastPickle):
    """A bounding box, 0-based, in pixels of the image it belongs to; xmax and ymax belong to the box.

    `label` is the wnid in an archive, and the folder name of that wnid in a result folder.
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
    """The boxes of one image, and the size in pixels of the picture on which they were drawn.

    A width or height of 0 means that none (or none that can be) was stated.
    """

    image_code: str
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class BoxCounts(FastPickle):
    """What became of the boxes of an annotation when it was fitted to a picture.

    Attributes
    ----------
    kept, scaled
        Boxes taken as they were, and scaled.
    mended
        Boxes that reached outside and were clipped, or were reversed and swapped.
    dropped
        Boxes without area in the picture, or on a picture of another shape.
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
    """What is known of an image that was judged good: sizes in pixels and bytes."""

    format: ImageFormat
    width: int
    height: int
    bytes: int
    sha256: str
