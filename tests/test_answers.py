"""Each way of answering, and of misbehaving, looks on the wire as it is promised."""

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
    """Send a GET over a bare socket, so that the test sees what really comes."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield client


def received(client: socket.socket) -> bytes:
    """Read until the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def received_before(error: type[OSError], client: socket.socket) -> bytes:
    """Read until the error comes, which must come."""
    arrived: list[bytes] = []
    with pytest.raises(error):
        arrived.extend(iter(lambda: client.recv(65536), b""))
    return b"".join(arrived)


def body_of(answer: bytes) -> bytes:
    """Give what follows the head."""
    return answer.partition(b"\r\n\r\n")[2]


def test_an_answer_arrives_as_it_was_written(web: Web) -> None:
    """Status, headers, type and body are the script's."""
    web.answer("/x", Answer(status=203, body=BODY, headers=("X-Robots-Tag: noai",), content_type="image/png"))
    got = requests.get(web.url("/x"), timeout=10)
    assert (got.status_code, got.content) == (203, BODY)
    assert got.headers["Content-Type"] == "image/png"
    assert got.headers["X-Robots-Tag"] == "noai"
    assert got.headers["Content-Length"] == str(len(BODY))


def test_delay_holds_back_the_answer(web: Web) -> None:
    """Nothing comes before the delay is over."""
    web.answer("/x", Answer(body=b"late", delay=0.3))
    with asked(web) as client:
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_pace_drips(web: Web) -> None:
    """A paced body takes its size divided by its pace."""
    web.answer("/x", Answer(body=BODY[:500], pace=1000))
    began = time.monotonic()
    assert requests.get(web.url("/x"), timeout=10).content == BODY[:500]
    assert 0.4 < time.monotonic() - began < 2


@pytest.mark.parametrize("chunked", [False, True])
def test_cut_sends_that_much_and_closes(web: Web, chunked: bool) -> None:
    """A cut body is short by its declared length, or lacks the last chunk."""
    web.answer("/x", Answer(body=BODY, cut=1000, chunked=chunked))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        _ = requests.get(web.url("/x"), timeout=10).content
    with asked(web) as client:
        answer = received(client)
    assert (b"Content-Length: 76800\r\n" in answer) is not chunked
    assert body_of(answer) == (b"3e8\r\n%b\r\n" % BODY[:1000] if chunked else BODY[:1000])


def test_reset_aborts_the_connection_after_what_was_sent(web: Web) -> None:
    """The client sees RST, not an end: at once, or behind the bytes that came before."""
    web.answer("/x", Answer(reset=True), Answer(body=BODY, cut=1000, reset=True))
    for expected in (b"", BODY[:1000]):
        with asked(web) as client:
            assert body_of(received_before(ConnectionResetError, client)) == expected


def test_hang_keeps_silent(web: Web) -> None:
    """Nothing comes, or nothing more, and the connection stays open until the client goes."""
    web.answer("/x", Answer(hang=True), Answer(body=BODY, cut=1000, hang=True))
    for expected in (b"", BODY[:1000]):
        with asked(web) as client:
            client.settimeout(0.2)
            assert body_of(received_before(TimeoutError, client)) == expected


@pytest.mark.parametrize(
    ("length", "stated"),
    [(5, b"\r\nContent-Length: 5\r\n"), (10**6, b"\r\nContent-Length: 1000000\r\n"), (Length.OMITTED, b"")],
)
def test_the_declared_length_may_lie_or_be_missing(web: Web, length: int | Length, stated: bytes) -> None:
    """The whole body comes all the same, and then the connection ends."""
    web.answer("/x", Answer(body=b"0123456789", length=length))
    with asked(web) as client:
        answer = received(client)
    assert stated in answer
    assert (b"Content-Length" in answer) is bool(stated)
    assert body_of(answer) == b"0123456789"


def test_raw_bytes_are_sent_as_they_are(web: Web) -> None:
    """Garbage for a status line, or nothing at all."""
    web.answer("/x", Answer(raw=b"\x16\x03\x01 what?"), Answer(raw=b""))
    for expected in (b"\x16\x03\x01 what?", b""):
        with asked(web) as client:
            assert received(client) == expected


def test_an_endless_body_ends_when_the_client_goes(web: Web) -> None:
    """It is the body over and over, and keeps no request in progress afterwards."""
    web.answer("/x", Answer(body=b"abc", endless=True))
    with asked(web) as client:
        arrived = b""
        while len(arrived) < 2_000_000:
            arrived += client.recv(65536)
    body = body_of(arrived)
    assert body == (b"abc" * (len(body) // 3 + 1))[: len(body)]
    assert requests.get(web.url("/y"), timeout=10).status_code == 404


def test_gzip_compresses_the_body_on_its_way(web: Web) -> None:
    """The client unpacks what it is told is packed."""
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
def test_a_file_is_resumed_while_it_is_the_same(
    web: Web, asked_for: dict[str, str], status: int, body: bytes
) -> None:
    """Range gives the rest, a changed file comes whole, and beyond the end is nothing."""
    web.answer("/x", resumable(BODY, etag='"2"'))
    got = requests.get(web.url("/x"), headers=asked_for, timeout=10)
    assert (got.status_code, got.content) == (status, body)
    ranges = {206: "bytes 76000-76799/76800", 416: "bytes */76800"}
    assert got.headers.get("Content-Range") == ranges.get(status)
