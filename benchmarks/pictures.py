"""Makes JPEGs that cost what photographs cost: as many bytes, and as much to decode.

They are noise in octaves, as photographs are, statistically. Photographs of ImageNet have 110 KB on average
and take 9.4 µs a KB to decode at an eighth of their size; these have as much and take 9.6.
"""

from __future__ import annotations

import io
import random
from pathlib import Path

from PIL import Image, ImageDraw

MEAN_BYTES = 110_000
DRAWN = 150  # different pictures; the rest are these again with another comment, and so other bytes
SIZES = ((500, 375), (375, 500), (500, 333), (500, 400), (480, 360))  # of which DRAWN is a multiple
QUALITIES = (82, 95)  # they spread the sizes: 70 to 170 KB
OCTAVES = 8
ROUGHNESS = 0.3  # how much of each octave is seen
PLACEHOLDER = "photo_unavailable.png"
PARKED = "parked.jpg"


def fill(folder: Path, how_many: int) -> None:
    """Put pictures into a folder, named by their numbers, no two of the same bytes; and those of nothing."""
    drawn = [draw(number) for number in range(min(how_many, DRAWN))]
    for number in range(how_many):
        picture_file(folder, number).write_bytes(commented(drawn[number % len(drawn)], f"{number}"))
    (folder / PARKED).write_bytes(commented(drawn[0], "parked"))
    (folder / PLACEHOLDER).write_bytes(_notice())


def picture_file(folder: Path, number: int) -> Path:
    """Say where a picture lies."""
    return folder / f"{number}.jpg"


def size_of(number: int) -> tuple[int, int]:
    """Say how wide and how high a picture is."""
    return SIZES[number % len(SIZES)]


def draw(number: int) -> bytes:
    """Draw a picture; the same number always gives the same."""
    dice, size = random.Random(number), size_of(number)
    picture = _octave(size, 0, dice)
    for octave in range(1, OCTAVES):
        picture = Image.blend(picture, _octave(size, octave, dice), ROUGHNESS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=dice.randint(*QUALITIES))
    return buffer.getvalue()


def commented(jpeg: bytes, comment: str) -> bytes:
    """Put a comment behind a JPEG's first marker."""
    text = comment.encode("ascii")
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def _octave(size: tuple[int, int], octave: int, dice: random.Random) -> Image.Image:
    """Draw noise whose grains are as large as the octave says; the last one's are single pixels."""
    is_last = octave == OCTAVES - 1
    grains = size if is_last else (2 ** (octave + 2), 2 ** (octave + 2) * size[1] // size[0])
    noise = Image.frombytes("RGB", grains, dice.randbytes(grains[0] * grains[1] * 3))
    return noise.resize(size, Image.Resampling.BICUBIC)


def _notice() -> bytes:
    picture = Image.new("P", (320, 200), 200)
    ImageDraw.Draw(picture).text((60, 90), "This photo is no longer available")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
