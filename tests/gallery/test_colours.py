"""The colours of labels: told apart, whatever eyes one has."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations

from utils.gallery.page import ASSETS, COLOURS

SIGHTS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)
"""What the eye makes of linear red, green and blue: all, without long, medium, short waves (Machado 2009)."""
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


def test_the_first_colours_are_far_apart() -> None:
    """Eight labels are told apart by everybody, also by who does not see red, green or blue."""
    script = (ASSETS / "gallery.js").read_text(encoding="utf-8")
    palette = re.findall(r"#[0-9a-f]{6}", script.split("const COLOURS = ")[1].split(";")[0])
    assert len(set(palette)) == COLOURS
    for sight in SIGHTS:
        seen = [lab(colour, sight) for colour in palette[:8]]
        assert min(math.dist(one, other) for one, other in combinations(seen[:4], 2)) > 0.18
        assert min(math.dist(one, other) for one, other in combinations(seen, 2)) > 0.09


def linear(colour: str) -> list[float]:
    """Give red, green and blue of a colour like `#aabbcc` as shares of the most light."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]


def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    """Multiply."""
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def lab(colour: str, sight: Sequence[Sequence[float]]) -> list[float]:
    """Give a colour in OKLab, where distances are as eyes see them; 1 is from black to white."""
    light = [min(1, max(0, one)) for one in times(sight, linear(colour))]
    return times(OKLAB, [one ** (1 / 3) for one in times(CONES, light)])
