"""Keeps the geometry of bounding boxes: from the picture they were drawn on to the one that was downloaded.

It alone knows when boxes can be trusted on a picture of another size. Coordinates are pixels, counted
from 0, and a box's xmax and ymax belong to it: a box over a whole picture goes from 0 to width - 1. To
scale, a box is taken by its edges (xmin and xmax + 1), so that it still covers the whole of a picture
that it covered before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..models.images import Annotation, Box, BoxCounts, Picture

ASPECT_TOLERANCE = 0.015
"""Two pictures have the same shape if their aspect ratios differ by no more than this share."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Boxes fitted to a picture; every box of before is counted in exactly one of `counts`' four.

    Attributes
    ----------
    annotation
        The boxes on this picture; None if they cannot be trusted, or none is left.
    counts
        What became of them.
    problem
        Why there is no annotation; empty if there is one.
    """

    annotation: Annotation | None
    counts: BoxCounts
    problem: str = ""


def fit(annotation: Annotation, picture: Picture) -> Fitted:
    """Fit boxes to a picture that may have another size than the one they were drawn on.

    The same size leaves them as they are, the same shape (see `ASPECT_TOLERANCE`) scales them; of another
    shape, or of a size that was never stated, nothing is known and no box is taken.
    """
    distrust = _distrust(annotation, picture)
    if distrust:
        return Fitted(None, BoxCounts(dropped=len(annotation.boxes)), problem=distrust)
    is_scaled = (annotation.width, annotation.height) != (picture.width, picture.height)
    drawn = [_swap(box) for box in annotation.boxes]
    scaled = _scale(drawn, annotation, picture) if is_scaled else drawn
    clipped = [_clip(box, picture) for box in scaled]
    steps = zip(annotation.boxes, drawn, scaled, clipped, strict=True)
    boxes = tuple([box for box in clipped if _has_area(box)])
    sound = sum(was is swapped and on_it is box and _has_area(box) for was, swapped, on_it, box in steps)
    return Fitted(
        Annotation(annotation.image_code, picture.width, picture.height, boxes) if boxes else None,
        BoxCounts(
            kept=0 if is_scaled else sound,
            scaled=sound if is_scaled else 0,
            mended=len(boxes) - sound,
            dropped=len(clipped) - len(boxes),
        ),
        problem="" if boxes else "no box has any area inside the picture",
    )


def _swap(box: Box) -> Box:
    """Return the box with its corners in order."""
    if box.xmin <= box.xmax and box.ymin <= box.ymax:
        return box
    (xmin, xmax), (ymin, ymax) = sorted((box.xmin, box.xmax)), sorted((box.ymin, box.ymax))
    return replace(box, xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)


def relabel(annotation: Annotation, labels: Mapping[str, str]) -> Annotation:
    """Replace the label of each box, a wnid, by that wnid's folder name, where `labels` has one."""
    boxes = tuple(replace(box, label=labels.get(box.label, box.label)) for box in annotation.boxes)
    return replace(annotation, boxes=boxes)


def _distrust(annotation: Annotation, picture: Picture) -> str:
    """Return why boxes cannot be used on this picture, or "" if they can."""
    if min(annotation.width, annotation.height) <= 0:
        return "the annotation does not say for which picture size its boxes were drawn"
    ratio = picture.width * annotation.height / (picture.height * annotation.width)
    if max(ratio, 1 / ratio) <= 1 + ASPECT_TOLERANCE:
        return ""
    drawn, found = f"{annotation.width}x{annotation.height}", f"{picture.width}x{picture.height}"
    return f"the boxes were drawn on {drawn} pixels and the picture has {found}, another shape"


def _scale(boxes: Sequence[Box], annotation: Annotation, picture: Picture) -> list[Box]:
    """Scale boxes from the annotation's size to the picture's."""
    across, down = picture.width / annotation.width, picture.height / annotation.height
    return [
        replace(
            box,
            xmin=round(box.xmin * across),
            ymin=round(box.ymin * down),
            xmax=round((box.xmax + 1) * across) - 1,
            ymax=round((box.ymax + 1) * down) - 1,
        )
        for box in boxes
    ]


def _has_area(box: Box) -> bool:
    return box.xmin < box.xmax and box.ymin < box.ymax


def _clip(box: Box, picture: Picture) -> Box:
    right, bottom = picture.width - 1, picture.height - 1
    if box.xmin >= 0 and box.ymin >= 0 and box.xmax <= right and box.ymax <= bottom:
        return box
    return replace(
        box,
        xmin=min(max(box.xmin, 0), right),
        ymin=min(max(box.ymin, 0), bottom),
        xmax=min(max(box.xmax, 0), right),
        ymax=min(max(box.ymax, 0), bottom),
    )
