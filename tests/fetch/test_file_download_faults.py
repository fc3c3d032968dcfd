"""Server faults during downloads of big files."""

from __future__ import annotations

import contextlib
import email.utils
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.web import Answer, Reply, Web, resumable
from tests.fetching import blackhole, serving
from utils.errors import OneSourceError
from utils.fetch.file_download import DownloadOptions, download

BODY = random.Random(1).randbytes(200_000)
HALF = len(BODY) // 2
TAG = 'ETag: "1"'
CUT = Answer(body=BODY, headers=(TAG,), cut=HALF)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of the file."""
    return tmp_path / "file.tgz"


def fetch(web: Web, target: Path, *replies: Reply, seconds: float = 5.0) -> list[str]:
    """Download from a server with these replies; returns the requested ranges."""
    web.answer("/file.tgz", *replies)
    options = DownloadOptions(retry_delays=(0.01, 0.01), connect_timeout=seconds, read_timeout=seconds)
    download(web.url("/file.tgz"), target, options=options)
    return [request.headers.get("range", "") for request in web.requests]


@pytest.mark.parametrize(
    "broken",
    [
        Answer(body=BODY, headers=(TAG,), cut=HALF, hang=True),
        Answer(body=BODY, headers=(TAG,), cut=HALF, reset=True),
        CUT,
        Answer(body=BODY, headers=(TAG,), cut=HALF, length=2 * len(BODY)),
    ],
    ids=["stalls", "resets", "cuts", "said-more"],
)
def test_broken_transfer_resumes(web: Web, target: Path, broken: Answer) -> None:
    """However it breaks."""
    first, second, *_ = fetch(web, target, broken, resumable(BODY), seconds=0.2)
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= HALF
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "broken",
    [
        Answer(hang=True),
        Answer(reset=True),
        Answer(raw=b""),
        Answer(raw=b"\x15\x03\x01\x00\x02\x02\x28"),
        Answer(raw=b"HTTP/1.1 2"),
        Answer(status=429, headers=("Retry-After: 0",)),
        Answer(status=503, headers=(f"Retry-After: {email.utils.formatdate(0, usegmt=True)}",)),
        Answer(status=503, headers=("Retry-After: soon",)),
        Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 10_000 + b"\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10**6 + b"\r\n\r\n"),
    ],
    ids=[
        "silent",
        "reset",
        "closed",
        "TLS",
        "half",
        "429",
        "503-date",
        "503-odd",
        "many-headers",
        "long-header",
    ],
)
def test_invalid_response_is_retried(web: Web, target: Path, broken: Answer) -> None:
    """As often as there are delays."""
    fetch(web, target, broken, Answer(body=BODY), seconds=0.2)
    assert target.read_bytes() == BODY
    web.requests.clear()
    with pytest.raises(OneSourceError):
        fetch(web, target, broken, seconds=0.2)
    assert 1 < len(web.requests) <= 3
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    ("length", "arrives"),
    [
        ("-5", True),
        ("many", True),
        (f"{len(BODY)}\r\nContent-Length: {len(BODY)}", True),
        ("5\r\nContent-Length: 7", False),
    ],
    ids=["negative", "word", "twice", "two"],
)
def test_invalid_content_length(web: Web, target: Path, length: str, arrives: bool) -> None:
    """It is ignored, unless it contradicts itself."""
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + BODY
    with contextlib.nullcontext() if arrives else pytest.raises(OneSourceError, match="contradict"):
        fetch(web, target, Answer(raw=raw))
    assert target.exists() == arrives
    assert not arrives or target.read_bytes() == BODY


NINES = "9" * 5000


@pytest.mark.parametrize(
    "raw",
    [
        f"HTTP/1.1 {NINES} OK\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {NINES}\r\n\r\nx",
        f"HTTP/1.1 206 OK\r\nContent-Range: bytes {NINES}-{NINES}/{NINES}\r\n\r\nx",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{NINES}\r\nx",
        f"HTTP/1.1 503 No\r\nRetry-After: {NINES}\r\n\r\n",
        f"HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct {NINES} 07:28:00 GMT\r\n\r\n",
        f"HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:{NINES}/\r\n\r\n",
    ],
    ids=["status", "length", "range", "chunk", "Retry-After", "date", "port"],
)
def test_numbers_of_thousands_of_digits(web: Web, target: Path, raw: str) -> None:
    """They are an error of this source."""
    with pytest.raises(OneSourceError):
        fetch(web, target, Answer(raw=raw.encode()), seconds=0.2)
    assert not target.exists()


@pytest.mark.parametrize("status", [200, 302, 404])
def test_headers_that_drip(web: Web, target: Path, status: int) -> None:
    """A source that sends its headers byte by byte is given up, whatever it is going to say."""
    raw = f"HTTP/1.1 {status} Slowly\r\nLocation: /file.tgz\r\n".encode() + b"X: y\r\n" * 1000
    with pytest.raises(OneSourceError, match="it sends its headers too slowly"):
        fetch(web, target, Answer(raw=raw, pace=40), seconds=0.2)
    assert len(web.requests) == 3
    assert not target.exists()


def test_minimum_speed(web: Web, target: Path) -> None:
    """A byte now and then is not enough."""
    with pytest.raises(OneSourceError, match=r"it sends only \d+ bytes a second"):
        fetch(web, target, Answer(body=BODY, pace=40), seconds=0.2)


def test_connect_timeout(target: Path) -> None:
    """There are two retries."""
    options = DownloadOptions(retry_delays=(0.01, 0.01), connect_timeout=0.2)
    with blackhole() as port, pytest.raises(OneSourceError, match="it does not respond"):
        download(f"http://127.0.0.1:{port}/x", target, options=options)


def test_204_is_an_error(web: Web, target: Path) -> None:
    """It is a success without a file."""
    with pytest.raises(OneSourceError, match="it answers 204 No Content"):
        fetch(web, target, Answer(status=204))


def test_too_long_retry_after_as_a_date(web: Web, target: Path) -> None:
    """The download fails at once."""
    tomorrow = email.utils.formatdate(time.time() + 86_400, usegmt=True)
    with pytest.raises(OneSourceError, match="429 Too Many Requests"):
        fetch(web, target, Answer(status=429, headers=(f"Retry-After: {tomorrow}",)))
    assert len(web.requests) == 1


def test_retry_after_is_kept(web: Web, target: Path) -> None:
    """Instead of the shorter retry delay."""
    fetch(web, target, Answer(status=429, headers=("Retry-After: 1",)), Answer(body=BODY))
    first, second = web.requests
    assert second.at - first.at >= 1


def test_redirect_with_a_range(web: Web, target: Path) -> None:
    """The download resumes at the target."""
    web.answer("/there", CUT, resumable(BODY))
    ranges = fetch(web, target, Answer.redirect("../there"))
    assert target.read_bytes() == BODY
    assert ranges == ["", "", f"bytes={HALF}-", f"bytes={HALF}-"]


def test_server_that_ignores_if_range(web: Web, target: Path) -> None:
    """Its ETag shows another version: the download starts again."""
    other = BODY[::-1]
    rest = Answer(
        status=206,
        body=other[HALF:],
        headers=('ETag: "2"', f"Content-Range: bytes {HALF}-{len(other) - 1}/{len(other)}"),
    )
    assert fetch(web, target, CUT, rest, Answer(body=other)) == ["", f"bytes={HALF}-", ""]
    assert target.read_bytes() == other


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/file.tgz", "redirects too many times"),
        ("ftp://127.0.0.1/x", "neither http"),
        ("file:///etc/passwd", "neither"),
    ],
)
def test_invalid_redirects(web: Web, target: Path, location: str, words: str) -> None:
    """Redirects stay on http and https, and end."""
    with pytest.raises(OneSourceError, match=words):
        fetch(web, target, Answer.redirect(location))


@pytest.mark.parametrize(
    "url", ["http://", "http://a b/", "http://[::1/x", "http://127.0.0.1:99999/x", "http://.../"]
)
def test_invalid_urls(target: Path, url: str) -> None:
    """An error, not a traceback."""
    with pytest.raises(OneSourceError):
        download(url, target, options=DownloadOptions(retry_delays=(0.01, 0.01)))


def test_refused_connection(target: Path) -> None:
    """There are only two retries."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OneSourceError, match="refused"):
        download(f"http://127.0.0.1:{port}/x", target, options=DownloadOptions(retry_delays=(0.01, 0.01)))


def test_read_timeout(web: Web, target: Path) -> None:
    """A server that accepts and does not respond."""
    with pytest.raises(OneSourceError, match="stopped sending"):
        fetch(web, target, Answer(hang=True), seconds=0.05)


def test_response_that_is_not_http(web: Web, target: Path) -> None:
    """Garbage instead of a status line is an error, not a traceback."""
    with pytest.raises(OneSourceError, match=r"broke|HTTP"):
        fetch(web, target, Answer(raw=b"\x16\x03\x01garbage\r\n\r\n"))


def tls_server(folder: Path, answer: bytes) -> Callable[[socket.socket], None]:
    """Return a handler that answers over TLS with a self-signed certificate."""
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me -days 2"
    names = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run(["openssl", *made.split(), *names.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    def speak(client: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(answer)

    return speak


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
def test_https(web: Web, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are checked."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    options = DownloadOptions(retry_delays=())
    with serving(tls_server(tmp_path, answer)) as port:
        url = f"https://127.0.0.1:{port}/x"
        with pytest.raises(OneSourceError, match="its certificate is not accepted"):
            download(url, target, options=options)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        with pytest.raises(OneSourceError, match="it redirects to neither http nor https"):
            download(url, target, options=options)
    plain = serving(lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with plain as port, pytest.raises(OneSourceError, match="it does not support TLS"):
        download(f"https://127.0.0.1:{port}/x", target, options=options)
    assert not target.exists()
