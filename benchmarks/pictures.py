"""Generates JPEGs with the size and the decoding time of photos.

The pictures are noise in octaves, like photos statistically. Photos of ImageNet have 110 KB on average and
take 9.4 µs per KB to decode at an eighth of their size; these take 9.6.
"""

from __future__ import annotations

import io
import random
from pathlib import Path

from PIL import Image, ImageDraw

MEAN_BYTES = 110_000
DRAWN = 150  # different pictures, a multiple of len(SIZES); the others are copies with another comment
SIZES = ((500, 375), (375, 500), (500, 333), (500, 400), (480, 360))
QUALITIES = (82, 95)  # 70 to 170 KB
OCTAVES = 8
ROUGHNESS = 0.3  # weight of each octave
PLACEHOLDER = "photo_unavailable.png"
PARKED = "parked.jpg"


def fill(folder: Path, count: int) -> None:
    """Write pictures named by their numbers, all with different bytes, and the two placeholders."""
    drawn = [draw(number) for number in range(min(count, DRAWN))]
    for number in range(count):
        picture_file(folder, number).write_bytes(commented(drawn[number % len(drawn)], f"{number}"))
    (folder / PARKED).write_bytes(commented(drawn[0], "parked"))
    (folder / PLACEHOLDER).write_bytes(_placeholder())


def picture_file(folder: Path, number: int) -> Path:
    """Return the path of a picture."""
    return folder / f"{number}.jpg"


def size_of(number: int) -> tuple[int, int]:
    """Return width and height of a picture in pixels."""
    return SIZES[number % len(SIZES)]


def draw(number: int) -> bytes:
    """Return a picture; it depends on the number only."""
    rng, size = random.Random(number), size_of(number)
    picture = _octave(size, 0, rng)
    for octave in range(1, OCTAVES):
        picture = Image.blend(picture, _octave(size, octave, rng), ROUGHNESS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=rng.randint(*QUALITIES))
    return buffer.getvalue()


def commented(jpeg: bytes, comment: str) -> bytes:
    """Insert a comment after the first marker of a JPEG."""
    text = comment.encode("ascii")
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def _octave(size: tuple[int, int], octave: int, rng: random.Random) -> Image.Image:
    """Return noise whose grains are half as large in each octave; single pixels in the last one."""
    is_last = octave == OCTAVES - 1
    grains = size if is_last else (2 ** (octave + 2), 2 ** (octave + 2) * size[1] // size[0])
    noise = Image.frombytes("RGB", grains, rng.randbytes(grains[0] * grains[1] * 3))
    return noise.resize(size, Image.Resampling.BICUBIC)


def _placeholder() -> bytes:
    picture = Image.new("P", (320, 200), 200)
    ImageDraw.Draw(picture).text((60, 90), "This photo is no longer available")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
