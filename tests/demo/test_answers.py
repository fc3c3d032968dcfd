"""Each kind of answer of the demo server looks on the wire as documented."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from demo.web import Answer, Length, Web, resumable

BODY = bytes(range(256)) * 300


@contextlib.contextmanager
def asked(web: Web, path: str = "/x") -> Iterator[socket.socket]:
    """Send a GET over a plain socket."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield client


def received(client: socket.socket) -> bytes:
    """Read until the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def received_before(error: type[OSError], client: socket.socket) -> bytes:
    """Read until an error occurs, which must occur."""
    arrived: list[bytes] = []
    with pytest.raises(error):
        arrived.extend(iter(lambda: client.recv(65536), b""))
    return b"".join(arrived)


def body_of(answer: bytes) -> bytes:
    """Return the part after the headers."""
    return answer.partition(b"\r\n\r\n")[2]


def test_answer_arrives_as_defined(web: Web) -> None:
    """Status, headers, type and body."""
    web.answer("/x", Answer(status=203, body=BODY, headers=("X-Robots-Tag: noai",), content_type="image/png"))
    got = requests.get(web.url("/x"), timeout=10)
    assert (got.status_code, got.content) == (203, BODY)
    assert got.headers["Content-Type"] == "image/png"
    assert got.headers["X-Robots-Tag"] == "noai"
    assert got.headers["Content-Length"] == str(len(BODY))


def test_delay(web: Web) -> None:
    """Nothing is sent before the delay is over."""
    web.answer("/x", Answer(body=b"late", delay=0.3))
    with asked(web) as client:
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_pace(web: Web) -> None:
    """A body takes its size divided by its pace."""
    web.answer("/x", Answer(body=BODY[:500], pace=1000))
    began = time.monotonic()
    assert requests.get(web.url("/x"), timeout=10).content == BODY[:500]
    assert time.monotonic() - began > 0.4


@pytest.mark.parametrize("chunked", [False, True])
def test_cut(web: Web, chunked: bool) -> None:
    """The body is shorter than its Content-Length, or lacks the last chunk."""
    web.answer("/x", Answer(body=BODY, cut=1000, chunked=chunked))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        _ = requests.get(web.url("/x"), timeout=10).content
    with asked(web) as client:
        answer = received(client)
    assert (b"Content-Length: 76800\r\n" in answer) is not chunked
    assert body_of(answer) == (b"3e8\r\n%b\r\n" % BODY[:1000] if chunked else BODY[:1000])


def test_reset(web: Web) -> None:
    """The client sees RST, at once or after some bytes."""
    web.answer("/x", Answer(reset=True), Answer(body=BODY, cut=1000, reset=True))
    for expected in (b"", BODY[:1000]):
        with asked(web) as client:
            assert body_of(received_before(ConnectionResetError, client)) == expected


def test_hang(web: Web) -> None:
    """The connection stays open until the client closes it."""
    web.answer("/x", Answer(hang=True), Answer(body=BODY, cut=1000, hang=True))
    for expected in (b"", BODY[:1000]):
        with asked(web) as client:
            client.settimeout(0.2)
            assert body_of(received_before(TimeoutError, client)) == expected


@pytest.mark.parametrize(
    ("length", "stated"),
    [(5, b"\r\nContent-Length: 5\r\n"), (10**6, b"\r\nContent-Length: 1000000\r\n"), (Length.OMITTED, b"")],
)
def test_wrong_or_missing_length(web: Web, length: int | Length, stated: bytes) -> None:
    """The whole body is sent nevertheless."""
    web.answer("/x", Answer(body=b"0123456789", length=length))
    with asked(web) as client:
        answer = received(client)
    assert stated in answer
    assert (b"Content-Length" in answer) is bool(stated)
    assert body_of(answer) == b"0123456789"


def test_raw_bytes(web: Web) -> None:
    """They are sent unchanged, also if there are none."""
    web.answer("/x", Answer(raw=b"\x16\x03\x01 what?"), Answer(raw=b""))
    for expected in (b"\x16\x03\x01 what?", b""):
        with asked(web) as client:
            assert received(client) == expected


def test_endless_body_ends_with_the_client(web: Web) -> None:
    """The body is repeated until the client closes the connection."""
    web.answer("/x", Answer(body=b"abc", endless=True))
    with asked(web) as client:
        arrived = b""
        while len(arrived) < 2_000_000:
            arrived += client.recv(65536)
    body = body_of(arrived)
    assert body == (b"abc" * (len(body) // 3 + 1))[: len(body)]
    assert requests.get(web.url("/y"), timeout=10).status_code == 404


def test_gzip(web: Web) -> None:
    """The body is sent compressed, with the header that says so."""
    web.answer("/x", Answer(body=BODY, gzip=True))
    got = requests.get(web.url("/x"), timeout=10)
    assert (got.content, got.headers["Content-Encoding"]) == (BODY, "gzip")
    assert int(got.headers["Content-Length"]) < len(BODY) / 10


@pytest.mark.parametrize(
    ("asked_for", "status", "body"),
    [
        ({"Range": "bytes=76000-", "If-Range": '"2"'}, 206, BODY[76000:]),
        ({"Range": "bytes=76000-", "If-Range": '"1"'}, 200, BODY),
        ({"Range": "bytes=76800-"}, 416, b""),
        ({}, 200, BODY),
    ],
)
def test_resumable_file(web: Web, asked_for: dict[str, str], status: int, body: bytes) -> None:
    """Range returns the rest, a changed file is sent completely, and 416 comes beyond its end."""
    web.answer("/x", resumable(BODY, etag='"2"'))
    got = requests.get(web.url("/x"), headers=asked_for, timeout=10)
    assert (got.status_code, got.content) == (status, body)
    ranges = {206: "bytes 76000-76799/76800", 416: "bytes */76800"}
    assert got.headers.get("Content-Range") == ranges.get(status)
