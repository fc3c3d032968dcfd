"""Fits bounding boxes to an image whose size may differ from that of the annotated one.

Coordinates are pixels, counted from 0, and inclusive: a box over the whole image extends from 0 to width - 1.
For scaling, the edges of a box are xmin and xmax + 1, so that a box over the whole image still covers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..models.images import Annotation, Box, BoxCounts, Picture

ASPECT_TOLERANCE = 0.015
"""Maximum relative difference between the aspect ratios of two images of the same shape."""

_MIRRORED, _FLIPPED, _TRANSPOSED = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8}), frozenset({5, 6, 7, 8})
"""EXIF orientations that reverse the columns or the rows of the turned image, or swap both."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The result of fitting boxes to an image.

    Attributes
    ----------
    annotation
        The boxes on this image; None if there are none left, or if the image has another shape.
    counts
        How the boxes were fitted; each is counted once.
    problem
        Why there is no annotation; empty if there is one.
    """

    annotation: Annotation | None
    counts: BoxCounts
    problem: str = ""


def fit(annotation: Annotation, picture: Picture) -> Fitted:
    """Fit boxes to an image.

    Boxes are unchanged for an image of the same size, and scaled for one of the same shape (see
    `ASPECT_TOLERANCE`). For another shape, or if the annotated size is unknown, no box is used.
    """
    mismatch = _mismatch(annotation, picture)
    if mismatch:
        return Fitted(None, BoxCounts(dropped=len(annotation.boxes)), problem=mismatch)
    is_scaled = (annotation.width, annotation.height) != (picture.width, picture.height)
    ordered = [_order_corners(box) for box in annotation.boxes]
    scaled = _scale(ordered, annotation, picture) if is_scaled else ordered
    clipped = [_clip(box, picture) for box in scaled]
    steps = zip(annotation.boxes, ordered, scaled, clipped, strict=True)
    boxes = tuple([box for box in clipped if box])
    # Each step returns the same object if it changes nothing.
    intact = sum(drawn is order and scale is clip for drawn, order, scale, clip in steps)
    return Fitted(
        Annotation(annotation.image_code, picture.width, picture.height, boxes) if boxes else None,
        BoxCounts(
            kept=0 if is_scaled else intact,
            scaled=intact if is_scaled else 0,
            mended=len(boxes) - intact,
            dropped=len(clipped) - len(boxes),
        ),
        problem="" if boxes else "no box has any area inside the image",
    )


def reduced(picture: Picture, max_side: int | None) -> Picture:
    """Return a picture with its size reduced so that no side is longer than `max_side` pixels."""
    longest = max(picture.width, picture.height)
    if max_side is None or longest <= max_side:
        return picture
    width, height = (max(1, round(side * max_side / longest)) for side in (picture.width, picture.height))
    return replace(picture, width=width, height=height)


def scale(annotation: Annotation, picture: Picture) -> tuple[Box, ...]:
    """Scale boxes to an image of the same shape; a box keeps at least two pixels of each side."""
    if (annotation.width, annotation.height) == (picture.width, picture.height):
        return annotation.boxes
    widened = [
        replace(
            box,
            xmin=max(0, min(box.xmin, picture.width - 2)),
            ymin=max(0, min(box.ymin, picture.height - 2)),
            xmax=max(box.xmax, box.xmin + 1),
            ymax=max(box.ymax, box.ymin + 1),
        )
        for box in _scale(annotation.boxes, annotation, picture)
    ]
    return tuple(box for box in (_clip(box, picture) for box in widened) if box)


def to_stored(annotation: Annotation, picture: Picture, orientation: int) -> Annotation:
    """Return boxes that were drawn on an image as its EXIF orientation turns it, on the stored pixels.

    Annotation tools show images turned. Boxes that state the size of the stored pixels are unchanged. A size
    that is not stated is that of the turned image.

    Parameters
    ----------
    orientation
        From 1, which turns nothing, to 8.
    """
    stored = picture.width, picture.height
    shown = stored[::-1] if orientation in _TRANSPOSED else stored
    width, height = annotation.width, annotation.height
    if min(width, height) <= 0:
        width, height = shown
    elif (width, height) == stored != shown:
        return annotation

    def turned(x: int, y: int) -> tuple[int, int]:
        x = width - 1 - x if orientation in _MIRRORED else x
        y = height - 1 - y if orientation in _FLIPPED else y
        return (y, x) if orientation in _TRANSPOSED else (x, y)

    boxes = []
    for box in annotation.boxes:
        (x, y), (right, bottom) = turned(box.xmin, box.ymin), turned(box.xmax, box.ymax)
        boxes.append(_order_corners(replace(box, xmin=x, ymin=y, xmax=right, ymax=bottom)))
    size = (height, width) if orientation in _TRANSPOSED else (width, height)
    return Annotation(annotation.image_code, *size, tuple(boxes))


def relabel(annotation: Annotation, labels: Mapping[str, str]) -> Annotation:
    """Replace the label of each box by its value in `labels`, if there is one."""
    boxes = tuple(replace(box, label=labels.get(box.label, box.label)) for box in annotation.boxes)
    return replace(annotation, boxes=boxes)


def have_same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two images, of these widths and heights, have the same shape (see `ASPECT_TOLERANCE`)."""
    if min(*first, *second) <= 0:
        return False
    ratio = second[0] * first[1] / (second[1] * first[0])
    return max(ratio, 1 / ratio) <= 1 + ASPECT_TOLERANCE


def _mismatch(annotation: Annotation, picture: Picture) -> str:
    """Return why the boxes cannot be used on this image, or an empty string."""
    if min(annotation.width, annotation.height) <= 0:
        return "the annotation does not state the size of its image"
    if have_same_shape((annotation.width, annotation.height), (picture.width, picture.height)):
        return ""
    annotated, found = f"{annotation.width}x{annotation.height}", f"{picture.width}x{picture.height}"
    return f"the annotated image has {annotated} pixels, and this one has another shape, {found}"


def _order_corners(box: Box) -> Box:
    if box.xmin <= box.xmax and box.ymin <= box.ymax:
        return box
    (xmin, xmax), (ymin, ymax) = sorted((box.xmin, box.xmax)), sorted((box.ymin, box.ymax))
    return replace(box, xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)


def _scale(boxes: Sequence[Box], annotation: Annotation, picture: Picture) -> list[Box]:
    x_scale, y_scale = picture.width / annotation.width, picture.height / annotation.height
    return [
        replace(
            box,
            xmin=round(box.xmin * x_scale),
            ymin=round(box.ymin * y_scale),
            xmax=round((box.xmax + 1) * x_scale) - 1,
            ymax=round((box.ymax + 1) * y_scale) - 1,
        )
        for box in boxes
    ]


def _clip(box: Box, picture: Picture) -> Box | None:
    """Clip a box to the image; None if no area is left."""
    right, bottom = picture.width - 1, picture.height - 1
    if box.xmin < 0 or box.ymin < 0 or box.xmax > right or box.ymax > bottom:
        box = replace(
            box,
            xmin=min(max(box.xmin, 0), right),
            ymin=min(max(box.ymin, 0), bottom),
            xmax=min(max(box.xmax, 0), right),
            ymax=min(max(box.ymax, 0), bottom),
        )
    return box if box.xmin < box.xmax and box.ymin < box.ymax else None
