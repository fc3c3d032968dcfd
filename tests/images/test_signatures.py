"""Detection of formats by the first bytes."""

from __future__ import annotations

import random

import pytest

from tests.pictures import encode, paint, rejection
from utils.reasons import Reason

OTHERS = {
    b"": "nothing at all",
    b"<!DOCTYPE html><html><body>Photo unavailable": "HTML",
    b"\n\n <!-- parked --> <HTML>": "HTML",
    b"<!-- a - b -- c ->--> \n<!----><html>": "HTML",
    b"<!---->" * 60 + b"!": "plain text",
    b"\xef\xbb\xbf<html>": "HTML",
    b'<?xml version="1.0"?>\n<!-- Inkscape -->\n<svg xmlns="x">': "SVG",
    b"<svg>": "SVG",
    b'<?xml version="1.0"?><rss>': "XML",
    b"%PDF-1.7\n": "PDF",
    b"%!PS-Adobe-3.0 EPSF-3.0": "PostScript",
    b"8BPS\0\1": "Photoshop",
    b"\0\0\0\x18ftypheic": "HEIC",
    b"\0\0\0\x1cftypavif": "AVIF",
    b"\0\0\0\x1cftypisom": "video",
    b"\0\0\1\0\1\0\x10\x10": "icon",
    b"RIFF\x24\0\0\0WAVEfmt ": "sound",
    b"II*\0\x10\0\0\0CR\2\0": "raw",
    b"PK\3\4": "archive",
    b'{"error": 404}': "JSON",
    b"Not found.\n": "plain text",
    b"BM is how this text begins, and it goes on": "plain text",
    b"\xff\xd9\xff\xd8 reversed": "ff d9 ff d8",
}


@pytest.mark.parametrize("data", OTHERS)
def test_other_content(data: bytes) -> None:
    """Data in none of the six formats is rejected, and the description names what it is."""
    found = rejection(data, length_known=False)
    assert found.reason is Reason.NOT_AN_IMAGE
    assert OTHERS[data] in found.description


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "JPEG2000", "EPS", "PCX", "ICNS"])
def test_formats_not_accepted(kind: str) -> None:
    """Formats that Pillow can read, but that are not accepted, are rejected."""
    assert rejection(encode(kind, paint(64, 64))).reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("signature", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0*"])
@pytest.mark.parametrize("rest", [b"", bytes(40), b"\xff" * 400, b"<html>" * 40])
def test_signature_only(signature: bytes, rest: bytes) -> None:
    """A signature followed by invalid data is rejected as damaged or too large."""
    assert rejection(signature + rest).reason in (Reason.CORRUPT, Reason.TOO_LARGE)


def test_signature_and_random_bytes() -> None:
    """A signature followed by random bytes is rejected."""
    noise = random.Random(7)
    for signature in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8 "):
        for _ in range(30):
            rejection(signature + noise.randbytes(300))
