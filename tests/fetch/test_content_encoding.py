"""Bodies that are compressed, or only said to be."""

from __future__ import annotations

import gzip
import zlib

import pytest

from demo.web import Answer, Web
from tests.fetching import fetch_body, fetch_error
from tests.pictures import encode
from utils.fetch.content_encoding import MAX_CODINGS, decode
from utils.models.http_defaults import MAX_IMAGE_BYTES
from utils.reasons import Reason

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400
PACKED = gzip.compress(PICTURE)
RAW_DEFLATE = zlib.compress(PICTURE)[2:-4]


def without_bytes(value: object) -> str:
    """Name a parameter in the name of a test."""
    return "body" if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize(
    "coding", ["UTF-8", "binary", "image/jpeg", "aws-chunked", "identity", "none", "", "br", "jpg, , utf-8"]
)
def test_names_of_no_coding(web: Web, coding: str) -> None:
    """The body is taken as it is."""
    web.answer("/x", Answer(body=PICTURE, headers=(f"Content-Encoding: {coding}",)))
    assert fetch_body(web.url("/x")).data == PICTURE


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PACKED, ["gzip"]),
        (PACKED, ["X-GZIP"]),
        (PACKED + bytes(512), ["gzip"]),
        (PACKED + b"\r\n<!-- 3 queries -->", ["gzip"]),
        (PACKED + PACKED, ["gzip"]),
        (zlib.compress(PICTURE), ["deflate"]),
        (RAW_DEFLATE, ["deflate"]),
        (RAW_DEFLATE + b"behind", ["deflate"]),
        (gzip.compress(PACKED), ["gzip, gzip"]),
        (gzip.compress(zlib.compress(PICTURE)), ["deflate", "gzip"]),
        (PACKED, ["utf-8, gzip", "binary"]),
    ],
    ids=without_bytes,
)
def test_compressed_bodies(web: Web, body: bytes, headers: list[str]) -> None:
    """They are decompressed, and bytes behind the stream are ignored."""
    web.answer("/x", Answer(body=body, headers=tuple(f"Content-Encoding: {value}" for value in headers)))
    assert fetch_body(web.url("/x")).data == PICTURE


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (encode(kind), header)
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP")
        for header in ("gzip", "deflate")
    ]
    + [(gzip.compress(encode("JPEG")), "gzip, gzip")],
    ids=without_bytes,
)
def test_images_that_are_not_compressed(web: Web, body: bytes, header: str) -> None:
    """An image is taken as it is, if the header names a coding that it does not have."""
    web.answer("/x", Answer(body=body, headers=(f"Content-Encoding: {header}",)))
    data = fetch_body(web.url("/x")).data
    assert data == (gzip.decompress(body) if header == "gzip, gzip" else body)


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        (PACKED[:-9], "gzip", Reason.TRUNCATED),
        (PACKED[:5], "gzip", Reason.TRUNCATED),
        (RAW_DEFLATE[:-50], "deflate", Reason.TRUNCATED),
        (PACKED[:-8] + bytes(8), "gzip", Reason.CONNECTION_ERROR),
        (PACKED, ", ".join(["gzip"] * (MAX_CODINGS + 1)), Reason.CONNECTION_ERROR),
    ],
    ids=without_bytes,
)
def test_broken_streams(web: Web, body: bytes, header: str, reason: Reason) -> None:
    """Cut, damaged, or compressed too often."""
    web.answer("/x", Answer(body=body, headers=(f"Content-Encoding: {header}",)))
    assert fetch_error(web.url("/x"), 5.0).reason is reason


def test_too_large(web: Web) -> None:
    """A body that is too large when it is decompressed, once or twice."""
    for body, header in (
        (gzip.compress(bytes(MAX_IMAGE_BYTES + 1), 1), "gzip"),
        (gzip.compress(gzip.compress(bytes(3 * MAX_IMAGE_BYTES), 1)), "gzip, gzip"),
    ):
        web.answer("/x", Answer(body=body, headers=(f"Content-Encoding: {header}",)))
        assert fetch_error(web.url("/x"), 5.0).reason is Reason.TOO_LARGE


def test_limits_are_exact() -> None:
    """A body of the largest size is decoded, an empty one is empty."""
    largest = bytes(MAX_IMAGE_BYTES)
    assert decode(gzip.compress(largest, 1), ["gzip"]) == largest
    assert decode(b"", ["gzip"]) == b""
