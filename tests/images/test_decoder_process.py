"""Images that take long are decoded in a process whose CPU time is limited."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.images.test_bombs import jpeg
from tests.pictures import GOOD, SIZE, accepted, encode, rejection, run_length_bmp, slow_bmp
from utils.images import decoder_process, decoding
from utils.images.structure import DamagedError, Size
from utils.models.images import ImageFormat
from utils.reasons import Reason

BMP = run_length_bmp()
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit CPU time")


def decode(data: bytes = BMP) -> Size:
    """Decode a BMP in a process."""
    return decoder_process.decode(ImageFormat.BMP, data, Size(*SIZE), lambda: None)


@pytest.mark.parametrize("kind", ["jpg progressive", "tiff LZW"])
def test_same_result(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process accepts and rejects the same images as the decoder itself."""
    data = GOOD[kind]()
    picture = accepted(data)
    monkeypatch.setattr(decoding, "is_quick", lambda *_: False)
    assert accepted(data) == picture
    assert rejection(data[: len(data) // 2], length_known=False).reason is Reason.TRUNCATED


def test_slow_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that takes too much CPU time is corrupt; a process of its own decodes it."""
    monkeypatch.setattr(decoder_process, "CPU_SECONDS", 1)
    found = rejection(slow_bmp())
    assert (found.reason, found.description) == (Reason.CORRUPT, "a damaged BMP: decoding takes too long")


@pytest.mark.parametrize(
    ("death", "error"),
    [
        ("os.abort()", DamagedError),
        ("os.kill(os.getpid(), 9)", MemoryError),
        ("raise ImportError", MemoryError),
    ],
)
def test_death_of_the_process(death: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that crashes its decoder is damaged; if the process was killed, it may be valid."""
    command = [sys.executable, "-c", f"import os, resource; resource.setrlimit(4, (0, 0)); {death}"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    monkeypatch.setattr(decoder_process, "_start", start)
    with pytest.raises(error):
        decode(BMP + bytes(1_000_000))


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the machine has no room for a process, the image may be valid."""

    def fail() -> subprocess.Popen[bytes]:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(decoder_process, "_start", fail)
    with pytest.raises(MemoryError):
        decode()


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception while waiting ends the process."""
    started: list[subprocess.Popen[bytes]] = []
    start = decoder_process._start

    def recorded() -> subprocess.Popen[bytes]:
        started.append(start())
        return started[0]

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(decoder_process, "_start", recorded)
    with pytest.raises(KeyboardInterrupt):
        decoder_process.decode(ImageFormat.BMP, slow_bmp(), Size(2_500, 2_000), interrupt)
    assert started[0].returncode == -9


@pytest.mark.parametrize(
    ("image_format", "data", "pixels", "quick"),
    [
        (ImageFormat.JPEG, encode("JPEG"), 50_000_000, True),
        (ImageFormat.JPEG, encode("JPEG", progressive=True), 50_000_000, True),
        (ImageFormat.JPEG, jpeg(0xC2, 15), 50_000_000, False),
        (ImageFormat.PNG, encode("PNG"), 10_000_000, True),
        (ImageFormat.PNG, encode("PNG"), 20_000_000, False),
        (ImageFormat.TIFF, encode("TIFF"), 20_000_000, False),
        (ImageFormat.WEBP, encode("WEBP"), 50_000_000, True),
        (ImageFormat.BMP, encode("BMP"), 10_000_000, True),
        (ImageFormat.BMP, run_length_bmp(), 1_000, False),
    ],
)
def test_quick(image_format: ImageFormat, data: bytes, pixels: int, quick: bool) -> None:
    """Nearly all images are decoded at once; large ones, if they have to be decoded, in a process."""
    assert decoding.is_quick(image_format, data, Size(pixels // 1_000, 1_000)) is quick
