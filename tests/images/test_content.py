"""Which content is saved and which is rejected, in one run against a real server."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from demo import pictures as drawn
from demo.answers import Answer, Length
from demo.web import Web
from tests.pictures import GOOD, accepted, encode, paint
from tests.project import Project

RED = "n00000001"
JPEG = encode("JPEG", paint(300, 200))
HALF = JPEG[: len(JPEG) // 2]


def png_that_claims(width: int, height: int) -> bytes:
    """Encode a PNG with the given size in its header and hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def with_gap(data: bytes) -> bytes:
    """Overwrite 2 KB in the middle with zeros."""
    middle = len(data) // 2
    return data[:middle] + bytes(2048) + data[middle + 2048 :]


def image(data: bytes) -> Answer:
    """Return a response with this body, declared as JPEG."""
    return Answer(body=data)


REJECTED: dict[str, dict[str, Answer]] = {
    "corrupt": {
        "truncated at 99 %": image(JPEG[: len(JPEG) * 99 // 100]),
        "a gap": image(with_gap(encode("JPEG", paint(600, 400), quality=95))),
        "half, with an end marker appended": image(HALF + b"\xff\xd9"),
        "truncated png": image(encode("PNG")[:-20]),
        "truncated gif": image(GOOD["gif animated"]()[:-20]),
    },
    "truncated": {
        "truncated, without Content-Length": Answer(body=JPEG[: len(JPEG) * 8 // 10], length=Length.OMITTED),
        "shorter than Content-Length": Answer(body=JPEG, cut=len(JPEG) // 3),
        "chunked encoding without the last chunk": Answer(body=JPEG, chunked=True, cut=len(JPEG) // 3),
    },
    "too_large": {
        "20,000 x 20,000 pixels in a few bytes": image(png_that_claims(20_000, 20_000)),
        "endless": Answer(body=JPEG, endless=True),
        "a gzip bomb": Answer(body=bytes(30_000_000), gzip=True),
    },
    "too_small": {
        "1 x 1": image(encode("PNG", paint(1, 1))),
        "10 x 500": image(encode("JPEG", paint(500, 10))),
    },
    "not_an_image": {
        "HTML as image/jpeg": image(b"<!DOCTYPE html><html><title>parked</title></html>"),
        "empty": image(b""),
        "204": Answer(status=204),
        "SVG": image(b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'),
        "HEIC": image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)),
        "PSD": image(b"8BPS\0\1" + bytes(200)),
        "EPS": image(encode("EPS")),
        "PDF": image(encode("PDF")),
        "ICO": image(encode("ICO")),
    },
    "placeholder": {
        "Flickr's": Answer.redirect("/pw/images/en-us/photo_unavailable.png"),
    },
    "opted_out": {
        "noai": Answer(body=drawn.jpeg(seed=70), headers=("X-Robots-Tag: noai",)),
        "noindex among others": Answer(
            body=drawn.jpeg(seed=71), headers=("X-Robots-Tag: nofollow, noindex",)
        ),
    },
}
SAVED: dict[str, Answer] = {
    **{name: image(make()) for name, make in GOOD.items()},
    "trailing junk": image(drawn.jpeg(seed=50) + b"<script>"),
    "a JPEG as text/html": Answer(body=drawn.jpeg(seed=51), content_type="text/html"),
    "a gzipped JPEG": Answer(body=drawn.jpeg(seed=52), gzip=True),
    "opted out, but for another bot": Answer(
        body=drawn.jpeg(seed=53), headers=("X-Robots-Tag: otherbot: noai, noindex",)
    ),
    "behind redirects": Answer.redirect("/final"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Run the script once over all cases; return the rows of the report by name of the case."""
    project = Project(tmp_path_factory.mktemp("content"))
    project.category(RED, "red")
    cases = {name: answer for answers in REJECTED.values() for name, answer in answers.items()} | SAVED
    with Web() as web:
        web.answer("/pw/images/en-us/photo_unavailable.png", Answer(body=encode("PNG")))
        web.answer("/final", Answer(body=drawn.jpeg(seed=54)))
        for number, answer in enumerate(cases.values()):
            web.answer(f"/{number}.jpg", answer)
            project.url(f"{RED}_{number}", web.url(f"/{number}.jpg"))
        finished = project.run("--retries", "0")
    assert finished.code == 0, finished.err
    assert "Traceback" not in finished.err
    by_code = {row["image_code"]: row for row in project.report("red")}
    return {
        name: by_code[f"{RED}_{number}"] | {"root": str(project.result)} for number, name in enumerate(cases)
    }


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, cases in REJECTED.items() for name in cases]
)
def test_rejected(rows: dict[str, dict[str, str]], reason: str, name: str) -> None:
    """Content that is not a complete image, or opted out, is rejected with its reason and not saved."""
    assert (rows[name]["status"], rows[name]["reason"]) == ("failed", reason), rows[name]["description"]
    assert rows[name]["description"].endswith(".")
    assert not rows[name]["file"]


@pytest.mark.parametrize("name", list(SAVED))
def test_saved(rows: dict[str, dict[str, str]], name: str) -> None:
    """Images of all formats are saved byte for byte, with the extension of their format."""
    row = rows[name]
    assert row["status"] == "downloaded", (row["reason"], row["description"])
    path = Path(row["root"]) / "red" / row["file"]
    picture = accepted(path.read_bytes())
    assert (picture.sha256, picture.format.value) == (row["sha256"], row["format"])
    assert path.suffix == f".{row['format']}"
    assert (row["width"], row["height"]) == (str(picture.width), str(picture.height))


def test_exif_orientation(rows: dict[str, dict[str, str]]) -> None:
    """The size of an image with an EXIF orientation is that of the stored pixels, to which boxes refer."""
    row = rows["jpg rotated"]
    assert (row["width"], row["height"]) == ("120", "90")


@pytest.mark.alone
def test_duplicates_from_several_hosts(project: Project) -> None:
    """The same image from three hosts is saved three times, with equal hashes in the report."""
    project.category(RED, "red")
    with Web() as one, Web() as two, Web() as three:
        for number, web in enumerate((one, two, three)):
            web.answer("/same", Answer(body=drawn.jpeg(seed=1)))
            project.url(f"{RED}_{number}", web.url("/same"))
        assert project.run().code == 0
    assert len({row["sha256"] for row in project.report("red")}) == 1
    assert len(project.images("red")) == 3


@pytest.mark.alone
def test_few_duplicates_from_a_large_host(project: Project, web: Web) -> None:
    """Three equal images among forty from one host are saved: they are less than a tenth."""
    project.category(RED, "red")
    for number in range(40):
        web.answer(f"/{number}", Answer(body=drawn.jpeg(seed=max(2, number))))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    assert project.run().code == 0
    assert len(project.images("red")) == 40
