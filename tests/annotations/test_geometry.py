"""Boxes are kept, scaled, clipped or dropped."""

from __future__ import annotations

import pytest

from utils.annotations.geometry import fit, relabel
from utils.models.images import Annotation, Box, BoxCounts, ImageFormat, Picture


def annotate(*corners: tuple[int, ...], width: int = 500, height: int = 375) -> Annotation:
    """Return an annotation with boxes of these corners."""
    return Annotation("n01_1", width, height, tuple(Box("n01", *each) for each in corners))


def picture(width: int, height: int) -> Picture:
    """Return an image of this size."""
    return Picture(ImageFormat.JPEG, width, height, 1, "")


def corners(annotation: Annotation | None) -> list[tuple[int, int, int, int]]:
    """Return the corners of all boxes."""
    assert annotation is not None
    return [(box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes]


def test_same_size() -> None:
    """Boxes are unchanged on an image of the same size."""
    annotation = annotate((2, 35, 320, 374), (0, 0, 499, 374))
    fitted = fit(annotation, picture(500, 375))
    assert fitted.annotation == annotation
    assert fitted.counts == BoxCounts(kept=2)
    assert fitted.problem == ""


@pytest.mark.parametrize("scale", [0.2, 0.5, 2, 2.048])
def test_box_over_whole_image(scale: float) -> None:
    """A box over the whole image covers it at any scale, from 0 to width - 1."""
    width, height = round(500 * scale), round(375 * scale)
    fitted = fit(annotate((0, 0, 499, 374)), picture(width, height))
    assert corners(fitted.annotation) == [(0, 0, width - 1, height - 1)]
    assert fitted.counts == BoxCounts(scaled=1)


def test_scaled() -> None:
    """Boxes are scaled for a larger image of the same shape, and get its size."""
    fitted = fit(annotate((10, 20, 19, 39)), picture(1000, 750))
    assert corners(fitted.annotation) == [(20, 40, 39, 79)]
    assert fitted.annotation is not None
    assert (fitted.annotation.width, fitted.annotation.height) == (1000, 750)


@pytest.mark.parametrize(
    ("width", "height", "is_same_shape"),
    [(1000, 750, True), (1000, 760, True), (1000, 770, False), (375, 500, False), (500, 500, False)],
)
def test_shape(width: int, height: int, is_same_shape: bool) -> None:
    """Boxes are used if the aspect ratio differs by at most 1.5 %."""
    fitted = fit(annotate((10, 10, 100, 100)), picture(width, height))
    assert (fitted.annotation is not None) is is_same_shape
    assert ("another shape" in fitted.problem) is not is_same_shape
    assert fitted.counts.dropped == (0 if is_same_shape else 1)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 375), (-5, 375)])
def test_unknown_size(width: int, height: int) -> None:
    """Boxes are dropped if the size of the annotated image is unknown."""
    fitted = fit(annotate((1, 1, 9, 9), width=width, height=height), picture(500, 375))
    assert fitted.annotation is None
    assert "does not state the size" in fitted.problem


def test_clipped_and_reversed() -> None:
    """A box that extends beyond the image is clipped, and reversed corners are swapped."""
    fitted = fit(annotate((-5, 300, 600, 400), (90, 80, 10, 20)), picture(500, 375))
    assert corners(fitted.annotation) == [(0, 300, 499, 374), (10, 20, 90, 80)]
    assert fitted.counts == BoxCounts(mended=2)


def test_reversed_and_scaled() -> None:
    """A reversed box is scaled like the same box in order, and counted as mended."""
    fitted = fit(annotate((19, 39, 10, 20)), picture(1000, 750))
    assert corners(fitted.annotation) == [(20, 40, 39, 79)]
    assert fitted.counts == BoxCounts(mended=1)


def test_without_area() -> None:
    """A box without area inside the image is dropped; each box is counted once."""
    fitted = fit(annotate((5, 5, 5, 9), (600, 5, 700, 9), (5, 400, 9, 500), (5, 5, 9, 9)), picture(500, 375))
    assert corners(fitted.annotation) == [(5, 5, 9, 9)]
    assert fitted.counts == BoxCounts(kept=1, dropped=3)


def test_without_area_after_scaling() -> None:
    """A box without area after scaling is dropped."""
    fitted = fit(annotate((100, 100, 103, 103)), picture(50, 38))
    assert fitted.annotation is None
    assert fitted.counts == BoxCounts(dropped=1)
    assert "no box" in fitted.problem


def test_relabel() -> None:
    """Known wnids are replaced by folder names, others are kept."""
    annotation = Annotation("n01_1", 9, 9, (Box("n01", 0, 0, 1, 1, "Left", 1, 1), Box("n02", 0, 0, 2, 2)))
    relabelled = relabel(annotation, {"n01": "crane_n01"})
    assert relabelled.boxes == (Box("crane_n01", 0, 0, 1, 1, "Left", 1, 1), Box("n02", 0, 0, 2, 2))
