"""Hosts that cannot be reached cost little, and only themselves; hosts that come back are not lost."""

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
from tests.fetching import unused_port, vanishing
from tests.machine import SERVER_FAILURE, NameServer, asking, wait_until
from tests.project import Finished, Project

RED = "n00000001"
HASTE = ("--timeout", "3", "--retries", "1")


def by_path(request: Request) -> Answer:
    """Answer each path with a picture of its own."""
    return Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/"))))


def offer(project: Project, host: str, numbers: range) -> None:
    """Offer URLs of a host."""
    for number in numbers:
        project.url(f"{RED}_{number}", f"http://{host}/{number}")


def run(project: Project, *flags: str, prefix: tuple[str, ...] = ()) -> Finished:
    """Run the script; it must come to a good end, with a row for each URL."""
    finished = project.run(*HASTE, *flags, prefix=prefix)
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["image_code"] for row in rows] == [image_code for image_code, *_ in project.rows]
    saved = [row for row in rows if row["status"] in ("downloaded", "already_present")]
    assert project.images("red") == {Path(row["file"]).name for row in saved}
    return finished


def reasons(project: Project, numbers: range) -> Counter[str]:
    """Count the reasons of some rows; saved ones have none."""
    codes = {f"{RED}_{number}" for number in numbers}
    return Counter(row["reason"] for row in project.report("red") if row["image_code"] in codes)


class Pictures(BaseHTTPRequestHandler):
    """Answers each path with a picture of its own."""

    def do_GET(self) -> None:
        """Answer."""
        body = pictures.jpeg(seed=int(self.path.strip("/")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep silent."""


@contextlib.contextmanager
def asleep() -> Iterator[ThreadingHTTPServer]:
    """Give a server that refuses until its `server_activate` is called."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures, bind_and_activate=False) as server:
        server.server_bind()
        yield server


def wake_when(server: ThreadingHTTPServer, condition: Callable[[], bool]) -> threading.Thread:
    """Let a server listen as soon as a condition holds, until it is shut down."""

    def wake() -> None:
        wait_until(condition)
        server.server_activate()
        server.serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=wake, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def mixed(project: Project, web: Web) -> Project:
    """Offer sixty good URLs."""
    project.category(RED, "red")
    web.otherwise(by_path)
    offer(project, f"127.0.0.1:{web.port}", range(60))
    return project


def test_a_name_that_does_not_resolve(mixed: Project) -> None:
    """500 URLs of a host without a name do not cost 500 look-ups, and the others nothing."""
    offer(mixed, "no-such-host.invalid", range(100, 600))
    assert run(mixed).seconds < 40
    counts = reasons(mixed, range(100, 600))
    assert set(counts) == {"dns_error", "dead_host"}
    assert counts["dns_error"] <= 20
    assert reasons(mixed, range(60)) == {"": 60}


def test_few_look_ups(mixed: Project) -> None:
    """The name server itself is asked a few times, not 500."""
    offer(mixed, "nobody.test", range(100, 600))
    server = NameServer()
    with asking(mixed.path, server) as prefix:
        run(mixed, prefix=prefix)
    assert 0 < server.asked["nobody.test"] <= 20
    assert reasons(mixed, range(60)) == {"": 60}


def test_a_name_server_that_fails_twice(mixed: Project, web: Web) -> None:
    """Its failures cost the URLs that met them; the rest of the host's URLs, and the next run, go well."""
    offer(mixed, f"moody.test:{web.port}", range(100, 140))
    server = NameServer(moody_test=[SERVER_FAILURE, SERVER_FAILURE, "127.0.0.1"])
    with asking(mixed.path, server) as prefix:
        run(mixed, prefix=prefix)
        counts = reasons(mixed, range(100, 140))
        assert server.asked["moody.test"] > 2
        assert set(counts) <= {"", "dns_error"}  # the system may ask again by itself, and hide a failure
        assert counts["dns_error"] <= 8
        run(mixed, prefix=prefix)
    assert len(mixed.images("red")) == 100


def test_a_host_where_connections_vanish(mixed: Project) -> None:
    """100 URLs of a blackhole cost a few timeouts, not a hundred; the good ones beside it are saved."""
    with vanishing() as port:
        offer(mixed, f"127.0.0.1:{port}", range(100, 200))
        assert run(mixed).seconds < 30
    counts = reasons(mixed, range(100, 200))
    assert set(counts) == {"connect_timeout", "dead_host"}
    assert counts["connect_timeout"] <= 20
    assert reasons(mixed, range(60)) == {"": 60}


def test_a_host_that_refuses(mixed: Project) -> None:
    """It is given up after few tries, and asked anew by the next run."""
    port = unused_port()
    offer(mixed, f"127.0.0.1:{port}", range(100, 200))
    for _ in range(2):
        run(mixed)
        counts = reasons(mixed, range(100, 200))
        assert set(counts) == {"connection_refused", "dead_host"}
        assert counts["connection_refused"] <= 20
    tried = [row for row in mixed.report("red") if row["reason"] == "connection_refused"]
    assert {row["attempts"] for row in tried} == {"1"}


def test_a_host_that_refuses_at_first(mixed: Project) -> None:
    """One that is just being restarted costs those URLs that met it, and no other."""
    journal = mixed.result / "red" / ".journal.jsonl"
    with asleep() as server:
        offer(mixed, f"127.0.0.1:{server.server_port}", range(100, 140))
        mixed.rows.reverse()  # so that they are met first
        thread = wake_when(server, lambda: journal.exists() and b"connection_refused" in journal.read_bytes())
        run(mixed)
        counts = reasons(mixed, range(100, 140))
        assert set(counts) == {"", "connection_refused"}
        assert counts["connection_refused"] <= 16
        run(mixed)
        server.shutdown()
        thread.join()
    assert len(mixed.images("red")) == 100


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
@pytest.mark.parametrize("fate", ["nobody listens", "connections vanish"])
def test_a_dead_address_beside_a_living_one(project: Project, web: Web, fate: str) -> None:
    """A host of two addresses, of which the IPv6 one is dead, is as good as any."""
    project.category(RED, "red")
    web.otherwise(by_path)
    offer(project, f"localhost:{web.port}", range(30))
    with contextlib.ExitStack() as stack:
        if fate == "connections vanish":
            stack.enter_context(vanishing("::1", web.port))
        run(project)
    assert len(project.images("red")) == 30
