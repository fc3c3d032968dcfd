"""The demo's world is what it says it is: real enough to try the scripts on, with the truth known."""

from __future__ import annotations

import dataclasses
import io
import random
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from demo.packing import xml
from demo.photos import Fate, Photo
from demo.pictures import (
    CARTON,
    CLOUD,
    COAT,
    CUP,
    HUSKY,
    SLED,
    Drawing,
    Figure,
    Kind,
    draw,
    image,
    jpeg,
    resized,
)
from demo.verdict import verdicts
from demo.world import FATES, World
from utils.models.images import Box

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Give one world to all tests here; they only look at what was not asked for before."""
    with World() as entered:
        yield entered


def one(world: World, fate: Fate) -> Photo:
    """Give some photo that met this fate."""
    return next(photo for photo in world.photos if photo.fate is fate)


def get(url: str, timeout: float = 10) -> requests.Response:
    """Ask as any client would."""
    return requests.get(url, timeout=timeout)


def archives(world: World) -> dict[str, dict[str, bytes]]:
    """Unpack the boxes: by archive, by member."""
    outer = unpacked(get(world.annotations_source).content)
    return {name: unpacked(data) for name, data in outer.items()}


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Read all members of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in members.items() if file}


@pytest.mark.parametrize("kind", Kind)
def test_a_drawing_depends_on_nothing_but_what_is_asked_for(kind: Kind) -> None:
    """The same seed gives the same bytes, whatever else was drawn; another seed gives others."""
    first = draw(kind, 1, (500, 375))
    random.seed(random.random())
    assert draw(kind, 1, (500, 375)) == first
    assert draw(kind, 2, (500, 375)) != first
    assert 8_000 < len(first.jpeg) < 60_000


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (400, 300)])
def test_boxes_lie_within_the_picture(kind: Kind, size: tuple[int, int]) -> None:
    """Every picture has a box of its own kind, and every box has an area inside of it."""
    for seed in range(10):
        drawing = draw(kind, seed, size)
        with Image.open(io.BytesIO(drawing.jpeg)) as picture:
            assert picture.size == (drawing.width, drawing.height) == size
        assert kind.value in {box.label for box in drawing.boxes}
        for box in drawing.boxes:
            assert 0 <= box.xmin < box.xmax < drawing.width
            assert 0 <= box.ymin < box.ymax < drawing.height


@pytest.mark.parametrize("figure", [CARTON, HUSKY, CUP, SLED, CLOUD])
def test_a_figure_touches_all_sides_of_its_frame(figure: Figure) -> None:
    """Else its box would be too large."""
    across = [x for part in figure.parts for x in part.corners[::2]]
    down = [y for part in figure.parts for y in part.corners[1::2]]
    assert (min(across), max(across), min(down), max(down)) == (0, 1, 0, 1)
    assert COAT in {part.colour for part in figure.parts}


def test_small_helpers_make_what_they_are_asked_for() -> None:
    """Format, mode and size are the caller's; another seed gives other bytes."""
    with Image.open(io.BytesIO(image("PNG", width=30, height=20, mode="LA"))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "LA", (30, 20))
    with Image.open(io.BytesIO(resized(jpeg(40, 30), (20, 30)))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (20, 30))
    assert jpeg(seed=1) == jpeg(seed=1) != jpeg(seed=2)


def test_the_list_is_imagenets(world: World) -> None:
    """A zip of one text file: image code, tab, URL, by category."""
    with zipfile.ZipFile(io.BytesIO(get(world.urls_source).content)) as archive:
        (name,) = archive.namelist()
        lines = archive.read(name).decode().splitlines()
    assert lines == sorted(lines, key=lambda line: line[:9])
    assert [line.split("\t") for line in lines] == [[photo.code, photo.url] for photo in world.photos]
    assert len({photo.url for photo in world.photos}) == len({photo.code for photo in world.photos}) == 320


def test_more_than_half_of_the_urls_live(world: World) -> None:
    """Every category has the same share of living URLs, 55 to 60 %, and all ways to die."""
    for kind in Kind:
        fates = [photo.fate for photo in world.photos if photo.kind is kind]
        assert set(fates) == set(Fate)
        assert 0.55 <= sum(fate.lives for fate in fates) / len(fates) <= 0.6
        assert len(fates) == sum(FATES.values())


@pytest.mark.parametrize(
    ("fate", "statuses"),
    [
        (Fate.ALIVE, [200]),
        (Fate.OTHER_SCALE, [200]),
        (Fate.OTHER_SHAPE, [200]),
        (Fate.BUSY, [429, 200]),
        (Fate.UNAVAILABLE, [503, 200]),
    ],
)
def test_a_living_url_brings_its_picture(world: World, fate: Fate, statuses: list[int]) -> None:
    """At once or at the second try; and it is what the truth says, in the size that the fate says."""
    photo = one(world, fate)
    answers = [get(photo.url) for _ in statuses]
    assert [answer.status_code for answer in answers] == statuses
    assert answers[-1].content == photo.served
    with Image.open(io.BytesIO(photo.served)) as picture:
        scale = picture.width / photo.drawing.width
        assert scale == (2 if fate is Fate.OTHER_SCALE else 1)
        assert (picture.height == photo.drawing.height * scale) is (fate is not Fate.OTHER_SHAPE)
    assert world.fate(photo.url) is fate


def test_dead_urls_bring_something_else(world: World) -> None:
    """What comes under 200 is no picture, or the same for all."""
    assert get(one(world, Fate.NOT_FOUND).url).status_code == 404
    assert get(one(world, Fate.GONE).url).status_code == 410
    assert get(one(world, Fate.PAGE).url).text.startswith("<!DOCTYPE html>")
    assert get(one(world, Fate.PLACEHOLDER).url).url.endswith("/photo_unavailable.png")
    parked = [get(photo.url).content for photo in world.photos if photo.fate is Fate.PARKED]
    assert len(parked) == 12
    assert len(set(parked)) == 1


@pytest.mark.parametrize("fate", [Fate.CUT, Fate.RESET, Fate.REFUSED, Fate.NO_NAME, Fate.HANG])
def test_some_urls_bring_no_answer(world: World, fate: Fate) -> None:
    """The transfer fails, again and again."""
    for _ in range(2):
        with pytest.raises(requests.exceptions.RequestException):
            get(one(world, fate).url, timeout=0.6)


def test_the_boxes_are_packed_as_imagenet_does(world: World) -> None:
    """An archive for each category; the sky's has mostly other categories' pictures in it."""
    packed = archives(world)
    assert set(packed) == {f"{kind.value}.tar.gz" for kind in Kind}
    for name, members in packed.items():
        assert all(member.startswith(f"Annotation/{name[:9]}/n") for member in members)
    owners = [Path(member).name[:9] for member in packed["n09436708.tar.gz"]]
    assert 0 < owners.count("n09436708") < owners.count("n02110185")


def _box(item: ET.Element) -> Box:
    xmin, ymin, xmax, ymax = (int(side.text or "") for side in item.iterfind("bndbox/*"))
    return Box(item.findtext("name", ""), xmin, ymin, xmax, ymax)


def test_an_xml_tells_the_boxes_of_the_drawing(world: World) -> None:
    """Size, labels and corners are those that were drawn."""
    photo = next(photo for photo in world.photos if photo.annotated and len(photo.drawing.boxes) > 1)
    root = ET.fromstring(
        archives(world)[f"{photo.kind.value}.tar.gz"][f"Annotation/{photo.kind.value}/{photo.code}.xml"]
    )
    assert (root.findtext("folder"), root.findtext("filename")) == (photo.kind.value, photo.code)
    assert root.findtext("size/width") == str(photo.drawing.width)
    told = tuple(_box(item) for item in root.iterfind("object"))
    assert told == photo.drawing.boxes


def test_an_xml_is_imagenets_to_the_byte() -> None:
    """A real annotation, written anew from what it says, is the same file."""
    archive = SHARED / "annotation" / "n02110185.tar.gz"
    if not archive.exists():
        pytest.skip("ImageNet's real annotations are not on this machine.")
    real = unpacked(archive.read_bytes())["Annotation/n02110185/n02110185_10047.xml"]
    drawing = Drawing(b"", 333, 500, (Box("n02110185", 41, 147, 276, 386),))
    photo = Photo("n02110185_10047", Kind.HUSKY, Fate.ALIVE, "", drawing, b"", annotated=True)
    assert xml(photo).encode() == real


def test_the_verdict_finds_what_is_missing_and_what_is_wrong(world: World, tmp_path: Path) -> None:
    """Junk and missed pictures are told from a right result."""
    living, dead = one(world, Fate.ALIVE), one(world, Fate.GONE)
    folder = tmp_path / "cat"
    for name in ("Images", "Annotation"):
        (folder / name).mkdir(parents=True)
    lines = ["image_code,status,reason", f"{living.code},downloaded,", f"{dead.code},failed,http_410"]
    (folder / "cat_download_report.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    (missing,) = verdicts(tmp_path, world.photos)
    (folder / "Images" / f"{living.code}.jpg").write_bytes(living.served)
    (right,) = verdicts(tmp_path, world.photos)
    (folder / "Images" / f"{dead.code}.jpg").write_bytes(dead.served)
    (wrong,) = verdicts(tmp_path, world.photos)
    assert (missing.missed, missing.is_right) == (1, False)
    assert dataclasses.astuple(right)[1:] == (2, 1, 1, 0, 0, 0)
    assert right.is_right
    assert (wrong.junk, wrong.is_right) == (1, False)
