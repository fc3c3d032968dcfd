"""Runs over https: only valid certificates of a known authority are accepted."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pycurl
import pytest

from demo import pictures
from tests.fetching import fetch_body, fetch_error, serving
from tests.machine import with_files
from tests.prerequisites.helpers import run
from tests.project import Project
from utils.errors import OneSourceError
from utils.fetch import lenient_http
from utils.fetch.certificates import BUNDLES, Authorities
from utils.fetch.file_download import DownloadOptions, download
from utils.fetch.redirects import RedirectGuard
from utils.reasons import Reason

RED = "n00000001"
DAYS = {"sound": 2, "expired": -1, "of another host": 2}
NAMES = {"sound": "IP:127.0.0.1", "expired": "IP:127.0.0.1", "of another host": "DNS:elsewhere.test"}
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority and certificates that it has signed; returns their folder."""
    folder = tmp_path_factory.mktemp("certificates")
    _openssl(folder, "ecparam -name prime256v1 -genkey -noout -out key.pem")
    _openssl(folder, "req -x509 -new -key key.pem -subj /CN=authority -days 2 -out authority.pem")
    _openssl(folder, "req -x509 -new -key key.pem -subj /CN=nobody -days 2 -out self-signed.pem")
    for case, days in DAYS.items():
        (folder / "names.cnf").write_text(f"subjectAltName={NAMES[case]}\n")
        _openssl(folder, "req -new -key key.pem -subj /CN=host -out request.pem")
        sign = f"x509 -req -in request.pem -CA authority.pem -CAkey key.pem -days {days} -extfile names.cnf"
        (folder / f"{case}.pem").write_bytes(_openssl(folder, sign))
    return folder


def _openssl(folder: Path, command: str) -> bytes:
    return subprocess.run(
        ["openssl", *command.split()], cwd=folder, check=True, capture_output=True, text=False
    ).stdout


def tls_server(authority: Path, case: str, header: bytes = b"") -> Callable[[socket.socket], None]:
    """Return a handler that sends a picture over TLS with a certificate, and another line of headers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{case}.pem", authority / "key.pem")
    body = pictures.jpeg(seed=1)
    head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n" % (header, len(body))

    def speak(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(head + body)

    return speak


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Reason.CONNECTION_ERROR),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n", Reason.CONNECTION_ERROR),
    ],
)
def test_close_without_a_closing_message(
    authority: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, reason: Reason | None
) -> None:
    """It ends a body without a stated length, which the decoder of the image judges; no other one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "sound.pem", authority / "key.pem")

    def speak(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secure:  # its `close` sends no message
            secure.recv(65536)
            secure.sendall(head + b"contents")

    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "authority.pem"))
    with serving(speak) as port:
        if reason is None:
            response = fetch_body(f"https://127.0.0.1:{port}/")
            assert (response.data, response.length_known) == (b"contents", False)
        else:
            assert fetch_error(f"https://127.0.0.1:{port}/").reason is reason


@contextlib.contextmanager
def served(project: Project, authority: Path, *cases: str) -> Iterator[None]:
    """Add a URL of a host for each certificate."""
    project.category(RED, "red")
    with contextlib.ExitStack() as stack:
        for number, case in enumerate(cases):
            port = stack.enter_context(serving(tls_server(authority, case)))
            project.url(f"{RED}_{number}", f"https://127.0.0.1:{port}/{number}")
        yield


def test_unknown_authority(project: Project, authority: Path) -> None:
    """Neither self-signed certificates nor those of unknown authorities are accepted; there is no retry."""
    with served(project, authority, "self-signed", "sound"):
        finished = project.run("--retries", "1")
    assert finished.code == 1
    assert "Traceback" not in finished.err
    told = [(row["reason"], row["attempts"]) for row in project.report("red")]
    assert told == [("tls_error", "1")] * 2


def test_known_authority(project: Project, authority: Path) -> None:
    """Valid certificates are accepted, expired ones and those of other hosts are not."""
    prefix = with_files({Path(certifi.where()): authority / "authority.pem"})
    with served(project, authority, "sound", "expired", "of another host"):
        finished = project.run("--retries", "1", prefix=prefix)
    assert (finished.code, finished.err) == (0, "")
    assert [row["reason"] for row in project.report("red")] == ["", "tls_error", "tls_error"]
    assert project.images("red") == {f"{RED}_0.jpg"}


def hashed_folder(authority: Path) -> Path:
    """Return a folder with the authority's certificate under the name that OpenSSL looks for."""
    folder = authority / "folder"
    folder.mkdir(exist_ok=True)
    name = _openssl(authority, "x509 -in authority.pem -noout -hash").decode().strip()
    shutil.copyfile(authority / "authority.pem", folder / f"{name}.0")
    return folder


@pytest.mark.parametrize(
    ("variable", "is_folder"),
    [
        *((name, False) for name in BUNDLES),
        *((name, True) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")),
    ],
)
def test_authority_of_the_environment(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, is_folder: bool
) -> None:
    """A company's own authority is trusted by both scripts' downloads, through any of the usual variables."""
    with serving(tls_server(authority, "sound")) as port:
        url = f"https://127.0.0.1:{port}/x"
        options = DownloadOptions(retry_delays=())
        assert fetch_error(url, 5.0).reason is Reason.TLS_ERROR
        with pytest.raises(OneSourceError, match="certificate is not accepted"):
            download(url, tmp_path / "file", options=options)
        place = hashed_folder(authority) if is_folder else authority / "authority.pem"
        monkeypatch.setenv(variable, str(place))
        assert fetch_body(url).data == pictures.jpeg(seed=1)
        download(url, tmp_path / "file", options=options)
    assert (tmp_path / "file").read_bytes() == pictures.jpeg(seed=1)


def test_header_line_without_a_colon(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request, which reads such a response, checks certificates like the first."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "authority.pem"))
    with serving(tls_server(authority, "sound", header=b"no colon\r\n")) as port:
        url = f"https://127.0.0.1:{port}/x"
        assert fetch_body(url).data == pictures.jpeg(seed=1)
        guard, unknown = RedirectGuard(url), Authorities.from_environment({})
        response = lenient_http.fetch(url, {}, guard=guard, authorities=unknown, seconds=5.0)
    assert response.code == pycurl.E_RECV_ERROR


def test_tls_to_a_proxy(authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate of a proxy is checked with the same authorities."""
    with serving(tls_server(authority, "sound")) as port:
        monkeypatch.setenv("http_proxy", f"https://127.0.0.1:{port}")
        assert fetch_error("http://images.test/x", 5.0).description.startswith(
            "No TLS connection to the proxy"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(authority / "authority.pem"))
        assert fetch_body("http://images.test/x").data == pictures.jpeg(seed=1)
        download("http://images.test/x", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == pictures.jpeg(seed=1)


@pytest.mark.parametrize(
    ("environment", "file", "folder"),
    [
        ({}, certifi.where(), ""),
        ({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}, certifi.where(), ""),
        ({"SSL_CERT_FILE": "/a"}, "/a", ""),
        ({"SSL_CERT_FILE": "/a", "SSL_CERT_DIR": "/b:/c"}, "/a", "/b:/c"),
        ({"SSL_CERT_DIR": "/b"}, certifi.where(), "/b"),
        ({"SSL_CERT_FILE": "/a", "CURL_CA_BUNDLE": "/b", "REQUESTS_CA_BUNDLE": "/c"}, "/c", ""),
        ({"SSL_CERT_FILE": "/a", "CURL_CA_BUNDLE": "/b"}, "/b", ""),
        ({"CURL_CA_BUNDLE": "/"}, certifi.where(), "/"),
    ],
)
def test_variables(environment: dict[str, str], file: str, folder: str) -> None:
    """The variables of requests come first, then that of curl, then those of OpenSSL."""
    authorities = Authorities.from_environment(environment)
    assert (authorities.file, authorities.folder) == (file, folder)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_loaded(project: Project, tmp_path: Path, content: bytes | None) -> None:
    """Both scripts say so in one sentence before they start."""
    file = tmp_path / "company.pem"
    if content is not None:
        file.write_bytes(content)
    project.category(RED, "red")
    project.url(f"{RED}_0", "https://127.0.0.1:1/x")
    project.environment = {"SSL_CERT_FILE": str(file)}
    finished = project.run()
    assert finished.code == 2
    assert finished.err.startswith(f"The certificates of SSL_CERT_FILE cannot be loaded from {file} (")
    assert finished.err.count("\n") == 1
    assert not project.result.exists()
    first_script = run(tmp_path / "home", "--only", "ncodes", SSL_CERT_FILE=str(file))
    assert (first_script.code, first_script.err) == (2, finished.err)
