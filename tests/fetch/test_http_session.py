"""Connections of downloads of big files, and how another thread cancels them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from tests.fetching import blackhole, serving
from utils.errors import OneSourceError
from utils.fetch.file_download import Download, DownloadOptions, download
from utils.fetch.http_session import CancelledError, Connections
from utils.fetch.part_file import PartFile

BODY = bytes(range(256)) * 500
QUICK = DownloadOptions(retry_delays=(0.01,), connect_timeout=5.0, read_timeout=5.0)


def fetched(url: str, folder: Path) -> bytes:
    """Download a file."""
    download(url, folder / "file", options=QUICK)
    return (folder / "file").read_bytes()


def test_body_of_a_redirect_is_not_read(web: Web, tmp_path: Path) -> None:
    """It may be endless."""
    web.answer("/1", Answer(status=302, headers=(f"Location: {web.url('/2')}",), body=b"x", endless=True))
    web.answer("/2", resumable(BODY))
    assert fetched(web.url("/1"), tmp_path) == BODY


def test_proxy(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy from the environment is used."""
    monkeypatch.setenv("http_proxy", web.url(""))
    web.answer("http://archive.test/1", resumable(BODY))
    assert fetched("http://archive.test/1", tmp_path) == BODY


def test_second_address(web: Web, tmp_path: Path) -> None:
    """A host with a dead address is reached at another."""
    web.answer("/1", resumable(BODY))
    assert fetched(f"http://localhost:{web.port}/1", tmp_path) == BODY


def test_ipv6(tmp_path: Path) -> None:
    """IPv6 addresses in URLs work."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    def speak(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")

    try:
        with serving(speak, "::1") as port:
            assert fetched(f"http://[::1]:{port}/1", tmp_path) == b"abc"
    except OSError:
        pytest.skip("no IPv6 here")


def test_unknown_host_name(tmp_path: Path) -> None:
    """The error says that the name does not resolve."""
    with pytest.raises(OneSourceError, match="its host name does not resolve"):
        fetched("http://nobody.invalid/1", tmp_path)


def test_connect_timeout(tmp_path: Path) -> None:
    """A host that does not accept the connection does not respond."""
    with blackhole() as port, pytest.raises(OneSourceError, match="it does not respond"):
        download(
            f"http://127.0.0.1:{port}/1",
            tmp_path / "file",
            options=DownloadOptions(retry_delays=(), connect_timeout=0.2),
        )


def assert_cancellable(url: str, folder: Path) -> None:
    """Cancel a running download, which must end."""
    connections = Connections()
    options = DownloadOptions(retry_delays=(30,) * 4)
    running = Download(url, PartFile(folder / "file", url), options, connections=connections)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            running.run()
        except CancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    connections.cancel()
    thread.join(10)
    assert errors


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang=True),
        Answer(body=BODY, cut=5000, hang=True),
        Answer(body=BODY, pace=1000.0),
        Answer(body=BODY, endless=True),
        Answer(status=503),
        Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pace=100.0),
    ],
)
def test_cancel(web: Web, tmp_path: Path, answer: Answer) -> None:
    """Wherever a download is, it ends."""
    web.answer("/1", answer)
    assert_cancellable(web.url("/1"), tmp_path)


def test_cancel_after_redirects(make_web: Callable[[], Web], tmp_path: Path) -> None:
    """The current connection is closed."""
    one, other = make_web(), make_web()
    one.answer("/1", Answer.redirect(other.url("/2")))
    other.answer("/2", Answer.redirect(one.url("/3")))
    one.answer("/3", Answer(hang=True))
    assert_cancellable(one.url("/1"), tmp_path)


def test_cancel_while_connecting(tmp_path: Path) -> None:
    """Even if the connection would never be made."""
    with blackhole() as port:
        assert_cancellable(f"http://127.0.0.1:{port}/1", tmp_path)


def test_cancelled_before_the_start(web: Web, tmp_path: Path) -> None:
    """No request is sent."""
    web.answer("/1", resumable(BODY))
    connections = Connections()
    connections.cancel()
    with pytest.raises(CancelledError):
        Download(web.url("/1"), PartFile(tmp_path / "file", ""), QUICK, connections=connections).run()
    assert web.requests == []


def test_idle_connection_is_aborted(web: Web, tmp_path: Path) -> None:
    """The download resumes; active connections are left alone."""
    web.answer("/1", Answer(body=BODY, cut=50_000, hang=True, headers=('ETag: "1"',)), resumable(BODY))
    part = PartFile(tmp_path / "file", web.url("/1"))
    connections = Connections()
    thread = threading.Thread(target=Download(web.url("/1"), part, QUICK, connections=connections).run)
    thread.start()
    while part.size() < 50_000:
        connections.abort_if_idle(60)
        time.sleep(0.01)
    while thread.is_alive():
        connections.abort_if_idle(0.1)
        time.sleep(0.01)
    assert part.path.read_bytes() == BODY
    assert [request.headers.get("range") for request in web.requests] == [None, "bytes=50000-"]


def test_aborted_body_is_not_complete(web: Web, tmp_path: Path) -> None:
    """Even if the body has no length."""
    web.answer("/1", Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n" + BODY, hang=True))
    connections, part = Connections(), PartFile(tmp_path / "file", web.url("/1"))
    options = DownloadOptions(retry_delays=())
    running = Download(web.url("/1"), part, options, connections=connections)
    messages: list[str] = []

    def run() -> None:
        with pytest.raises(OneSourceError) as error:
            running.run()
        messages.append(str(error.value))

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        connections.abort_if_idle(0.2)
        time.sleep(0.01)
    assert messages == ["it stopped sending"]
