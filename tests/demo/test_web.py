"""The demo server serves many clients at once, records requests, and stops without leftovers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests

from demo.web import Answer, Web

BODY = bytes(range(256)) * 300


def test_answers_in_order_and_the_last_repeats(web: Web) -> None:
    """A function among them gets the request."""
    web.answer("/x", Answer(status=503), Answer(status=429), lambda request: Answer.page(request.method))
    assert [requests.get(web.url("/x"), timeout=10).status_code for _ in range(4)] == [503, 429, 200, 200]
    assert requests.post(web.url("/x"), timeout=10).text == "POST"
    assert web.count("/x") == 5


def test_unknown_paths_get_the_default_answer(web: Web) -> None:
    """404 unless set otherwise."""
    assert requests.get(web.url("/?a=1"), timeout=10).status_code == 404
    web.otherwise(lambda request: Answer.page(request.path))
    assert requests.get(web.url("/?a=1"), timeout=10).text == "/?a=1"


def test_requests_are_recorded(web: Web) -> None:
    """Method, path, headers and time; the body of a request is no second request."""
    before = time.monotonic()
    requests.post(web.url("/x"), data=b"GET / HTTP/1.1\r\n\r\n", headers={"User-Agent": "me"}, timeout=10)
    (request,) = web.requests
    assert (request.method, request.path, request.headers["user-agent"]) == ("POST", "/x", "me")
    assert before <= request.at <= time.monotonic()


def test_keep_alive(web: Web) -> None:
    """After a HEAD and after a chunked body as well."""
    web.answer(
        "/x", Answer(body=BODY), Answer(body=BODY, chunked=True), Answer(status=204), Answer.page("end")
    )
    client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    client.connect()
    ours, bodies = client.sock, []
    for method in ("HEAD", "GET", "GET", "GET"):
        client.request(method, "/x")
        bodies.append(client.getresponse().read())
        assert client.sock is ours
    client.close()
    assert bodies == [b"", BODY, b"", b"end"]


def test_server_as_a_proxy(web: Web) -> None:
    """A proxy gets whole URLs; tunnels are refused by default."""
    web.answer("http://a.example/x.jpg", Answer.jpeg(b"a"))
    proxies = {"http": web.url(""), "https": web.url("")}
    assert requests.get("http://a.example/x.jpg", proxies=proxies, timeout=10).content == b"a"
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        requests.get("https://a.example/", proxies=proxies, timeout=10)
    assert [request.path for request in web.requests] == ["http://a.example/x.jpg", "a.example:443"]


def test_redirect_to_another_host(make_web: Callable[[], Web]) -> None:
    """Each server is a host of its own."""
    here, there = make_web(), make_web()
    here.answer("/x", Answer.redirect(there.url("/y"), status=301))
    there.answer("/y", Answer.jpeg(b"there"))
    assert requests.get(here.url("/x"), timeout=10).content == b"there"
    assert (here.count("/x"), there.count("/y")) == (1, 1)


async def ask(web: Web) -> bytes:
    """Ask on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def ask_at_once(web: Web, how_many: int) -> list[bytes]:
    """Ask on that many connections at the same time."""
    return await asyncio.gather(*(ask(web) for _ in range(how_many)))


def test_hundreds_of_concurrent_requests(web: Web) -> None:
    """The largest number of concurrent ones is recorded."""
    web.answer("/x", Answer(body=b"ok", delay=2.0))
    assert [answer[-6:] for answer in asyncio.run(ask_at_once(web, 400))] == [b"\r\n\r\nok"] * 400
    assert 200 < web.most_at_once <= 400


@pytest.mark.parametrize(
    "answer", [Answer(hang=True), Answer(delay=60), Answer(endless=True), Answer(raw=b"", delay=60)]
)
def test_stop_leaves_nothing(answer: Answer) -> None:
    """No thread and no socket, even in the middle of requests."""
    with contextlib.ExitStack() as clients:
        with Web() as web:
            web.answer("/x", answer)
            for _ in range(20):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", web.port)))
                client.sendall(b"GET /x HTTP/1.1\r\n\r\n")
            began = time.monotonic()
        assert time.monotonic() - began < 30  # the responses take longer
    assert "web" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", web.port), timeout=10)


def test_client_that_does_not_speak_http(web: Web) -> None:
    """Its connection is closed."""
    for nonsense in (
        b"\x16\x03\x01\x00\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
            client.sendall(nonsense)
            assert client.recv(1) == b""
    assert requests.get(web.url("/x"), timeout=10).status_code == 404


def test_path_without_answers_is_an_error(web: Web) -> None:
    """An empty list of answers is refused at once."""
    with pytest.raises(ValueError, match="No answer given for /x"):
        web.answer("/x")
