"""Every transfer without a body ends in bounded time, with its reason."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.web import Answer, Length, Web
from tests.fetching import TIMEOUT, blackhole, fetch_all, fetch_body, fetch_error, serving, unused_port
from utils.fetch.headers import MAX_RETRY_AFTER
from utils.fetch.transfer import Transfer
from utils.models.tasks import FetchError, Response
from utils.reasons import Reason

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"

MISBEHAVIOUR = {
    "accepted, then silence": (Answer(hang=True), Reason.TIMEOUT),
    "a few bytes a second": (Answer(body=PICTURE, pace=20), Reason.TIMEOUT),
    "stall after 1 kB": (Answer(body=PICTURE, cut=1000, hang=True), Reason.TIMEOUT),
    "slow headers": (Answer(raw=HEAD * 20, pace=20), Reason.TIMEOUT),
    "reset at once": (Answer(reset=True), Reason.CONNECTION_ERROR),
    "reset mid-body": (Answer(body=PICTURE, cut=1000, reset=True), Reason.CONNECTION_ERROR),
    "closed before the status line": (Answer(raw=b""), Reason.CONNECTION_ERROR),
    "garbage for a status line": (Answer(raw=b"\x16\x03\x01 what?\r\n\r\n"), Reason.CONNECTION_ERROR),
    "a version that is none": (Answer(raw=b"HTTP/9.9 200 OK\r\n\r\n"), Reason.CONNECTION_ERROR),
    "nothing after 100": (Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n"), Reason.CONNECTION_ERROR),
    "body cut": (Answer(body=PICTURE, cut=1000), Reason.TRUNCATED),
    "chunked body cut": (Answer(body=PICTURE, cut=1000, chunked=True), Reason.TRUNCATED),
    "compressed body cut": (Answer(body=PICTURE, cut=100, gzip=True), Reason.TRUNCATED),
    "negative length": (Answer(body=PICTURE, length=-5), Reason.CONNECTION_ERROR),
    "length that is no number": (
        Answer(raw=HEAD + b"Content-Length: x\r\n\r\n" + PICTURE),
        Reason.CONNECTION_ERROR,
    ),
    "two different lengths": (Answer(body=PICTURE, headers=("Content-Length: 9",)), Reason.CONNECTION_ERROR),
    "decompressed body that is too large": (
        Answer(body=bytes(20_000_001), gzip=True),
        Reason.TOO_LARGE,
    ),
    "damaged gzip": (
        Answer(body=b"\x1f\x8b" + PICTURE, headers=("Content-Encoding: gzip",)),
        Reason.CONNECTION_ERROR,
    ),
    "a header of 1 MB": (Answer(body=PICTURE, headers=("X: " + "a" * 10**6,)), Reason.CONNECTION_ERROR),
    "10,000 headers": (Answer(headers=("X: a",) * 10_000), Reason.CONNECTION_ERROR),
    "claims to be huge": (Answer(body=PICTURE, length=10**24), Reason.TOO_LARGE),
    "429": (Answer.page("Slow down", 429), Reason.RATE_LIMITED),
    "404": (Answer.page("No", 404), Reason.HTTP_STATUS),
    "404 that stalls": (Answer(status=404, body=PICTURE, cut=1000, hang=True), Reason.HTTP_STATUS),
    "404 with a large page": (Answer(status=404, body=PICTURE * 9), Reason.HTTP_STATUS),
    "404 that claims to be huge": (Answer(status=404, length=10**10, cut=10), Reason.HTTP_STATUS),
    "500 cut": (Answer(status=500, body=PICTURE, cut=10), Reason.HTTP_STATUS),
    "redirect without a target": (Answer(status=302), Reason.NOT_AN_IMAGE),
    "redirect to nothing": (Answer.redirect(""), Reason.NOT_AN_IMAGE),
    "redirect to nothing, with a large page": (Answer(status=302, body=PICTURE * 9), Reason.NOT_AN_IMAGE),
    "304": (Answer(status=304), Reason.NOT_AN_IMAGE),
    "999": (Answer.page("No robots", 999), Reason.NOT_AN_IMAGE),
    "redirect loop": (Answer.redirect("/x"), Reason.TOO_MANY_REDIRECTS),
    "redirect to a file": (Answer.redirect("file:///etc/passwd"), Reason.FORBIDDEN_REDIRECT),
    "redirect to ftp": (Answer.redirect("ftp://127.0.0.1/x"), Reason.FORBIDDEN_REDIRECT),
    "redirect to data": (Answer.redirect("data:image/png;base64,AAAA"), Reason.FORBIDDEN_REDIRECT),
    "redirect to gopher": (Answer.redirect("gopher://127.0.0.1/x"), Reason.FORBIDDEN_REDIRECT),
    "redirect to a script": (Answer.redirect("javascript:alert(1)"), Reason.FORBIDDEN_REDIRECT),
    "redirect to nonsense": (Answer.redirect("http://[broken/"), Reason.INVALID_URL),
    "redirect to port 99999": (Answer.redirect("http://127.0.0.1:99999/"), Reason.INVALID_URL),
}


NINES = "9" * 5000
LONG_NUMBERS = {
    "status": Answer(raw=b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n"),
    "status line as a header": Answer(
        raw=b"HTTP/1.1 404 No\r\nHTTP/1.1 " + b"2" * 5000 + b" x: y\r\nContent-Length: 0\r\n\r\n"
    ),
    "length": Answer(raw=HEAD + f"Content-Length: {NINES}\r\n\r\n".encode() + PICTURE),
    "length of an error page": Answer(raw=f"HTTP/1.1 404 No\r\nContent-Length: {NINES}\r\n\r\nNo".encode()),
    "second length": Answer(body=PICTURE, headers=(f"Content-Length: {NINES}",)),
    "chunk": Answer(raw=HEAD + f"Transfer-Encoding: chunked\r\n\r\n{NINES}\r\n".encode() + PICTURE),
    "port of a redirect": Answer.redirect(f"http://127.0.0.1:{NINES}/"),
    "Retry-After": Answer(status=429, headers=(f"Retry-After: {NINES}",)),
    "date": Answer(status=429, headers=(f"Retry-After: Wed, 21 Oct {NINES} 07:28:00 GMT",)),
    "zone": Answer(status=503, headers=(f"Retry-After: Wed, 21 Oct 2025 07:28:00 +{NINES}",)),
}


@pytest.mark.parametrize("case", LONG_NUMBERS)
def test_numbers_of_thousands_of_digits(web: Web, case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """They are an error of their URL, and print nothing."""
    web.answer("/x", LONG_NUMBERS[case])
    web.answer("/y", Answer.jpeg(PICTURE))
    result, other = fetch_all([web.url("/x"), web.url("/y")])
    assert isinstance(result, FetchError)
    assert result.http_status == {"length of an error page": 404, "status line as a header": 404}.get(
        case, result.http_status
    )
    assert isinstance(other, Response)
    assert capfd.readouterr().err == ""


def test_exception_in_a_callback(
    web: Web, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is the failure of its URL, wherever it is raised, and prints nothing."""
    web.otherwise(Answer.jpeg(PICTURE))
    for function in ("_receive", "_body"):
        with monkeypatch.context() as patch:
            patch.setattr(Transfer, function, lambda *_arguments: int("x"))
            result = fetch_error(web.url("/x"))
        assert (result.reason, result.description) == (
            Reason.CONNECTION_ERROR,
            "The response cannot be read (ValueError).",
        )
    assert capfd.readouterr().err == ""
    assert fetch_body(web.url("/x")).data == PICTURE


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_reason_of_misbehaviour(web: Web, case: str) -> None:
    """Whatever a server does, the transfer ends in its time, with a reason and a description."""
    answer, reason = MISBEHAVIOUR[case]
    web.answer("/x", answer)
    result = fetch_error(web.url("/x"))
    assert result.reason is reason
    assert result.description.endswith(".")
    assert result.seconds < TIMEOUT + 10  # far from for ever, on a busy machine, too
    assert not result.from_proxy


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 500, 502, 503, 504, 599])
def test_status_of_http_errors(web: Web, status: int) -> None:
    """The error has the status for the report."""
    web.answer("/x", Answer.page("No", status))
    result = fetch_error(web.url("/x"))
    assert (result.reason, result.http_status) == (Reason.HTTP_STATUS, status)
    assert result.description == f"The server answered {status}."


def test_407_without_a_proxy(web: Web) -> None:
    """It is the host's."""
    web.answer("/x", Answer.page("No", 407))
    result = fetch_error(web.url("/x"))
    assert (result.reason, result.from_proxy) == (Reason.HTTP_STATUS, False)


def test_refused_connection() -> None:
    """It is told from a timeout."""
    assert fetch_error(f"http://127.0.0.1:{unused_port()}/").reason is Reason.CONNECTION_REFUSED


def test_unknown_host_name() -> None:
    """`.invalid` never resolves (RFC 6761)."""
    assert fetch_error("http://no-such-host.invalid/", 5.0).reason is Reason.DNS_ERROR


def test_connect_timeout() -> None:
    """Connecting gets half of the time."""
    with blackhole() as port:
        result = fetch_error(f"http://127.0.0.1:{port}/", 6.0)
    assert result.reason is Reason.CONNECT_TIMEOUT
    assert 2.9 < result.seconds < 6.0


def test_endless_body_is_too_large(web: Web) -> None:
    """It is aborted at 20 MB, with or without chunks."""
    for chunked in (False, True):
        web.answer("/x", Answer(body=PICTURE, endless=True, chunked=chunked))
        assert fetch_error(web.url("/x"), 10.0).reason is Reason.TOO_LARGE


def test_gzip_bomb_is_too_large(web: Web) -> None:
    """It is aborted while it is decompressed, also after a redirect."""
    web.answer("/bomb", Answer(body=bytes(40_000_000), gzip=True))
    web.answer("/x", Answer.redirect("/bomb"))
    for path in ("/bomb", "/x"):
        assert fetch_error(web.url(path), 10.0).reason is Reason.TOO_LARGE


def test_redirect_to_a_dead_host(web: Web) -> None:
    """The status is that of the redirect."""
    web.answer("/x", Answer.redirect(f"http://127.0.0.1:{unused_port()}/"))
    result = fetch_error(web.url("/x"))
    assert (result.reason, result.http_status) == (Reason.CONNECTION_REFUSED, 302)


@pytest.mark.parametrize("value", ["7", " 7 ", "0", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "-1", ""])
def test_retry_after(web: Web, value: str) -> None:
    """In seconds, or None."""
    web.answer("/x", Answer(status=429, headers=(f"Retry-After: {value}",)))
    expected = {"7": 7.0, " 7 ": 7.0, "0": 0.0, "Wed, 21 Oct 2099 07:28:00 GMT": MAX_RETRY_AFTER}
    assert fetch_error(web.url("/x")).retry_after == expected.get(value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 1 -keyout {path} -out {path}.crt"
    try:
        subprocess.run(command.split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def tls_handler(certificate: Path) -> Callable[..., None]:
    """Return a handler that answers one connection with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def handle(client: object) -> None:
        with context.wrap_socket(client, server_side=True) as secure:  # type: ignore[arg-type]
            secure.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    return handle


def test_self_signed_certificate(certificate: Path) -> None:
    """Neither a body nor a redirect is accepted."""
    with serving(tls_handler(certificate)) as port:
        assert fetch_error(f"https://127.0.0.1:{port}/", 5.0).reason is Reason.TLS_ERROR
        with Web() as web:
            web.answer("/x", Answer.redirect(f"https://localhost:{port}/"))
            assert fetch_error(web.url("/x"), 5.0).reason is Reason.TLS_ERROR


def test_http_to_a_tls_port(certificate: Path) -> None:
    """The server hangs up, or sends bytes that are not HTTP."""
    with serving(tls_handler(certificate)) as port:
        assert fetch_error(f"http://127.0.0.1:{port}/", 5.0).reason is Reason.CONNECTION_ERROR


def test_tls_to_an_http_port() -> None:
    """A server that does not answer times out."""
    with serving(lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert fetch_error(f"https://127.0.0.1:{port}/", 5.0).reason is Reason.TLS_ERROR
    with serving(lambda client: client.recv(1 << 20) and time.sleep(2)) as port:
        assert fetch_error(f"https://127.0.0.1:{port}/").reason is Reason.CONNECT_TIMEOUT


PROXIED = ("http://public.test/a", "https://public.test/a")


def proxy_failure(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str, timeout: float = 1.0) -> FetchError:
    """Fetch a URL through a proxy that does not work."""
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    result = fetch_error(url, timeout)
    assert "proxy" in result.description.lower() or not result.from_proxy
    return result


@pytest.mark.parametrize("url", PROXIED)
def test_unusable_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whether it refuses, is unreachable, has no name or an invalid URL: the failure is not the host's."""
    with blackhole() as port:
        for proxy in (
            f"http://127.0.0.1:{unused_port()}",
            f"socks5h://127.0.0.1:{unused_port()}",
            f"http://127.0.0.1:{port}",
            "http://no-such-proxy.invalid:80",
            "what://127.0.0.1:1",
            "!!! nonsense",
        ):
            result = proxy_failure(monkeypatch, url, proxy)
            assert (result.reason, result.from_proxy) == (Reason.CONNECTION_ERROR, True), proxy


@pytest.mark.parametrize("url", PROXIED)
def test_proxy_that_requires_a_password(web: Web, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A 407 is an error of the proxy."""
    web.otherwise(Answer.page("Who are you?", 407))
    web.answer("public.test:443", Answer.page("Who are you?", 407))
    result = proxy_failure(monkeypatch, url, web.url(""))
    assert (result.reason, result.from_proxy) == (Reason.CONNECTION_ERROR, True)


SOCKS_ACCEPTS = b"\x05\x00"


def is_silent(client: socket.socket) -> None:
    """Read until the client gives up."""
    while client.recv(65536):
        continue


def sends(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a handler that answers the first bytes, whatever they are, and closes the connection."""

    def handle(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(answer)

    return handle


BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
UNUSABLE = {
    "silent": (is_silent, ("http", "https", "socks4a", "socks5", "socks5h"), "does not respond"),
    "HTTP": (sends(BAD_REQUEST), ("https", "socks4a", "socks5h"), "No TLS|does not speak SOCKS"),
    "closes": (sends(b""), ("https", "socks4a", "socks5h"), "No TLS|does not speak SOCKS"),
    "SSH": (sends(b"SSH-2.0-x\r\n"), ("https", "socks4a", "socks5h"), "No TLS|does not speak SOCKS"),
    "SOCKS": (sends(SOCKS_ACCEPTS), ("https",), "No TLS"),
    "login": (sends(b"\x05\xff"), ("socks5h",), "requires a name and a password"),
}


@pytest.mark.parametrize("url", PROXIED)
@pytest.mark.parametrize("case", UNUSABLE)
def test_proxy_that_does_not_speak_as_its_address_says(
    monkeypatch: pytest.MonkeyPatch, case: str, url: str
) -> None:
    """It is the fault of the proxy, also if the proxy never responds."""
    handle, schemes, words = UNUSABLE[case]
    with serving(handle) as port:
        for scheme in schemes:
            result = proxy_failure(monkeypatch, url, f"{scheme}://127.0.0.1:{port}")
            assert (result.reason, result.from_proxy) == (Reason.CONNECTION_ERROR, True), scheme
            assert re.search(words, result.description), scheme


def test_proxy_that_does_not_speak_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage instead of a status line."""
    with serving(sends(b"SSH-2.0-x\r\n")) as port:
        result = proxy_failure(monkeypatch, PROXIED[0], f"http://127.0.0.1:{port}")
    assert (result.from_proxy, result.description) == (
        True,
        "The proxy does not speak HTTP as its address says.",
    )


def test_silent_proxy_fails_all_its_transfers_and_no_other(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, also those that started later; hosts without a proxy are not concerned."""
    web.otherwise(lambda _request: Answer(body=PICTURE, delay=2.0))
    with serving(is_silent) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        results = fetch_all([*(f"http://{number}.test/" for number in range(20)), web.url("/x")], 4.0)
    assert [isinstance(result, FetchError) and result.from_proxy for result in results] == [True] * 20 + [
        False
    ]
    assert isinstance(results[-1], Response)


def socks_proxy(replies: dict[bytes, bytes | None]) -> Callable[[socket.socket], None]:
    """Return the handler of a SOCKS 5 proxy with these replies by a word in the request; None for none."""

    def handle(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(SOCKS_ACCEPTS)
        request = client.recv(65536)
        reply = next((reply for word, reply in replies.items() if word in request), b"\x05")
        if reply is None:
            is_silent(client)
        else:
            client.sendall(b"\x05" + reply + b"\x00\x01" + bytes(6))
            is_silent(client)

    return handle


def test_hosts_behind_a_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a working proxy replies is about the host, as is its silence while it waits for one."""
    replies = {b"refused": b"\x05", b"unreachable": b"\x04", b"not-allowed": b"\x02", b"slow": None}
    reasons = {
        "refused": Reason.CONNECTION_REFUSED,
        "unreachable": Reason.CONNECTION_REFUSED,
        "not-allowed": Reason.CONNECTION_ERROR,
        "slow": Reason.CONNECT_TIMEOUT,
    }
    with serving(socks_proxy(replies)) as port:
        for name, reason in reasons.items():
            for scheme in ("http", "https"):
                monkeypatch.setenv("all_proxy", f"socks5h://127.0.0.1:{port}")
                result = fetch_error(f"{scheme}://{name}.test/", 4.0)
                assert (result.reason, result.from_proxy) == (reason, False), name
                assert result.connect_failed


def test_slow_host_behind_a_proxy_that_has_not_responded(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked whether it works, and the host times out; with TLS and without."""
    web.otherwise(Answer.page("Not from me", 403))
    web.answer("http://public.test/a", Answer(hang=True))
    web.answer("public.test:443", Answer(hang=True))
    for url, reason in zip(PROXIED, (Reason.TIMEOUT, Reason.CONNECT_TIMEOUT), strict=True):
        result = proxy_failure(monkeypatch, url, web.url(""), 4.0)
        assert (result.reason, result.from_proxy) == (reason, False)


def test_error_of_a_host_behind_a_proxy(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """502, 403 and a timeout of a working proxy are about the host."""
    web.otherwise(Answer.page("No answer from there", 502))
    web.answer("http://public.test/slow", Answer(hang=True))
    web.answer("public.test:443", Answer.page("Not allowed", 403))
    for url, status in ((PROXIED[0], 502), (PROXIED[1], 403), ("http://public.test/slow", 0)):
        result = proxy_failure(monkeypatch, url, web.url(""))
        assert (result.http_status, result.from_proxy) == (status, False)


def test_unknown_length(web: Web) -> None:
    """Only then a truncated body looks complete."""
    for known, answer in (
        (True, Answer(body=PICTURE)),
        (True, Answer(body=PICTURE, chunked=True)),
        (True, Answer(body=PICTURE, gzip=True)),
        (True, Answer(body=PICTURE, headers=(f"Content-Length: {len(PICTURE)}",))),
        (False, Answer(body=PICTURE, length=Length.OMITTED)),
        (False, Answer(body=PICTURE, length=Length.OMITTED, headers=("Transfer-Encoding: identity",))),
    ):
        web.answer("/x", answer)
        got = fetch_body(web.url("/x"))
        assert (got.data, got.length_known) == (PICTURE, known)
