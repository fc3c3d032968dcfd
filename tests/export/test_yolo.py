"""Numbers in YOLO's label files: readers that compute edges of boxes find them inside the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from utils.export.yolo import centre_and_size

MAX_PIXELS = 50_000_000 // 16
"""The longest side of an image of 50 megapixels, whose other side has the 16 pixels of `--min_side`."""


def check_edges(ranges: list[tuple[int, int, int]], dtype: type[np.floating]) -> None:
    """Read ranges of pixels (first, last, number of pixels) from text, and check their edges."""
    text = [[str(number) for number in centre_and_size(*one)] for one in ranges]
    centre, size = np.array(text, dtype=dtype).T
    first, last, pixels = np.array(ranges).T
    assert (centre > 0).all()
    assert (size > 0).all()
    for start, end in _edges(centre, size):
        assert (start >= 0).all()
        assert (end <= 1).all()
        assert (np.abs(start.astype(float) * pixels - first) < 0.5).all()
        assert (np.abs(end.astype(float) * pixels - (last + 1)) < 0.5).all()


def _edges(centre: NDArray, size: NDArray) -> list[tuple[NDArray, NDArray]]:
    start = centre - size / 2
    return [(start, centre + size / 2), (start, start + size)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_boxes_of_small_images(dtype: type[np.floating]) -> None:
    """In every image of up to 48 pixels, all boxes are inside it, and exact to half a pixel."""
    check_edges(
        [
            (first, last, pixels)
            for pixels in range(1, 49)
            for last in range(pixels)
            for first in range(last + 1)
        ],
        dtype,
    )


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw a box in an image of any size, often at its borders."""
    pixels = draw(st.integers(1, MAX_PIXELS))
    last = draw(st.integers(0, pixels - 1) | st.just(pixels - 1))
    return draw(st.integers(0, last) | st.just(0) | st.just(last)), last, pixels


@given(st.lists(ranges(), min_size=1, max_size=9))
def test_boxes_of_any_image(drawn: list[tuple[int, int, int]]) -> None:
    """In an image of any size that is saved, boxes are inside it, and exact to half a pixel."""
    check_edges(drawn, np.float32)
    check_edges(drawn, np.float64)
