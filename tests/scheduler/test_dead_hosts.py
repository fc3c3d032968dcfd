"""Runs with real dead hosts: they cost few requests, and hosts that recover are not lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer, Request
from demo.web import Web
from tests.fetching import blackhole, unused_port
from tests.machine import SERVER_FAILURE, NameServer, wait_until, with_name_server
from tests.project import Finished, Project

RED = "n00000001"
HASTE = ("--timeout", "8", "--retries", "1")


def by_path(request: Request) -> Answer:
    """Answer each path with its own picture."""
    return Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/"))))


def add_urls(project: Project, host: str, numbers: range) -> None:
    """Add URLs of a host."""
    for number in numbers:
        project.url(f"{RED}_{number}", f"http://{host}/{number}")


def run(project: Project, *flags: str, prefix: tuple[str, ...] = ()) -> Finished:
    """Run the script; it must succeed, with a row for each URL."""
    finished = project.run(*HASTE, *flags, prefix=prefix)
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["image_code"] for row in rows] == [image_code for image_code, *_ in project.rows]
    saved = [row for row in rows if row["status"] in ("downloaded", "already_present")]
    assert project.images("red") == {Path(row["file"]).name for row in saved}
    return finished


def reasons(project: Project, numbers: range) -> Counter[str]:
    """Count the reasons of some rows."""
    codes = {f"{RED}_{number}" for number in numbers}
    return Counter(row["reason"] for row in project.report("red") if row["image_code"] in codes)


class PictureHandler(BaseHTTPRequestHandler):
    """Answers each path with its own picture."""

    def do_GET(self) -> None:
        """Answer."""
        body = pictures.jpeg(seed=int(self.path.strip("/")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def inactive_server() -> Iterator[ThreadingHTTPServer]:
    """Yield a server that refuses connections until its `server_activate` is called."""
    with ThreadingHTTPServer(("127.0.0.1", 0), PictureHandler, bind_and_activate=False) as server:
        server.server_bind()
        yield server


def activate_when(server: ThreadingHTTPServer, condition: Callable[[], bool]) -> threading.Thread:
    """Activate a server when a condition holds, until it is shut down."""

    def wake() -> None:
        wait_until(condition)
        server.server_activate()
        server.serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=wake, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def mixed(project: Project, web: Web) -> Project:
    """Add twenty good URLs."""
    project.category(RED, "red")
    web.otherwise(by_path)
    add_urls(project, f"127.0.0.1:{web.port}", range(20))
    return project


def test_few_look_ups(mixed: Project) -> None:
    """Some hundred URLs of a name that does not resolve cost a few look-ups, and no other URL."""
    add_urls(mixed, "unknown.test", range(100, 400))
    server = NameServer()
    with with_name_server(mixed.path, server) as prefix:
        run(mixed, prefix=prefix)
    assert 0 < server.lookups["unknown.test"] <= 20
    counts = reasons(mixed, range(100, 400))
    assert set(counts) == {"dns_error", "dead_host"}
    assert counts["dns_error"] <= 20
    assert reasons(mixed, range(20)) == {"": 20}


def test_name_server_that_fails_twice(mixed: Project, web: Web) -> None:
    """Only the URLs that met the failures fail; the next run saves them."""
    add_urls(mixed, f"failing.test:{web.port}", range(100, 140))
    server = NameServer(failing_test=[SERVER_FAILURE, SERVER_FAILURE, "127.0.0.1"])
    with with_name_server(mixed.path, server) as prefix:
        run(mixed, prefix=prefix)
        counts = reasons(mixed, range(100, 140))
        assert server.lookups["failing.test"] > 2
        assert set(counts) <= {"", "dns_error"}  # the system may ask again by itself, and hide a failure
        assert counts["dns_error"] <= 8
        run(mixed, prefix=prefix)
    assert len(mixed.images("red")) == 60


def test_blackholed_host(mixed: Project) -> None:
    """Its 100 URLs cost a few timeouts; the good ones are saved."""
    with blackhole() as port:
        add_urls(mixed, f"127.0.0.1:{port}", range(100, 200))
        run(mixed)
    counts = reasons(mixed, range(100, 200))
    assert set(counts) == {"connect_timeout", "dead_host"}
    assert counts["connect_timeout"] <= 20
    assert reasons(mixed, range(20)) == {"": 20}


def test_refusing_host(mixed: Project) -> None:
    """It is given up after few requests, and tried again by the next run."""
    port = unused_port()
    add_urls(mixed, f"127.0.0.1:{port}", range(100, 200))
    for _ in range(2):
        run(mixed)
        counts = reasons(mixed, range(100, 200))
        assert set(counts) == {"connection_refused", "dead_host"}
        assert counts["connection_refused"] <= 20
    tried = [row for row in mixed.report("red") if row["reason"] == "connection_refused"]
    assert {row["attempts"] for row in tried} == {"1"}


def test_restarting_host(mixed: Project) -> None:
    """Only the URLs that met the refusals fail."""
    journal = mixed.result / "red" / ".journal.jsonl"
    with inactive_server() as server:
        add_urls(mixed, f"127.0.0.1:{server.server_port}", range(100, 140))
        mixed.rows.reverse()  # so that they are met first
        thread = activate_when(
            server, lambda: journal.exists() and b"connection_refused" in journal.read_bytes()
        )
        run(mixed)
        counts = reasons(mixed, range(100, 140))
        assert set(counts) == {"", "connection_refused"}
        assert counts["connection_refused"] <= 16
        run(mixed)
        server.shutdown()
        thread.join()
    assert len(mixed.images("red")) == 60


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
@pytest.mark.parametrize("fate", ["no server listens", "connections vanish"])
def test_dead_address_beside_a_working_one(project: Project, web: Web, fate: str) -> None:
    """A host with a dead IPv6 address is as good as any."""
    project.category(RED, "red")
    web.otherwise(by_path)
    add_urls(project, f"localhost:{web.port}", range(10))
    with contextlib.ExitStack() as stack:
        if fate == "connections vanish":
            stack.enter_context(blackhole("::1", web.port))
        run(project)
    assert len(project.images("red")) == 10
