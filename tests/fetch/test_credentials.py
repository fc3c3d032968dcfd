"""Credentials are sent to their host only, and never shown."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from demo.web import Answer, Reply, Request, Web, resumable
from tests.fetching import serving
from tests.tars import QUICK, WNID, bodies, packed, to_end
from utils.errors import InputError
from utils.fetch.credentials import COOKIE_VARIABLE, TOKEN_VARIABLE, Credentials
from utils.fetch.locations import redacted
from utils.sources.tar_download import TarDownload

TOKEN, COOKIE, PASSWORD = "s3cret-token", "session=s3cret-cookie", "s3cret-password"
BOTH = Credentials(TOKEN, COOKIE)
TERMS = replace(QUICK, credentials=BOTH)
BODY = packed(bodies(3))
NAME = f"/{WNID}.tar"
SENT = {"authorization": f"Bearer {TOKEN}", "cookie": COOKIE}


def fetch(folder: Path, url: str, credentials: Credentials | None = BOTH) -> TarDownload:
    """Download a tar."""
    download = TarDownload(url, folder / f"{WNID}.tar", options=replace(QUICK, credentials=credentials))
    download.start()
    to_end(download)
    download.close(keep=True)
    return download


def received(request: Request) -> dict[str, str]:
    """Return the credentials that a server received."""
    return {name: request.headers[name] for name in SENT if name in request.headers}


@pytest.mark.parametrize(
    ("environment", "headers"),
    [
        ({TOKEN_VARIABLE: TOKEN}, {"Authorization": f"Bearer {TOKEN}"}),
        ({TOKEN_VARIABLE: f"  Bearer {TOKEN}\n"}, {"Authorization": f"Bearer {TOKEN}"}),
        ({COOKIE_VARIABLE: f"Cookie: {COOKIE}\n"}, {"Cookie": COOKIE}),
        ({COOKIE_VARIABLE: COOKIE, TOKEN_VARIABLE: ""}, {"Cookie": COOKIE}),
    ],
)
def test_from_the_environment(environment: dict[str, str], headers: dict[str, str]) -> None:
    """As users copy them: with the header's name, spaces and line ends around them."""
    credentials = Credentials.from_environment(environment)
    assert credentials
    assert credentials.headers() == headers


@pytest.mark.parametrize("environment", [{}, {TOKEN_VARIABLE: " "}, {"HOME": "/"}])
def test_no_credentials(environment: dict[str, str]) -> None:
    """Empty and missing variables give none."""
    assert Credentials.from_environment(environment) is None


@pytest.mark.parametrize("variable", [TOKEN_VARIABLE, COOKIE_VARIABLE])
@pytest.mark.parametrize("value", ["s3cret\r\nX: y", "s3cret\0", "s3crét", "s3cret\u2026"])
def test_invalid_header_value(variable: str, value: str) -> None:
    """The error names the variable and does not show the value."""
    with pytest.raises(InputError, match=variable) as told:
        Credentials.from_environment({variable: value})
    assert "s3cr" not in str(told.value)


def test_repr_has_no_secrets() -> None:
    """Neither of the credentials nor of options that hold them."""
    assert "s3cret" not in f"{BOTH!r} {BOTH} {TERMS!r}"
    assert asdict(BOTH)["token"] == TOKEN


def test_credentials_are_sent_with_every_request(web: Web, tmp_path: Path) -> None:
    """To the host that the user named, also when a download resumes."""
    web.answer(NAME, Answer(body=BODY, cut=30_000, headers=('ETag: "1"',)), resumable(BODY))
    assert fetch(tmp_path, web.url(NAME)).problem == ""
    assert [received(request) for request in web.requests] == [SENT, SENT]


def test_without_credentials_none_are_sent(web: Web, tmp_path: Path) -> None:
    """The request has neither header."""
    web.answer(NAME, resumable(BODY))
    fetch(tmp_path, web.url(NAME), None)
    assert received(web.requests[0]) == {}


def test_redirect_on_the_same_host(web: Web, tmp_path: Path) -> None:
    """The host gets them again."""
    web.answer(NAME, Answer.redirect("/elsewhere"))
    web.answer("/elsewhere", resumable(BODY))
    assert fetch(tmp_path, web.url(NAME)).problem == ""
    assert [received(request) for request in web.requests] == [SENT, SENT]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_redirect_to_another_host(
    make_web: Callable[[], Web], tmp_path: Path, status: int, name: str
) -> None:
    """Another host or port gets none; the own host does on the way back."""
    own, other = make_web(), make_web()
    own.answer(NAME, Answer.redirect(f"http://{name}:{other.port}/1", status))
    other.answer("/1", Answer.redirect("/2", status))
    other.answer("/2", Answer.redirect(own.url("/3"), status))
    own.answer("/3", resumable(BODY))
    assert fetch(tmp_path, own.url(NAME)).problem == ""
    assert [received(request) for request in other.requests] == [{}, {}]
    assert [received(request) for request in own.requests if request.path in (NAME, "/3")] == [SENT, SENT]


def test_cookies_of_the_server_do_not_carry_ours(make_web: Callable[[], Web], tmp_path: Path) -> None:
    """To where it redirects."""
    own, other = make_web(), make_web()
    headers = (f"Location: {other.url(NAME)}", "Set-Cookie: crumb=1")
    own.answer(NAME, Answer(status=302, headers=headers))
    other.answer(NAME, resumable(BODY))
    fetch(tmp_path, own.url(NAME))
    assert "s3cret" not in str(other.requests[0].headers)


def test_netrc_does_not_replace_them(
    make_web: Callable[[], Web], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials of the environment take precedence."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    own = make_web()
    own.answer(NAME, Answer.redirect("/2"))
    own.answer("/2", resumable(BODY))
    fetch(tmp_path, own.url(NAME))
    assert [received(request) for request in own.requests] == [SENT, SENT]


@pytest.mark.parametrize(
    "reply",
    [
        Answer(status=401),
        Answer(status=403),
        Answer(status=500),
        Answer.page("<html>" + "log in " * 500),
        Answer(raw=b"garbage\r\n\r\n"),
        Answer(raw=b""),
        Answer.redirect("http://[::1/x"),
        Answer.redirect("/\r\n"),
        resumable(BODY),
    ],
)
def test_no_secrets_in_logs_and_errors(
    web: Web, tmp_path: Path, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the server answers."""
    web.answer(f"{NAME}?key={PASSWORD}", reply)
    with caplog.at_level(logging.DEBUG):
        url = web.url(f"{NAME}?key={PASSWORD}").replace("http://", f"http://me:{PASSWORD}@")
        download = fetch(tmp_path, url)
    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]
    assert (
        "s3cret"
        not in f"{download.problem} {download.error} {download!r} {[record.getMessage() for record in ours]}"
    )
    assert TOKEN not in caplog.text
    assert COOKIE not in caplog.text
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.iterdir())


def test_rejected_credentials(web: Web, tmp_path: Path) -> None:
    """The message says that they are not accepted."""
    web.answer(NAME, Answer(status=403))
    assert f"the value of {TOKEN_VARIABLE} or {COOKIE_VARIABLE} is not accepted" in (
        fetch(tmp_path, web.url(NAME)).problem
    )


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://me:secret@host:8/x/{code}.tar?key=secret#secret", "https://host:8/x/{code}.tar"),
        ("https://host/x", "https://host/x"),
        ("http://[::1/secret", "the address"),
    ],
)
def test_redacted_locations(url: str, spelled: str) -> None:
    """User, password, query and fragment are removed."""
    assert redacted(url) == spelled


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], str]]:
    """Return a function that starts https servers with one reply, which this machine trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by openssl")
    folder = tmp_path / "certificates"
    folder.mkdir()
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem "
        "-out own.pem -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "own.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    ending = threading.Event()
    stack = []

    def make(answer: bytes) -> str:
        def speak(client: socket.socket) -> None:
            with context.wrap_socket(client, server_side=True) as channel:
                channel.recv(65536)
                channel.sendall(answer)
                if not answer:
                    ending.wait(10)

        server = serving(speak)
        stack.append(server)
        return f"https://127.0.0.1:{server.__enter__()}{NAME}"

    yield make
    ending.set()
    for server in stack:
        server.__exit__(None, None, None)


def test_tar_over_https(secure: Callable[[bytes], str], tmp_path: Path) -> None:
    """A tar is read over TLS as over http."""
    url = secure(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
    assert fetch(tmp_path, url).problem == ""


def test_redirect_from_https_to_http(secure: Callable[[bytes], str], web: Web, tmp_path: Path) -> None:
    """Even the same host gets none."""
    web.answer("/plain", resumable(BODY))
    url = secure(f"HTTP/1.1 302 Found\r\nLocation: {web.url('/plain')}\r\nContent-Length: 0\r\n\r\n".encode())
    assert fetch(tmp_path, url).problem == ""
    assert received(web.requests[0]) == {}


def test_silent_server_over_tls(secure: Callable[[bytes], str], tmp_path: Path) -> None:
    """It is aborted."""
    download = TarDownload(secure(b""), tmp_path / f"{WNID}.tar")
    download.start()
    threading.Event().wait(0.5)
    download.close(keep=False)
    assert not any(thread.name.startswith("tar-download ") for thread in threading.enumerate())
