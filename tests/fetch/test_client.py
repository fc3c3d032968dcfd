"""The client fetches many URLs at once, each completely or not at all."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from demo.web import Answer, Length, Request, Web
from tests.fetching import fetch_all, fetch_body, fetch_error, finish, serving, unused_port
from utils.fetch.client import Fetcher
from utils.fetch.transfer import MAX_REDIRECTS
from utils.models.http_defaults import USER_AGENT
from utils.models.tasks import FetchError, Response
from utils.reasons import Reason

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400


@pytest.mark.parametrize(
    "answer",
    [
        Answer.jpeg(PICTURE),
        Answer(body=PICTURE, content_type="text/html"),
        Answer(body=PICTURE, content_type=""),
        Answer(body=PICTURE, chunked=True),
        Answer(body=PICTURE, length=Length.OMITTED),
        Answer(body=PICTURE, gzip=True),
        Answer(body=PICTURE, chunked=True, gzip=True),
        Answer(body=PICTURE, status=203),
        Answer(body=PICTURE, headers=("X-Filler: a",) * 4000),
        Answer(body=PICTURE, pace=1_000_000),
    ],
)
def test_body_arrives_unchanged(web: Web, answer: Answer) -> None:
    """Whatever its framing, type or compression."""
    web.answer("/x", answer)
    got = fetch_body(web.url("/x"))
    assert (got.data, got.http_status, got.final_url) == (PICTURE, answer.status, web.url("/x"))
    assert 0 < got.seconds < 5


def test_response_without_content(web: Web) -> None:
    """204, or 200 with an empty body."""
    web.answer("/204", Answer(status=204))
    web.answer("/200", Answer())
    for path in ("/204", "/200"):
        assert fetch_body(web.url(path)).data == b""


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/y", "/y"),
        ("y", "/a/y"),
        ("?y", "/a/x?y"),
        ("y z", "/a/y%20z"),
        ("y%20z", "/a/y%20z"),
        ("\u00fc.jpg", "/a/%c3%bc.jpg"),
        ("/y#part", "/y"),
        ("//127.0.0.1:{port}/y", "/y"),
        ("HTTP://127.0.0.1:{port}/y", "/y"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(web: Web, status: int, location: str, asked: str) -> None:
    """Relative, with spaces and with non-ASCII characters."""
    web.answer("/a/x", Answer.redirect(location.format(port=web.port), status))
    web.otherwise(Answer.jpeg(PICTURE))
    got = fetch_body(web.url("/a/x"))
    assert web.requests[-1].path.lower() == asked
    assert got.final_url.partition("#")[0].lower() == web.url(asked)


def test_at_most_ten_redirects(web: Web) -> None:
    """The eleventh is an error."""
    for step in range(MAX_REDIRECTS + 1):
        web.answer(f"/{step}", Answer.redirect(f"/{step + 1}"))
    web.answer(f"/{MAX_REDIRECTS + 1}", Answer.jpeg(PICTURE))
    assert fetch_body(web.url("/1")).data == PICTURE
    assert fetch_error(web.url("/0"), 5.0).reason is Reason.TOO_MANY_REDIRECTS


def test_request_headers(web: Web) -> None:
    """User-Agent, Accept and Accept-Encoding."""
    body_or_not = fetch_error(web.url("/x"))
    assert body_or_not.http_status == 404
    headers = web.requests[0].headers
    assert headers["user-agent"] == USER_AGENT
    assert headers["accept"].startswith("image/")
    assert headers["accept-encoding"] == "identity"


def test_credentials_in_a_url_are_sent_to_its_host_only(make_web: Callable[[], Web]) -> None:
    """Not to where it redirects."""
    one, two = make_web(), make_web()
    one.answer("/x", Answer.redirect(two.url("/y")))
    fetch_error(one.url("/x").replace("http://", "http://me:p%40ss@"))
    assert one.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert "authorization" not in two.requests[0].headers


def test_cookies_are_not_kept(web: Web) -> None:
    """Neither for a redirect, nor for the next URL on the same connection."""
    web.answer("/x", Answer(status=302, headers=("Set-Cookie: a=b; Path=/", "Location: /y")))
    with contextlib.closing(Fetcher(5.0)) as fetcher:
        for number in range(3):
            fetcher.start(number, web.url("/x"))
            finish(fetcher)
    assert len(web.requests) == 6
    assert not [request for request in web.requests if "cookie" in request.headers]


def test_robots_headers_are_returned(web: Web) -> None:
    """Every X-Robots-Tag of the last response, and none of a redirect before it."""
    web.answer("/x", Answer(status=302, headers=("X-Robots-Tag: noai", "Location: /y")))
    web.answer("/y", Answer(headers=("x-robots-tag: noindex, nofollow", "X-Robots-Tag:bot: all")))
    assert fetch_body(web.url("/x")).robots == ("noindex, nofollow", "bot: all")


def test_reused_handle_has_no_state(web: Web) -> None:
    """Neither headers, body, length nor rejection of the URL before."""
    spoilers = [
        Answer(body=PICTURE, headers=("X-Robots-Tag: noai",)),
        Answer(status=429, headers=("Retry-After: 30",)),
        Answer.redirect("file:///etc/passwd"),
        Answer(body=PICTURE, endless=True),
        Answer(body=PICTURE, cut=1000),
        Answer(body=PICTURE, cut=1000, reset=True),
    ]
    with contextlib.closing(Fetcher(5.0)) as fetcher:
        for number, spoiler in enumerate(spoilers):
            web.answer("/x", spoiler)
            web.answer("/y", Answer(body=b"picture", length=Length.OMITTED))
            web.answer("/z", Answer(status=503))
            results = {}
            urls = [web.url("/x"), web.url("/y"), web.url("/z"), f"http://127.0.0.1:{unused_port()}/"]
            for place, url in enumerate(urls):
                fetcher.start(4 * number + place, url)
                results |= finish(fetcher)
            clean, busy, refused = (results[4 * number + place] for place in (1, 2, 3))
            assert isinstance(clean, Response)
            assert (clean.data, clean.robots, clean.length_known) == (b"picture", (), False)
            assert isinstance(busy, FetchError)
            assert (busy.reason, busy.retry_after) == (Reason.HTTP_STATUS, None)
            assert isinstance(refused, FetchError)
            assert (refused.reason, refused.http_status) == (Reason.CONNECTION_REFUSED, 0)


def test_connections_are_reused(web: Web) -> None:
    """Also after a small error page."""
    clients: set[str] = set()

    def handle(client: socket.socket) -> None:
        clients.add(str(client.getpeername()))
        while client.recv(65536):
            client.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)

    with serving(handle) as port, contextlib.closing(Fetcher(5.0)) as fetcher:
        for number in range(5):
            fetcher.start(number, f"http://127.0.0.1:{port}/{number}")
            finish(fetcher)
    assert len(clients) == 1


def test_hundreds_of_concurrent_requests(web: Web) -> None:
    """400 requests of two seconds each run at the same time."""
    web.otherwise(lambda request: Answer(body=request.path.encode(), delay=2.0))
    results = fetch_all([web.url(f"/{number}") for number in range(400)], timeout=30.0)
    assert [result.data for result in results if isinstance(result, Response)] == [
        b"/%d" % number for number in range(400)
    ]
    assert web.most_at_once > 200


def test_bad_urls_do_not_affect_others(web: Web) -> None:
    """Good, hanging, refused and reset ones at the same time."""
    web.otherwise(Answer.jpeg(PICTURE))
    web.answer("/hang", Answer(hang=True))
    web.answer("/reset", Answer(reset=True))
    dead = f"http://127.0.0.1:{unused_port()}/"
    urls = [web.url("/a"), web.url("/hang"), web.url("/b"), dead, web.url("/reset"), web.url("/c")] * 5
    results = fetch_all(urls)
    assert [isinstance(result, Response) for result in results] == [True, False, True, False, False, True] * 5


def test_name_with_a_dead_and_a_working_address(web: Web) -> None:
    """`localhost` may resolve to ::1, where no server listens, and 127.0.0.1."""
    web.answer("/x", Answer.jpeg(PICTURE))
    assert fetch_body(f"http://localhost:{web.port}/x").data == PICTURE


def test_cancelled_request_gives_no_result(web: Web) -> None:
    """Its memory is free, and its number can be used again."""
    web.answer("/slow", Answer(body=PICTURE, cut=50_000, hang=True))
    web.answer("/good", Answer(body=PICTURE))
    with contextlib.closing(Fetcher(5.0)) as fetcher:
        fetcher.start(1, web.url("/slow"))
        fetcher.start(2, web.url("/slow"))
        deadline = time.monotonic() + 5
        while fetcher.buffered < 100_000 and time.monotonic() < deadline:
            assert list(fetcher.poll(0.05)) == []
        assert fetcher.cancel(1)
        assert not fetcher.cancel(1)
        assert not fetcher.cancel(99)
        assert fetcher.cancel(2)
        assert (fetcher.in_flight, fetcher.buffered) == (0, 0)
        fetcher.start(1, web.url("/good"))
        results = finish(fetcher)
    assert [result.data for result in results.values() if isinstance(result, Response)] == [PICTURE]


def test_poll_waits_until_timeout_or_wake() -> None:
    """`wake` may be called from another thread, and never blocks."""
    with contextlib.closing(Fetcher(5.0)) as fetcher:
        began = time.monotonic()
        assert list(fetcher.poll(0.2)) == []
        assert time.monotonic() - began > 0.15
        threading.Timer(0.2, fetcher.wake).start()
        began = time.monotonic()
        assert list(fetcher.poll(10.0)) == []
        assert time.monotonic() - began < 9
        for _ in range(100_000):  # more than the pipe holds: waking never blocks
            fetcher.wake()
        assert list(fetcher.poll(10.0)) == []
        assert list(fetcher.poll(0.0)) == []


def test_close_aborts_requests(web: Web) -> None:
    """And closes their connections."""
    gone = threading.Event()

    def handle(client: socket.socket) -> None:
        client.recv(65536)
        while client.recv(1):
            continue
        gone.set()

    with serving(handle) as port:
        fetcher = Fetcher(5.0)
        fetcher.start(1, f"http://127.0.0.1:{port}/")
        for _ in range(5):
            list(fetcher.poll(0.05))
        fetcher.close()
        assert gone.wait(5)


def test_each_request_is_sent_once(web: Web) -> None:
    """Curl does not repeat one."""
    seen: list[str] = []

    def reply(request: Request) -> Answer:
        seen.append(request.path)
        return Answer(reset=True)

    web.otherwise(reply)
    results = fetch_all([web.url(f"/{number}") for number in range(20)])
    assert {result.reason for result in results if isinstance(result, FetchError)} == {
        Reason.CONNECTION_ERROR
    }
    assert sorted(seen) == sorted(f"/{number}" for number in range(20))
