"""Runs with a proxy from the environment."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer, Length
from demo.web import Web
from tests.fetching import blackhole, fetch_body, serving, unused_port
from tests.project import ALONE, Project
from utils.fetch.file_download import download

RED = "n00000001"
URLS = 40


@pytest.fixture
def public(project: Project) -> Project:
    """Add URLs of ten hosts that exist only behind a proxy."""
    project.category(RED, "red")
    for number in range(URLS):
        project.url(f"{RED}_{number}", f"http://host{number % 10}.test/{number}")
    return project


def serve(proxy: Web) -> None:
    """Make a server the proxy of these hosts."""
    for number in range(URLS):
        body = pictures.jpeg(seed=number)
        proxy.answer(f"http://host{number % 10}.test/{number}", Answer.jpeg(body))


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_working_proxy(public: Project, web: Web, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """All images are saved, each with one request; the variable may be in upper or lower case."""
    serve(web)
    monkeypatch.setenv(name, web.url(""))
    finished = public.run(*(() if name == "http_proxy" else ALONE))
    assert (finished.code, finished.err) == (0, "")
    assert len(public.images("red")) == URLS
    assert len(web.requests) == URLS


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("exceptions", ["127.0.0.0/8", "a.test, 127.0.0.1", "*"])
def test_hosts_without_the_proxy(
    project: Project, web: Web, monkeypatch: pytest.MonkeyPatch, name: str, exceptions: str
) -> None:
    """The exceptions hold for both scripts' downloads alike."""
    body = pictures.jpeg(seed=1)
    web.otherwise(Answer.jpeg(body))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv(name, exceptions)
    download(web.url("/list"), project.path / "list")
    assert (project.path / "list").read_bytes() == body
    assert fetch_body(web.url("/x")).data == body


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_big_files_through_the_proxy(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Lists and tars use the same proxy as images, for the target of a redirect, too."""
    web.answer("http://lists.test/list", Answer.redirect("http://other.test/list"))
    web.answer("http://other.test/list", Answer(body=b"a list"))
    monkeypatch.setenv(name, web.url("").replace("http://", "http://me:secret@"))
    download("http://lists.test/list", tmp_path / "list")
    assert (tmp_path / "list").read_bytes() == b"a list"
    login = "Basic " + base64.b64encode(b"me:secret").decode()
    assert {request.headers.get("proxy-authorization") for request in web.requests} == {login}


def socks_proxy(web: Web) -> Callable[[socket.socket], None]:
    """Return the handler of a SOCKS 5 proxy that leads to a server, whatever host it is asked for."""

    def handle(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"\x05\x00")
        assert b"images.test" in client.recv(65536)
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        with socket.create_connection(("127.0.0.1", web.port)) as server:
            server.sendall(client.recv(65536))
            while chunk := server.recv(65536):
                client.sendall(chunk)

    return handle


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_proxy(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """It gets the names of hosts; big files use it like images."""
    pytest.importorskip("socks", reason="requests needs PySocks")
    web.otherwise(Answer(body=b"a body", length=Length.OMITTED))
    with serving(socks_proxy(web)) as port:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
        assert fetch_body("http://images.test/x").data == b"a body"
        download("http://images.test/list", tmp_path / "list")
    assert (tmp_path / "list").read_bytes() == b"a body"


def never_responds(client: socket.socket) -> None:
    """Read until the client gives up."""
    while client.recv(65536):
        continue


@pytest.mark.parametrize(
    "fault",
    [
        *("refuses", "vanishes", "has no name", "wants a password"),
        *("never responds", "never responds to SOCKS", "speaks no TLS", "speaks no SOCKS"),
    ],
)
def test_unusable_proxy_ends_the_run(
    public: Project, web: Web, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """With one message that names it; no host is given up, and a next run succeeds."""
    web.otherwise(Answer.page("Who are you?", 407))
    with blackhole() as port, serving(never_responds) as silent:
        proxies = {
            "never responds": f"http://127.0.0.1:{silent}",
            "never responds to SOCKS": f"socks5://127.0.0.1:{silent}",
            "speaks no TLS": web.url("").replace("http://", "https://"),
            "speaks no SOCKS": web.url("").replace("http://", "socks5://"),
            "refuses": f"http://127.0.0.1:{unused_port()}",
            "vanishes": f"http://127.0.0.1:{port}",
            "has no name": "http://no-such-proxy.invalid:3128",
            "wants a password": web.url(""),
        }
        monkeypatch.setenv("http_proxy", proxies[fault])
        finished = public.run("--timeout", "2", *(() if fault == "refuses" else ALONE))
    assert finished.code == 1
    assert "http_proxy" in finished.err
    assert finished.err.count("\n") == 1
    rows = public.report("red")
    assert [row["image_code"] for row in rows] == [f"{RED}_{number}" for number in range(URLS)]
    assert {row["reason"] for row in rows} <= {"connection_error", "interrupted"}
    if fault == "vanishes":
        serve(web)
        monkeypatch.setenv("http_proxy", web.url(""))
        assert public.run(*ALONE).code == 0
        assert len(public.images("red")) == URLS


def test_no_redirect_to_a_private_address_through_a_proxy(
    project: Project, make_web: Callable[[], Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any spelling."""
    proxy, inside = make_web(), make_web()
    inside.otherwise(Answer.jpeg(pictures.jpeg(seed=1)))
    targets = [
        inside.url("/secret"),
        f"http://localhost:{inside.port}/secret",
        f"http://2130706433:{inside.port}/secret",
        f"http://[::ffff:127.0.0.1]:{inside.port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x.jpg",
    ]
    project.category(RED, "red")
    for number, target in enumerate([*targets, "http://two.test/fine"]):
        proxy.answer(f"http://one.test/{number}", Answer.redirect(target))
        project.url(f"{RED}_{number}", f"http://one.test/{number}")
    proxy.answer("http://two.test/fine", Answer.jpeg(pictures.jpeg(seed=2)))
    monkeypatch.setenv("http_proxy", proxy.url(""))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    finished = project.run(*ALONE)
    assert (finished.code, finished.err) == (0, "")
    assert [row["reason"] for row in project.report("red")] == ["forbidden_redirect"] * len(targets) + [""]
    assert inside.requests == []
    assert all(".test/" in request.path for request in proxy.requests)


def test_credentials_are_sent_to_their_host_only(project: Project, make_web: Callable[[], Web]) -> None:
    """Those of a URL are not sent to where it redirects, and no others are sent."""
    here, there = make_web(), make_web()
    here.answer("/open", Answer.jpeg(pictures.jpeg(seed=1)))
    here.answer("/away", Answer.redirect(there.url("/final")))
    there.answer("/final", Answer.jpeg(pictures.jpeg(seed=2)))
    project.category(RED, "red")
    for number, path in enumerate(("/open", "/away")):
        project.url(f"{RED}_{number}", here.url(path).replace("//", "//me:pa%20ss@"))
    project.url(f"{RED}_2", there.url("/final?plain"))
    there.answer("/final?plain", Answer.jpeg(pictures.jpeg(seed=3)))
    (project.path / ".netrc").write_text("machine 127.0.0.1 login other password secret\n")
    finished = project.run(*ALONE, prefix=("env", f"HOME={project.path}"))
    assert (finished.code, finished.err) == (0, "")
    expected = "Basic " + base64.b64encode(b"me:pa ss").decode()
    assert {request.headers.get("authorization") for request in here.requests} == {expected}
    assert {request.headers.get("authorization") for request in there.requests} == {None}
    assert [row["url"] for row in project.report("red")] == [row[1] for row in project.rows]
    assert {Path(name).suffix for name in project.images("red")} == {".jpg"}
