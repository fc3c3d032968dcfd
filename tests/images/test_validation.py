"""Complete images of six formats are accepted, everything else is rejected with a reason."""

from __future__ import annotations

import hashlib
import itertools
import random
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import (
    GOOD,
    SIZE,
    accepted,
    encode,
    frames,
    paint,
    rejection,
    rotated_by_exif,
    run_length_bmp,
)
from utils.images import structure
from utils.images.validation import validate
from utils.models.images import ImageFormat, Picture
from utils.reasons import Reason, Rejection

PROJECT = Path(__file__).resolve().parents[2]
REAL_PHOTOS = PROJECT.parent / "shared" / "data" / "photos"


@pytest.fixture(params=GOOD, name="good")
def good_image(request: pytest.FixtureRequest) -> bytes:
    """Return each of the good images."""
    return GOOD[request.param]()


@pytest.mark.parametrize("kind", GOOD)
def test_good(kind: str) -> None:
    """A complete image is accepted, with or without data after its end."""
    data = GOOD[kind]()
    for trailing in (b"", b"\0\0", b"<!-- served by -->" * 9):
        sent = data + trailing
        assert validate(sent, min_side=16, length_known=True) == Picture(
            ImageFormat(kind.split()[0]), *SIZE, len(sent), hashlib.sha256(sent).hexdigest()
        )


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncated(good: bytes, share: float) -> None:
    """A truncated image is corrupt, or truncated in transfer if its length was not stated."""
    truncated = good[: int(len(good) * share)]
    assert rejection(truncated).reason is Reason.CORRUPT
    assert rejection(truncated, length_known=False).reason is Reason.TRUNCATED


NEEDLESS_LAST_BYTE = ("bmp plain", "tiff pages", "gif plain", "gif animated")


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind not in NEEDLESS_LAST_BYTE])
def test_last_byte_missing(kind: str) -> None:
    """A single missing byte is detected (except padding in some BMP and TIFF, and the trailer of a GIF)."""
    assert rejection(GOOD[kind]()[:-1], length_known=False).reason is Reason.TRUNCATED


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind.startswith("jpg")])
def test_appended_end_marker(kind: str) -> None:
    """Half a JPEG with an end marker appended is corrupt, but not truncated."""
    data = GOOD[kind]()
    patched = data[: len(data) * 6 // 10] + b"\xff\xd9"
    assert rejection(patched, length_known=False).reason is Reason.CORRUPT


@pytest.mark.parametrize("kind", ["gif plain", "gif animated"])
@pytest.mark.parametrize("trailer", [b"", b"\0", bytes(99)])
def test_gif_without_trailer(kind: str, trailer: bytes) -> None:
    """A GIF may lack its trailer, or have a zero in its place, if all its frames are whole."""
    data = GOOD[kind]()
    assert accepted(data[:-1] + trailer).bytes == len(data) - 1 + len(trailer)
    for lost in range(9, 600, 7):
        assert rejection(data[:-lost] + trailer).reason is Reason.CORRUPT
        assert rejection(data[:-lost] + bytes(300)).reason is Reason.CORRUPT


def stray_bytes(progressive: bool) -> dict[str, bytes]:
    """Return a JPEG with bytes that belong to no segment, by their kind."""
    data = encode("JPEG", paint(600, 400), progressive=progressive, restart_marker_rows=7)
    places = enumerate(one.begin for one in itertools.islice(structure.jpeg_segments(data), 1, 4))
    strays = {"zeros": bytes(3), "text": b"<!-- -->", "stuffed": b"\xff\0\xff\0", "padded": b"\0\xff\xff"}
    return {
        **{
            f"{name} before segment {number}": data[:at] + stray + data[at:]
            for number, at in places
            for name, stray in strays.items()
        },
        **{f"{count} zeros": data[:-2] + bytes(count) + data[-2:] for count in (1, 9, 300, 5_000)},
        "both": data[:20] + b"abc" + data[20:-2] + bytes(99) + data[-2:],
        "zeros and padding": data[:-2] + bytes(99) + b"\xff\xff" + data[-2:],
        "zeros after a stuffed byte": stuffed_end(progressive) + bytes(99) + data[-2:],
    }


def stuffed_end(progressive: bool) -> bytes:
    """Return a JPEG without its end marker, whose last compressed byte is 0xFF, followed by a zero."""
    noise = random.Random(3)
    while True:
        picture = Image.frombytes("L", (16, 16), noise.randbytes(256))
        data = encode("JPEG", picture, progressive=progressive)[:-2]
        if data.endswith(b"\xff\0"):
            return data


@pytest.mark.parametrize("progressive", [False, True])
def test_stray_bytes_in_a_jpeg(progressive: bool) -> None:
    """A JPEG may have bytes between the segments of its header, and zeros before its end marker."""
    for kind, data in stray_bytes(progressive).items():
        assert accepted(data).bytes == len(data), kind


@pytest.mark.parametrize("parts", [b"\x01\x05", b"\0\x01", b"\x02\x01", b"\xff\xff", b""])
@pytest.mark.parametrize("copies", [1, 2])
def test_broken_colour_profile(parts: bytes, copies: int) -> None:
    """An incomplete or repeated profile does not matter; a truncated JPEG with one is corrupt."""
    content = b"ICC_PROFILE\0" + parts + b"abcd" * bool(parts)
    data = encode("JPEG", paint(600, 400))
    start = data[:2] + (b"\xff\xe2" + struct.pack(">H", 2 + len(content)) + content) * copies
    assert accepted(start + data[2:]).bytes == len(start + data[2:])
    assert rejection(start + data[2:-900]).reason is Reason.CORRUPT


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("hole", [2, 5, 100, 2_048, 9_000])
def test_zeros_in_place_of_data(progressive: bool, hole: int) -> None:
    """A JPEG with zeros in place of the last compressed data is corrupt."""
    data = encode("JPEG", paint(600, 400), progressive=progressive, quality=90)
    for further in (0, 1, 99):
        assert rejection(data[: -2 - hole] + bytes(hole + further) + data[-2:]).reason is Reason.CORRUPT


def test_exif_orientation() -> None:
    """Width and height are those of the stored pixels; the EXIF orientation is ignored."""
    picture = accepted(rotated_by_exif())
    assert (picture.width, picture.height) == SIZE


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_orientation(orientation: int, compression: str) -> None:
    """Width and height of a TIFF are those of the stored pixels, too, although Pillow rotates it."""
    picture = accepted(encode("TIFF", compression=compression, tiffinfo={274: orientation}))
    assert (picture.width, picture.height) == SIZE


def test_tiff_with_unreadable_metadata() -> None:
    """Metadata of a TIFF do not matter: EXIF fields behind the end of the file, XMP with an orientation."""
    xmp = b'<x tiff:Orientation="6"/>'
    data = encode("TIFF", tiffinfo={700: xmp, 34665: 0xFFFFFF, 34853: 0xFFFFFF})
    picture = accepted(data)
    assert (picture.width, picture.height) == SIZE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_too_small(kind: str) -> None:
    """An image is rejected if its smaller side is below the minimum."""
    data = encode(kind, paint(500, 10))
    assert rejection(data, min_side=11).reason is Reason.TOO_SMALL
    accepted(data, min_side=10)
    assert rejection(encode(kind, paint(1, 1))).reason is Reason.TOO_SMALL
    accepted(encode(kind, paint(1, 1)), min_side=0)


def test_too_many_bytes() -> None:
    """An image of more than 20 MB is rejected."""
    assert rejection(encode("JPEG") + bytes(20_000_000)).reason is Reason.TOO_LARGE


def test_too_many_scans() -> None:
    """A progressive JPEG of thousands of scans is rejected; decoding it would take hours."""
    data = encode("JPEG", Image.new("RGB", (3_000, 3_000)), progressive=True)
    last_scan = data[data.rfind(b"\xff\xda") : -2]
    assert "scans" in rejection(data[:-2] + last_scan * 5_000 + data[-2:]).description


def unusual_jpeg() -> bytes:
    """Return a valid JPEG that simplejpeg does not support, with an unknown version of the Adobe marker."""
    data = bytearray(encode("JPEG", paint().convert("CMYK")))
    data[data.find(b"Adobe") + 11] = 9
    return bytes(data)


def test_unusual_jpeg() -> None:
    """A JPEG that simplejpeg does not support is decoded by Pillow, and rejected if truncated."""
    data = unusual_jpeg()
    accepted(data)
    assert rejection(data[: len(data) // 2]).reason is Reason.CORRUPT
    assert rejection(data[: len(data) // 2], length_known=False).reason is Reason.TRUNCATED


SMALL = [encode(kind, paint(40, 30)) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")]
SMALL += [frames("GIF"), encode("JPEG", paint(40, 30), progressive=True), run_length_bmp()]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=6),
    st.booleans(),
)
def test_any_bytes(data: bytes, changes: list[tuple[float, bytes]], length_known: bool) -> None:
    """Damaged data never raises an exception or a warning."""
    changed = bytearray(data)
    for share, noise in changes:
        offset = int(share * len(changed))
        changed[offset : offset + len(noise)] = noise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = validate(bytes(changed), min_side=1, length_known=length_known)
    assert isinstance(result, (Picture, Rejection))


def test_decoders_load_on_demand() -> None:
    """Importing the module loads no decoder, and validating a JPEG does not load Pillow."""
    program = (
        "import sys; from utils.images.validation import validate;"
        "assert not {'PIL', 'numpy'} & set(sys.modules);"
        "print(validate(sys.stdin.buffer.read(), min_side=16, length_known=True));"
        "assert 'PIL' not in sys.modules"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], input=encode("JPEG"), cwd=PROJECT, capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(b"Picture")


def test_large_webp_is_not_decoded() -> None:
    """A WebP of 18 megapixels is accepted without the 300 MB of decoding, and rejected if truncated."""
    resource = pytest.importorskip("resource")
    data = encode("WEBP", Image.new("RGB", (6_000, 3_000)), method=0, quality=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert rejection(data[:-9]).reason is Reason.CORRUPT


def test_real_photos() -> None:
    """Real photographs are accepted; truncated or with a gap of 2 KB, nearly all are rejected."""
    photos = [path.read_bytes() for path in REAL_PHOTOS.glob("*.JPEG")]
    if not photos:
        pytest.skip("the real photographs are not there")
    for photo in photos:
        accepted(photo)
        truncated = photo[: len(photo) * 6 // 10]
        assert rejection(truncated).reason is Reason.CORRUPT
        assert rejection(truncated + b"\xff\xd9").reason is Reason.CORRUPT
    gapped = [photo[: (half := len(photo) // 2)] + bytes(2048) + photo[half + 2048 :] for photo in photos]
    rejected = [isinstance(validate(photo, min_side=16, length_known=True), Rejection) for photo in gapped]
    assert sum(rejected) >= 0.9 * len(photos)


def test_libtiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of libtiff about a damaged TIFF are suppressed, later messages are not."""
    data = bytearray(GOOD["tiff JPEG"]())
    offset = data.find(b"\xff\xda")
    data[offset + 2 : offset + 12] = b"\xff" * 10
    rejection(bytes(data))
    print("later", file=sys.stderr)
    assert capfd.readouterr().err == "later\n"
