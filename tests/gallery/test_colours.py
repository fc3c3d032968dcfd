"""The colours of labels can be distinguished, also with a colour vision deficiency."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations

from utils.gallery.page import ASSETS, COLOURS

VISIONS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)
"""Transforms of linear RGB: normal vision, protanopia, deuteranopia, tritanopia (Machado et al. 2009)."""
CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def test_first_colours_differ() -> None:
    """The first eight colours differ clearly, also with a colour vision deficiency."""
    script = (ASSETS / "gallery.js").read_text(encoding="utf-8")
    palette = re.findall(r"#[0-9a-f]{6}", script.split("const COLOURS = ")[1].split(";")[0])
    assert len(set(palette)) == COLOURS
    for vision in VISIONS:
        seen = [oklab(colour, vision) for colour in palette[:8]]
        assert min(math.dist(one, other) for one, other in combinations(seen[:4], 2)) > 0.18
        assert min(math.dist(one, other) for one, other in combinations(seen, 2)) > 0.09


def linear(colour: str) -> list[float]:
    """Convert a colour like `#aabbcc` to linear red, green and blue from 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]


def multiply(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    """Multiply a matrix with a vector."""
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def oklab(colour: str, vision: Sequence[Sequence[float]]) -> list[float]:
    """Convert a colour to OKLab, as seen with a vision; distances are as perceived (black to white is 1)."""
    light = [min(1, max(0, one)) for one in multiply(vision, linear(colour))]
    return multiply(OKLAB, [one ** (1 / 3) for one in multiply(CONES, light)])
