"""The demo's web: pictures, boxes, URL list, archives, and the comparison with a result folder."""

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

from demo.comparison import compare
from demo.demo_web import BEHAVIOURS, DemoWeb
from demo.input_files import annotation_xml
from demo.photos import Behaviour, Photo
from demo.pictures import (
    BODY,
    CARTON,
    CLOUD,
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
from utils.models.images import Box

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def demo_web() -> Iterator[DemoWeb]:
    """Start the demo's web, once for all tests."""
    with DemoWeb() as web:
        yield web


def first(demo_web: DemoWeb, behaviour: Behaviour) -> Photo:
    """Return the first photo with a behaviour."""
    return next(photo for photo in demo_web.photos if photo.behaviour is behaviour)


def get(url: str, timeout: float = 10) -> requests.Response:
    """Send a GET request."""
    return requests.get(url, timeout=timeout)


def archives(demo_web: DemoWeb) -> dict[str, dict[str, bytes]]:
    """Download the annotation archives; return their members by archive and name."""
    outer = unpacked(get(demo_web.annotations_source).content)
    return {name: unpacked(data) for name, data in outer.items()}


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the members of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in members.items() if file}


@pytest.mark.parametrize("kind", Kind)
def test_drawing_is_deterministic(kind: Kind) -> None:
    """The same seed gives the same bytes, independent of global state; another seed gives other bytes."""
    drawing = draw(kind, 1, (500, 375))
    random.seed(random.random())
    assert draw(kind, 1, (500, 375)) == drawing
    assert draw(kind, 2, (500, 375)) != drawing
    assert 8_000 < len(drawing.jpeg) < 60_000


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (400, 300)])
def test_boxes_are_inside_the_picture(kind: Kind, size: tuple[int, int]) -> None:
    """Every picture has a box of its kind, and every box has an area inside the picture."""
    for seed in range(10):
        drawing = draw(kind, seed, size)
        with Image.open(io.BytesIO(drawing.jpeg)) as picture:
            assert picture.size == (drawing.width, drawing.height) == size
        assert kind.value in {box.label for box in drawing.boxes}
        for box in drawing.boxes:
            assert 0 <= box.xmin < box.xmax < drawing.width
            assert 0 <= box.ymin < box.ymax < drawing.height


@pytest.mark.parametrize("figure", [CARTON, HUSKY, CUP, SLED, CLOUD])
def test_figure_touches_all_sides_of_its_frame(figure: Figure) -> None:
    """A figure fills its frame, so that the frame is its box."""
    across = [x for part in figure.parts for x in part.corners[::2]]
    down = [y for part in figure.parts for y in part.corners[1::2]]
    assert (min(across), max(across), min(down), max(down)) == (0, 1, 0, 1)
    assert BODY in {part.colour for part in figure.parts}


def test_images() -> None:
    """Images have the given format, mode and size; another seed gives other bytes."""
    with Image.open(io.BytesIO(image("PNG", width=30, height=20, mode="LA"))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "LA", (30, 20))
    with Image.open(io.BytesIO(resized(jpeg(40, 30), (20, 30)))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (20, 30))
    assert jpeg(seed=1) == jpeg(seed=1) != jpeg(seed=2)


def test_url_list(demo_web: DemoWeb) -> None:
    """The URL list is a zip of one text file: image code, tab, URL, sorted by category."""
    with zipfile.ZipFile(io.BytesIO(get(demo_web.urls_source).content)) as archive:
        (name,) = archive.namelist()
        lines = archive.read(name).decode().splitlines()
    assert lines == sorted(lines, key=lambda line: line[:9])
    assert [line.split("\t") for line in lines] == [[photo.code, photo.url] for photo in demo_web.photos]
    assert (
        len({photo.url for photo in demo_web.photos}) == len({photo.code for photo in demo_web.photos}) == 320
    )


def test_behaviours(demo_web: DemoWeb) -> None:
    """Every category has all behaviours, and 55 to 60 % of its URLs are alive."""
    for kind in Kind:
        found = [photo.behaviour for photo in demo_web.photos if photo.kind is kind]
        assert set(found) == set(Behaviour)
        assert 0.55 <= sum(behaviour.is_alive for behaviour in found) / len(found) <= 0.6
        assert len(found) == sum(BEHAVIOURS.values())


@pytest.mark.parametrize(
    ("behaviour", "statuses"),
    [
        (Behaviour.ALIVE, [200]),
        (Behaviour.OTHER_SCALE, [200]),
        (Behaviour.OTHER_SHAPE, [200]),
        (Behaviour.BUSY, [429, 200]),
        (Behaviour.UNAVAILABLE, [503, 200]),
    ],
)
def test_alive_urls_deliver_their_picture(
    demo_web: DemoWeb, behaviour: Behaviour, statuses: list[int]
) -> None:
    """The picture arrives at the first or second attempt, in the size of the behaviour."""
    photo = first(demo_web, behaviour)
    responses = [get(photo.url) for _ in statuses]
    assert [response.status_code for response in responses] == statuses
    assert responses[-1].content == photo.served
    with Image.open(io.BytesIO(photo.served)) as picture:
        scale = picture.width / photo.drawing.width
        assert scale == (2 if behaviour is Behaviour.OTHER_SCALE else 1)
        assert (picture.height == photo.drawing.height * scale) is (behaviour is not Behaviour.OTHER_SHAPE)


def test_dead_urls_deliver_something_else(demo_web: DemoWeb) -> None:
    """A response with status 200 is no picture, or the same picture for all URLs."""
    assert get(first(demo_web, Behaviour.NOT_FOUND).url).status_code == 404
    assert get(first(demo_web, Behaviour.GONE).url).status_code == 410
    assert get(first(demo_web, Behaviour.PAGE).url).text.startswith("<!DOCTYPE html>")
    assert get(first(demo_web, Behaviour.PLACEHOLDER).url).url.endswith("/photo_unavailable.png")
    parked = [get(photo.url).content for photo in demo_web.photos if photo.behaviour is Behaviour.PARKED]
    assert len(parked) == 12
    assert len(set(parked)) == 1


@pytest.mark.parametrize(
    "behaviour", [Behaviour.CUT, Behaviour.RESET, Behaviour.REFUSED, Behaviour.NO_NAME, Behaviour.HANG]
)
def test_failing_connections(demo_web: DemoWeb, behaviour: Behaviour) -> None:
    """The transfer fails repeatedly."""
    for _ in range(2):
        with pytest.raises(requests.exceptions.RequestException):
            get(first(demo_web, behaviour).url, timeout=0.6)


def test_annotation_archives(demo_web: DemoWeb) -> None:
    """Each category has an archive; that of the sky has mostly pictures of other categories."""
    found = archives(demo_web)
    assert set(found) == {f"{kind.value}.tar.gz" for kind in Kind}
    for name, members in found.items():
        assert all(member.startswith(f"Annotation/{name[:9]}/n") for member in members)
    owners = [Path(member).name[:9] for member in found["n09436708.tar.gz"]]
    assert 0 < owners.count("n09436708") < owners.count("n02110185")


def _box(item: ET.Element) -> Box:
    xmin, ymin, xmax, ymax = (int(side.text or "") for side in item.iterfind("bndbox/*"))
    return Box(item.findtext("name", ""), xmin, ymin, xmax, ymax)


def test_xml_has_the_boxes_of_the_drawing(demo_web: DemoWeb) -> None:
    """Size, labels and corners are those of the drawing."""
    photo = next(photo for photo in demo_web.photos if photo.annotated and len(photo.drawing.boxes) > 1)
    root = ET.fromstring(
        archives(demo_web)[f"{photo.kind.value}.tar.gz"][f"Annotation/{photo.kind.value}/{photo.code}.xml"]
    )
    assert (root.findtext("folder"), root.findtext("filename")) == (photo.kind.value, photo.code)
    assert root.findtext("size/width") == str(photo.drawing.width)
    assert tuple(_box(item) for item in root.iterfind("object")) == photo.drawing.boxes


def test_xml_has_the_bytes_of_imagenet() -> None:
    """A real annotation, written from its values, is the same file."""
    archive = SHARED / "annotation" / "n02110185.tar.gz"
    if not archive.exists():
        pytest.skip("ImageNet's annotations are not on this machine")
    real = unpacked(archive.read_bytes())["Annotation/n02110185/n02110185_10047.xml"]
    drawing = Drawing(b"", 333, 500, (Box("n02110185", 41, 147, 276, 386),))
    photo = Photo("n02110185_10047", Kind.HUSKY, Behaviour.ALIVE, "", drawing, b"", annotated=True)
    assert annotation_xml(photo.code, photo.kind, photo.drawing).encode() == real


def test_comparison(demo_web: DemoWeb, tmp_path: Path) -> None:
    """Missed pictures and junk are found in a result folder."""
    alive, dead = first(demo_web, Behaviour.ALIVE), first(demo_web, Behaviour.GONE)
    folder = tmp_path / "cat"
    for name in ("Images", "Annotation"):
        (folder / name).mkdir(parents=True)
    lines = ["image_code,status,reason", f"{alive.code},downloaded,", f"{dead.code},failed,http_410"]
    (folder / "cat_download_report.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    (missing,) = compare(tmp_path, demo_web.photos)
    (folder / "Images" / f"{alive.code}.jpg").write_bytes(alive.served)
    (right,) = compare(tmp_path, demo_web.photos)
    (folder / "Images" / f"{dead.code}.jpg").write_bytes(dead.served)
    (wrong,) = compare(tmp_path, demo_web.photos)
    assert (missing.missed, missing.is_right) == (1, False)
    assert dataclasses.astuple(right)[1:] == (2, 1, 1, 0, 0, 0)
    assert right.is_right
    assert (wrong.junk, wrong.is_right) == (1, False)
