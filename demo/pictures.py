"""Draws the demo's pictures: simple shapes on noisy gradients, with their boxes.

A picture depends on its arguments only, and is the same on every machine. A figure is a list of shapes in a
frame of 1 x 1 and touches all sides of it, so its frame in the picture is its box.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from PIL import Image, ImageDraw

from utils.models.images import Box

NOISE = 0.07  # weight of the noise, so that a JPEG is as large as a photo
BODY = "body"  # stands for the body colour of a figure
Size: TypeAlias = tuple[int, int]


class Kind(str, Enum):
    """The subject of a picture; the value is its wnid."""

    HUSKY = "n02110185"
    CARTON = "n02971356"
    CUP = "n03147509"
    SKY = "n09436708"


@dataclass(frozen=True)
class Drawing:
    """A picture; boxes are in pixels, 0-based, labelled with wnids."""

    jpeg: bytes
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Part:
    """One shape of a figure: name of Pillow's method, corners as x, y, x, y ..., and colour."""

    shape: str
    corners: tuple[float, ...]
    colour: str = BODY


@dataclass(frozen=True)
class Figure:
    """The shapes of an object in its frame, and its possible body colours."""

    parts: tuple[Part, ...]
    body_colours: tuple[str, ...]


@dataclass(frozen=True)
class Canvas:
    """The picture that a scene is drawn on, and its random generator."""

    pen: ImageDraw.ImageDraw
    width: int
    height: int
    rng: random.Random

    def draw_figure(self, figure: Figure, frame: Box, *, label: str = "") -> Box:
        """Draw a figure into a frame, and return its box."""
        body_colour = self.rng.choice(figure.body_colours)
        width, height = frame.xmax - frame.xmin, frame.ymax - frame.ymin
        for part in figure.parts:
            xs = [frame.xmin + round(x * width) for x in part.corners[::2]]
            ys = [frame.ymin + round(y * height) for y in part.corners[1::2]]
            corners = list(zip(xs, ys, strict=True))
            getattr(self.pen, part.shape)(corners, fill=body_colour if part.colour == BODY else part.colour)
        return replace(frame, label=label)

    def fill(self, top: float, bottom: float, colour: str) -> None:
        """Fill a strip of the whole width; `top` and `bottom` are fractions of the height."""
        corners = [(0, round(top * self.height)), (self.width, round(bottom * self.height))]
        self.pen.rectangle(corners, fill=colour)

    def frames(self, count: int, *, floor: float, max_height: float) -> Iterator[Box]:
        """Yield frames side by side on a line at `floor`; sizes are fractions of the height."""
        step = self.width // count
        for number in range(count):
            width = round(step * self.rng.uniform(0.6, 0.9))
            left = number * step + self.rng.randint(2, step - width - 2)
            height = round(min(max_height * self.height, width * self.rng.uniform(0.7, 1.0)))
            bottom = round(floor * self.height) - 1
            yield Box("", left, bottom - height, left + width, bottom)


CARTON = Figure(
    (
        Part("rectangle", (0, 0, 1, 1)),
        Part("polygon", (0.72, 0, 1, 0, 1, 1, 0.72, 1), "#9a7443"),
        Part("rectangle", (0, 0.16, 0.72, 0.2), "#8a683c"),
        Part("rectangle", (0.3, 0, 0.4, 0.34), "#e6d3a8"),
        Part("rectangle", (0.08, 0.6, 0.32, 0.85), "#f4efe4"),
    ),
    ("#c89a5b", "#b98a4e", "#d4a96c", "#bf9560"),
)
HUSKY = Figure(
    (
        Part("polygon", (0, 0.2, 0.1, 0.12, 0.25, 0.45, 0.12, 0.5)),
        Part("ellipse", (0.1, 0.34, 0.8, 0.74)),
        Part("ellipse", (0.2, 0.54, 0.74, 0.76), "#f2f2ef"),
        Part("rectangle", (0.18, 0.64, 0.26, 1)),
        Part("rectangle", (0.34, 0.7, 0.41, 0.97), "#f2f2ef"),
        Part("rectangle", (0.54, 0.7, 0.61, 0.97), "#f2f2ef"),
        Part("rectangle", (0.66, 0.64, 0.74, 1)),
        Part("polygon", (0.66, 0.2, 0.69, 0, 0.77, 0.15)),
        Part("polygon", (0.79, 0.15, 0.88, 0, 0.9, 0.2)),
        Part("ellipse", (0.62, 0.1, 0.94, 0.5)),
        Part("ellipse", (0.74, 0.24, 1, 0.48), "#f2f2ef"),
        Part("ellipse", (0.94, 0.3, 1, 0.38), "#1c1c1c"),
        Part("ellipse", (0.77, 0.2, 0.82, 0.26), "#5fb4ea"),
    ),
    ("#4d5661", "#6b6f75", "#3a3f47", "#8b5e48"),
)
CUP = Figure(
    (
        Part("ellipse", (0.55, 0.22, 1, 0.8)),
        Part("ellipse", (0.64, 0.34, 0.9, 0.68), "#b98d63"),
        Part("polygon", (0, 0.1, 0.76, 0.1, 0.66, 0.92, 0.1, 0.92)),
        Part("ellipse", (0.1, 0.84, 0.66, 1)),
        Part("ellipse", (0, 0, 0.76, 0.2), "#f7f3ea"),
        Part("ellipse", (0.05, 0.04, 0.71, 0.17), "#4a2c1a"),
        Part("polygon", (0.04, 0.42, 0.72, 0.42, 0.7, 0.52, 0.05, 0.52), "#f7f3ea"),
    ),
    ("#c0392b", "#2e86c1", "#27805b", "#e2a32b", "#7d5ba6"),
)
SLED = Figure(
    (
        Part("polygon", (0, 0, 0.08, 0, 0.3, 0.7, 1, 0.7, 1, 0.82, 0.2, 0.82)),
        Part("rectangle", (0.1, 0.93, 1, 1)),
        Part("rectangle", (0.4, 0.45, 0.9, 0.7), "#a93226"),
        Part("rectangle", (0.3, 0.8, 0.85, 0.87)),
    ),
    ("#6e4b2a", "#54371d"),
)
PUFFS = ((0, 0.35, 0.5, 1), (0.2, 0, 0.75, 0.95), (0.5, 0.3, 1, 1))
CLOUD = Figure(tuple(Part("ellipse", puff) for puff in PUFFS), ("#ffffff", "#eef3f8", "#f8efe6"))


def _mountains(canvas: Canvas, horizon: float, colour: str) -> Box:
    """Draw mountains below the sky, and return the box of the sky."""
    foot = round(horizon * canvas.height)
    steps = range(0, canvas.width + 1, max(1, canvas.width // 8))
    ridge = [(x, foot - canvas.rng.randint(4, max(5, canvas.height // 7))) for x in steps]
    canvas.pen.polygon([(0, foot), *ridge, (canvas.width, foot)], fill=colour)
    return Box(Kind.SKY.value, 0, 0, canvas.width - 1, foot - 1)


def _shelf(canvas: Canvas) -> Iterator[Box]:
    for left in (0, canvas.width - 7):
        canvas.pen.rectangle([(left, 0), (left + 6, canvas.height)], fill="#e67e22")
    for board in (0.32, 0.64, 0.96):
        canvas.fill(board, board + 0.03, "#35506b")
        for frame in canvas.frames(canvas.rng.randint(2, 4), floor=board, max_height=0.26):
            yield canvas.draw_figure(CARTON, frame, label=Kind.CARTON.value)


def _dog_sled(canvas: Canvas) -> Iterator[Box]:
    horizon = canvas.rng.uniform(0.35, 0.5)
    yield _mountains(canvas, horizon, "#8fa3b8")
    canvas.fill(horizon, 1, "#eef2f6")
    sled, *dogs = canvas.frames(canvas.rng.randint(2, 4), floor=0.9, max_height=0.42)
    canvas.pen.line([(sled.xmax, sled.ymax - 12), (canvas.width, sled.ymax - 30)], fill="#7a4a2a", width=2)
    canvas.draw_figure(SLED, sled)
    for frame in dogs:
        yield canvas.draw_figure(HUSKY, frame, label=Kind.HUSKY.value)


def _table(canvas: Canvas) -> Iterator[Box]:
    canvas.fill(0.55, 1, "#b98d63")
    for frame in canvas.frames(canvas.rng.randint(1, 4), floor=0.88, max_height=0.6):
        yield canvas.draw_figure(CUP, frame, label=Kind.CUP.value)


def _landscape(canvas: Canvas) -> Iterator[Box]:
    horizon = canvas.rng.uniform(0.6, 0.85)
    for frame in canvas.frames(canvas.rng.randint(2, 4), floor=horizon * 0.6, max_height=0.2):
        canvas.draw_figure(CLOUD, frame)
    yield _mountains(canvas, horizon, "#58745c")
    canvas.fill(horizon, 1, "#7d9a5b")


@dataclass(frozen=True)
class Scene:
    """Background colours of a kind of picture, and the function that draws its objects."""

    above: str
    below: str
    paint: Callable[[Canvas], Iterator[Box]]


SCENES = {
    Kind.HUSKY: Scene("#5d9bd5", "#dbe9f4", _dog_sled),
    Kind.CARTON: Scene("#6b7683", "#c3cad1", _shelf),
    Kind.CUP: Scene("#e9d8c4", "#cdb79e", _table),
    Kind.SKY: Scene("#2f6fb3", "#f3c99b", _landscape),
}


def draw(kind: Kind, seed: int, size: Size) -> Drawing:
    """Draw a picture of a kind; `size` is width and height in pixels."""
    rng, scene, (width, height) = random.Random(f"{kind.value} {seed}"), SCENES[kind], size
    picture = _gradient(size, scene.above, below=scene.below)
    boxes = tuple(scene.paint(Canvas(ImageDraw.Draw(picture), width, height, rng)))
    return Drawing(_encoded(_noisy(picture, rng), "JPEG"), width, height, boxes)


def resized(jpeg_bytes: bytes, size: Size) -> bytes:
    """Return a picture resized to width and height."""
    with Image.open(io.BytesIO(jpeg_bytes)) as picture:
        return _encoded(picture.resize(size), "JPEG")


def jpeg(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    """Return a JPEG; the bytes depend on the seed."""
    return image("JPEG", width=width, height=height, seed=seed)


def image(file_format: str, *, width: int = 64, height: int = 48, mode: str = "RGB", seed: int = 0) -> bytes:
    """Return an image in one of Pillow's formats and modes; the bytes depend on the seed."""
    picture = _gradient((width, height), "#2f6fb3", below="#f3c99b")
    return _encoded(_noisy(picture, random.Random(seed)).convert(mode), file_format)


def _gradient(size: Size, above: str, *, below: str) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, below), Image.new("RGB", size, above), mask)


def _noisy(picture: Image.Image, rng: random.Random) -> Image.Image:
    # Image.effect_noise takes no seed.
    noise = Image.frombytes("L", picture.size, rng.randbytes(picture.width * picture.height))
    return Image.blend(picture, noise.convert("RGB"), NOISE)


def _encoded(picture: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format)
    return buffer.getvalue()
