"""What is an image, and what is not: whole ones of six formats pass, everything else has its reason."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import GOOD, SIZE, encode, frames, paint, rejection, rotated_by_exif, run_length_bmp
from utils.images.validation import judge
from utils.models.enums import ImageFormat
from utils.models.images import Picture
from utils.reasons import Reason, Rejection

PROJECT = Path(__file__).resolve().parents[1]
REAL_PHOTOS = PROJECT.parent / "shared" / "data" / "photos"


@pytest.fixture(params=GOOD, name="good")
def good_image(request: pytest.FixtureRequest) -> bytes:
    """One of the good images, each in its turn."""
    return GOOD[request.param]()


@pytest.mark.parametrize("kind", GOOD)
def test_good(kind: str) -> None:
    """Every sort of a whole image passes as it is, whether or not something follows its end."""
    data = GOOD[kind]()
    for trailing in (b"", b"\0\0", b"<!-- served by -->" * 9):
        sent = data + trailing
        assert judge(sent, min_side=16, length_known=True) == Picture(
            ImageFormat(kind.split()[0]), *SIZE, len(sent), hashlib.sha256(sent).hexdigest()
        )


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_cut(good: bytes, share: float) -> None:
    """A cut image is corrupt; where the server did not say how long it is, it may be a passing cut."""
    cut = good[: int(len(good) * share)]
    assert rejection(cut).reason is Reason.CORRUPT
    assert rejection(cut, length_known=False).reason is Reason.TRUNCATED


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind not in ("bmp plain", "tiff pages")])
def test_last_byte_missing(kind: str) -> None:
    """Not even the last byte may be missing (two bytes of padding excepted, in some BMP and TIFF)."""
    assert rejection(GOOD[kind]()[:-1], length_known=False).reason is Reason.TRUNCATED


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind.startswith("jpg")])
def test_end_marker_glued_on(kind: str) -> None:
    """A half JPEG is found out though an end marker was glued on; it did not end early."""
    data = GOOD[kind]()
    glued = data[: len(data) * 6 // 10] + b"\xff\xd9"
    assert rejection(glued, length_known=False).reason is Reason.CORRUPT


def test_size_is_the_stored_one() -> None:
    """Width and height are those of the pixels as stored, though EXIF asks for a quarter turn."""
    judged = judge(rotated_by_exif(), min_side=16, length_known=True)
    assert isinstance(judged, Picture)
    assert (judged.width, judged.height) == SIZE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_too_small(kind: str) -> None:
    """The smaller side decides; exactly the limit is enough."""
    data = encode(kind, paint(500, 10))
    assert rejection(data, min_side=11).reason is Reason.TOO_SMALL
    assert isinstance(judge(data, min_side=10, length_known=True), Picture)
    assert rejection(encode(kind, paint(1, 1))).reason is Reason.TOO_SMALL
    assert isinstance(judge(encode(kind, paint(1, 1)), min_side=0, length_known=True), Picture)


def test_too_many_bytes() -> None:
    """More than 20 MB are refused, though they are an image."""
    assert rejection(encode("JPEG") + bytes(20_000_000)).reason is Reason.TOO_LARGE


def test_endless_scans() -> None:
    """A progressive JPEG of nothing but scans is refused before it keeps a worker for hours."""
    data = encode("JPEG", Image.new("RGB", (3_000, 3_000)), progressive=True)
    last_scan = data[data.rfind(b"\xff\xda") : -2]
    began = time.process_time()
    assert "scans" in rejection(data[:-2] + last_scan * 5_000 + data[-2:]).description
    assert time.process_time() - began < 0.5


def patched_jpeg(**options: object) -> bytes:
    """Make a whole JPEG with an Adobe marker from the future, which simplejpeg refuses."""
    data = bytearray(encode("JPEG", paint().convert("CMYK"), **options))
    data[data.find(b"Adobe") + 11] = 9
    return bytes(data)


def test_odd_jpeg() -> None:
    """A JPEG that is odd but whole passes by way of Pillow, and not if it is cut."""
    odd = patched_jpeg()
    assert isinstance(judge(odd, min_side=16, length_known=True), Picture)
    assert rejection(odd[: len(odd) // 2]).reason is Reason.CORRUPT
    assert rejection(odd[: len(odd) // 2], length_known=False).reason is Reason.TRUNCATED


SMALL = [encode(kind, paint(40, 30)) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")]
SMALL += [frames("GIF"), encode("JPEG", paint(40, 30), progressive=True), run_length_bmp()]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=6),
    st.booleans(),
)
def test_any_bytes(data: bytes, spoilt: list[tuple[float, bytes]], length_known: bool) -> None:
    """No bytes, however spoilt, lead to an exception or a warning."""
    changed = bytearray(data)
    for share, noise in spoilt:
        place = int(share * len(changed))
        changed[place : place + len(noise)] = noise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judged = judge(bytes(changed), min_side=1, length_known=length_known)
    assert isinstance(judged, (Picture, Rejection))


def test_pillow_only_when_needed() -> None:
    """Judging JPEGs does not load Pillow, and importing the module loads no decoder at all."""
    program = (
        "import sys; from utils.images.validation import judge;"
        "assert not {'PIL', 'numpy'} & set(sys.modules);"
        "print(judge(sys.stdin.buffer.read(), min_side=16, length_known=True));"
        "assert 'PIL' not in sys.modules"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], input=encode("JPEG"), cwd=PROJECT, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(b"Picture")


def test_large_webp_is_cheap() -> None:
    """A WebP of 18 megapixels passes without the 300 MB that decoding it would take; a cut one does not."""
    resource = pytest.importorskip("resource")
    data = encode("WEBP", Image.new("RGB", (6_000, 3_000)), method=0, quality=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(judge(data, min_side=16, length_known=True), Picture)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert rejection(data[:-9]).reason is Reason.CORRUPT


def test_real_photos() -> None:
    """Real photographs all pass; cut, patched up or with a hole of 2 KB nearly none does."""
    photos = [path.read_bytes() for path in REAL_PHOTOS.glob("*.JPEG")]
    if not photos:
        pytest.skip("the real photographs are not there")
    for photo in photos:
        assert isinstance(judge(photo, min_side=16, length_known=True), Picture)
        cut = photo[: len(photo) * 6 // 10]
        assert rejection(cut).reason is Reason.CORRUPT
        assert rejection(cut + b"\xff\xd9").reason is Reason.CORRUPT
    holed = [photo[: (half := len(photo) // 2)] + bytes(2048) + photo[half + 2048 :] for photo in photos]
    found_out = [isinstance(judge(photo, min_side=16, length_known=True), Rejection) for photo in holed]
    assert sum(found_out) >= 0.9 * len(photos)


def test_tiff_is_mute(capfd: pytest.CaptureFixture[str]) -> None:
    """What libtiff has to say of a damaged TIFF does not reach the terminal, and what follows does."""
    data = bytearray(GOOD["tiff JPEG"]())
    at = data.find(b"\xff\xda")
    data[at + 2 : at + 12] = b"\xff" * 10
    rejection(bytes(data))
    print("heard", file=sys.stderr)
    assert capfd.readouterr().err == "heard\n"
