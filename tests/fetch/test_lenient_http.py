"""Responses with header lines that have no colon are read as browsers read them."""

from __future__ import annotations

import contextlib
import gzip
import socket

import pycurl
import pytest

from demo.web import Answer, Request, Web
from tests.fetching import fetch_body, fetch_error, finish, serving
from utils.fetch import lenient_http
from utils.fetch.certificates import Authorities
from utils.fetch.client import Fetcher
from utils.fetch.redirects import RedirectGuard
from utils.models.http_defaults import MAX_IMAGE_BYTES, USER_AGENT
from utils.models.tasks import Response
from utils.reasons import Reason

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400
LENGTH = b"Content-Length: %d\r\n" % len(PICTURE)
ODD = b"no colon here\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(PICTURE), PICTURE)
PACKED = gzip.compress(PICTURE)


def answer(rest: bytes, status: str = "200 OK") -> Answer:
    """Return a response with a line without a colon at the beginning of its headers."""
    return Answer(raw=f"HTTP/1.1 {status}\r\n".encode() + ODD + rest)


@pytest.mark.parametrize(
    ("rest", "length_known"),
    [
        (LENGTH + b"\r\n" + PICTURE, True),
        (LENGTH + ODD + b"X: y\r\n folded\r\n" + ODD + b"\r\n" + PICTURE, True),
        (b"\r\n" + PICTURE, False),
        (CHUNKED, True),
        (b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED, True),
        (LENGTH + b"\r\n" + PICTURE + b"behind", True),
    ],
    ids=["length", "several", "closed", "chunked", "gzip", "behind"],
)
def test_bodies(web: Web, rest: bytes, length_known: bool) -> None:
    """The odd lines are ignored, and no other."""
    web.answer("/x?a=b%20c", answer(b"X-Robots-Tag: noai\r\n" + rest))
    got = fetch_body(web.url("/x?a=b%20c"))
    assert (got.data, got.http_status, got.length_known) == (PICTURE, 200, length_known)
    assert got.robots == ("noai",)
    assert got.final_url == web.url("/x?a=b%20c")


def test_request(web: Web) -> None:
    """It is like the first one."""
    web.answer("/x", answer(LENGTH + b"\r\n" + PICTURE))
    fetch_body(web.url("/x").replace("http://", "http://me:p%40ss@"))
    first, second = web.requests
    assert first.path == second.path == "/x"
    names = ("host", "accept", "accept-encoding", "user-agent", "authorization")
    assert [first.headers[name] for name in names] == [second.headers[name] for name in names]
    assert second.headers["user-agent"] == USER_AGENT


@pytest.mark.parametrize(
    ("rest", "status", "reason"),
    [
        (b"Content-Length: 9\r\n\r\n", "404 No", Reason.HTTP_STATUS),
        (b"Retry-After: 7\r\n\r\n", "429 Slowly", Reason.RATE_LIMITED),
        (b"Location: file:///etc/passwd\r\n\r\n", "302 Away", Reason.FORBIDDEN_REDIRECT),
        (LENGTH + b"\r\n" + PICTURE[:1000], "200 OK", Reason.TRUNCATED),
        (CHUNKED[:1000], "200 OK", Reason.CONNECTION_ERROR),
        (b"Content-Length: 99999999\r\n\r\n" + bytes(MAX_IMAGE_BYTES + 1), "200 OK", Reason.TOO_LARGE),
        (b"X: y\r\n" * 10_000, "200 OK", Reason.CONNECTION_ERROR),
        (b"X: " + b"y" * 10**6, "200 OK", Reason.CONNECTION_ERROR),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "404 No", Reason.HTTP_STATUS),
    ],
    ids=["404", "429", "file", "cut", "cut-chunks", "large", "many-headers", "long-header", "digits"],
)
def test_failures(web: Web, rest: bytes, status: str, reason: Reason) -> None:
    """They have the reasons of other responses."""
    web.answer("/x", answer(rest, status))
    result = fetch_error(web.url("/x"), 5.0)
    assert result.reason is reason
    assert result.retry_after == (7.0 if reason is Reason.RATE_LIMITED else None)


def test_redirect(web: Web) -> None:
    """It is followed, to another such response, too."""
    web.answer("/x", answer(b"Location: /y\r\n\r\n", "302 Away"))
    web.answer("/y", answer(LENGTH + b"\r\n" + PICTURE))
    assert fetch_body(web.url("/x")).data == PICTURE


@pytest.mark.parametrize("rest", [LENGTH, LENGTH + b"\r\n" + PICTURE[:1000]], ids=["headers", "body"])
def test_slow_responses_time_out(web: Web, rest: bytes) -> None:
    """Headers and bodies that drip have the time of the attempt, not more."""
    requests = []

    def reply(request: Request) -> Answer:
        requests.append(request)
        odd = answer(rest)
        return odd if len(requests) == 1 else Answer(raw=(odd.raw or b"") + b"X: y\r\n" * 1000, pace=200)

    web.answer("/x", reply)
    assert fetch_error(web.url("/x")).reason is Reason.TIMEOUT


def test_host_that_is_gone() -> None:
    """The second request fails like any other."""
    clients = []

    def handle(client: socket.socket) -> None:
        clients.append(client)
        client.recv(65536)
        if len(clients) == 1:
            client.sendall(answer(LENGTH).raw or b"")

    with serving(handle) as port:
        assert fetch_error(f"http://127.0.0.1:{port}/x").reason is Reason.CONNECTION_ERROR
    assert len(clients) == 2


def test_exception_in_the_thread(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transfer ends all the same."""
    monkeypatch.setattr(lenient_http, "fetch", lambda *_arguments, **_settings: int("x"))
    web.answer("/x", answer(LENGTH + b"\r\n" + PICTURE))
    assert fetch_error(web.url("/x"), 5.0).reason is Reason.CONNECTION_ERROR


def test_redirects_to_private_addresses_are_refused(web: Web) -> None:
    """The address of the second connection is checked, too: a name may have got another one meanwhile."""
    guard = RedirectGuard(web.url("/x"), from_public=True)
    authorities = Authorities.from_environment({})
    response = lenient_http.fetch(web.url("/x"), {}, guard=guard, authorities=authorities, seconds=5.0)
    assert response.code == pycurl.E_RECV_ERROR
    assert guard.blocked
    assert web.requests == []


def test_many_at_once_and_cancelled_ones(web: Web) -> None:
    """A few at a time; other requests go on, and cancelled ones give no result."""
    web.otherwise(answer(LENGTH + b"\r\n" + PICTURE))
    web.answer("/good", Answer.jpeg(PICTURE))
    with contextlib.closing(Fetcher(10.0)) as fetcher:
        for number in range(40):
            fetcher.start(number, web.url(f"/{number}" if number % 4 else "/good"))
        for _ in range(3):
            list(fetcher.poll(0.01))
        cancelled = [number for number in range(1, 40, 8) if fetcher.cancel(number)]
        results = finish(fetcher)
        assert (fetcher.in_flight, fetcher.buffered) == (0, 0)
    assert not set(cancelled) & set(results)
    assert all(isinstance(result, Response) and result.data == PICTURE for result in results.values())
