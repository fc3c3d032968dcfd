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
import pytest

from demo import pictures
from tests.fetching import serving
from tests.machine import with_files
from tests.project import Project

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


def tls_server(authority: Path, case: str) -> Callable[[socket.socket], None]:
    """Return a handler that sends a picture over TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{case}.pem", authority / "key.pem")
    body = pictures.jpeg(seed=1)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)

    def speak(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(answer)

    return speak


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
