"""Boxes on the picture that came: as they were, scaled, mended, or not trusted."""

from __future__ import annotations

import pytest

from utils.annotations.geometry import fit, relabel
from utils.models.enums import ImageFormat
from utils.models.images import Annotation, Box, Picture


def annotated(*corners: tuple[int, ...], width: int = 500, height: int = 375) -> Annotation:
    """Make an annotation with boxes of these corners."""
    return Annotation("n01_1", width, height, tuple(Box("n01", *each) for each in corners))


def picture(width: int, height: int) -> Picture:
    """Make a picture of this size."""
    return Picture(ImageFormat.JPEG, width, height, 1, "")


def corners(annotation: Annotation | None) -> list[tuple[int, int, int, int]]:
    """Return the corners of the boxes that are left."""
    assert annotation is not None
    return [(box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes]


def test_same_size() -> None:
    """On a picture of the same size boxes stay as they are."""
    annotation = annotated((2, 35, 320, 374), (0, 0, 499, 374))
    fitted = fit(annotation, picture(500, 375))
    assert fitted.annotation == annotation
    assert (fitted.counts.kept, fitted.counts.scaled, fitted.counts.mended, fitted.counts.dropped) == (
        2,
        0,
        0,
        0,
    )
    assert fitted.problem == ""


@pytest.mark.parametrize("scale", [0.2, 0.5, 2, 2.048])
def test_whole_picture_stays_whole(scale: float) -> None:
    """A box over the whole picture covers it at any scale, from 0 to width - 1."""
    width, height = round(500 * scale), round(375 * scale)
    fitted = fit(annotated((0, 0, 499, 374)), picture(width, height))
    assert corners(fitted.annotation) == [(0, 0, width - 1, height - 1)]
    assert fitted.counts.scaled == 1


def test_scaled() -> None:
    """On a picture twice as large each pixel of a box becomes two, and the size is the picture's."""
    fitted = fit(annotated((10, 20, 19, 39)), picture(1000, 750))
    assert corners(fitted.annotation) == [(20, 40, 39, 79)]
    assert fitted.annotation is not None
    assert (fitted.annotation.width, fitted.annotation.height) == (1000, 750)


@pytest.mark.parametrize(
    ("width", "height", "is_trusted"),
    [(1000, 750, True), (1000, 760, True), (1000, 770, False), (375, 500, False), (500, 500, False)],
)
def test_shape(width: int, height: int, is_trusted: bool) -> None:
    """Boxes are trusted on a picture whose aspect is within 1.5 % of the one they were drawn on."""
    fitted = fit(annotated((10, 10, 100, 100)), picture(width, height))
    assert (fitted.annotation is not None) is is_trusted
    assert ("another shape" in fitted.problem) is not is_trusted
    assert fitted.counts.dropped == (0 if is_trusted else 1)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 375), (-5, 375)])
def test_unknown_size(width: int, height: int) -> None:
    """Boxes that were drawn on nobody knows what are not used."""
    fitted = fit(annotated((1, 1, 9, 9), width=width, height=height), picture(500, 375))
    assert fitted.annotation is None
    assert "does not say" in fitted.problem


def test_outside_is_clipped() -> None:
    """A box that reaches outside is clipped to the picture, and one that was reversed is swapped."""
    fitted = fit(annotated((-5, 300, 600, 400), (90, 80, 10, 20)), picture(500, 375))
    assert corners(fitted.annotation) == [(0, 300, 499, 374), (10, 20, 90, 80)]
    assert (fitted.counts.kept, fitted.counts.mended) == (0, 2)


def test_reversed_and_scaled() -> None:
    """A reversed box scales like the same box in order, and counts as mended."""
    fitted = fit(annotated((19, 39, 10, 20)), picture(1000, 750))
    assert corners(fitted.annotation) == [(20, 40, 39, 79)]
    assert (fitted.counts.scaled, fitted.counts.mended) == (0, 1)


def test_without_area_is_dropped() -> None:
    """A box without area, or wholly outside, is dropped; every box is counted once."""
    fitted = fit(annotated((5, 5, 5, 9), (600, 5, 700, 9), (5, 400, 9, 500), (5, 5, 9, 9)), picture(500, 375))
    assert corners(fitted.annotation) == [(5, 5, 9, 9)]
    assert (fitted.counts.kept, fitted.counts.dropped) == (1, 3)


def test_shrunk_to_nothing_is_dropped() -> None:
    """A box that scaling leaves no area is dropped."""
    fitted = fit(annotated((100, 100, 103, 103)), picture(50, 38))
    assert fitted.annotation is None
    assert fitted.counts.dropped == 1
    assert "no box" in fitted.problem


def test_relabel() -> None:
    """Each wnid becomes its folder name; one that is unknown stays."""
    annotation = Annotation("n01_1", 9, 9, (Box("n01", 0, 0, 1, 1, "Left", 1, 1), Box("n02", 0, 0, 2, 2)))
    relabelled = relabel(annotation, {"n01": "crane_n01"})
    assert relabelled.boxes == (Box("crane_n01", 0, 0, 1, 1, "Left", 1, 1), Box("n02", 0, 0, 2, 2))
