"""A speed test is a process beside the work, and costs a run nothing, whatever happens."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils.fetch import speed_cache, speed_test
from utils.fetch.speed_test import Measured, SpeedTest

PROJECT = Path(__file__).resolve().parents[1]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SILENT = speed_test.MOST_SECONDS / 2  # well before a speed test would end by itself
CONFIG = """<settings><client ip="127.0.0.1" lat="0" lon="0"/>
<server-config threadcount="4" ignoreids=""/><download testlength="10" threadsperurl="4"/>
<upload ratio="5" maxchunkcount="50" threads="2" testlength="10"/></settings>"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep each test's cache apart from the user's, and the user's proxies away."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache" / "part-of-imagenet" / "network_speed.json"


def through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Send all web traffic of speed tests to a port of this machine."""
    for name in PROXIES[:2]:
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


def outcome(test: SpeedTest) -> Measured:
    """Wait until a speed test is over."""
    begin = time.monotonic()
    while not (measured := test.result()).finished:
        assert time.monotonic() < begin + 1.5 * speed_test.MOST_SECONDS, "the speed test does not end"
        time.sleep(0.02)
    return measured


class Speedtests(http.server.BaseHTTPRequestHandler):
    """Plays speedtest.net as its proxy, and one of its servers; counts what it gave away."""

    pictures = 0
    broken = False

    def do_GET(self) -> None:
        """Answer as the path wants it; with `broken`, no picture comes."""
        kind = type(self)
        if "random" in self.path:
            kind.pictures += 1
            return self._send(b"" if kind.broken else b"x" * 200_000, 500 if kind.broken else 200)
        return self._send(self._page())

    def _page(self) -> bytes:
        if "config" in self.path:
            return CONFIG.encode()
        if "latency" in self.path:
            return b"test=test"
        assert isinstance(self.server, http.server.HTTPServer)
        url = f"http://127.0.0.1:{self.server.server_port}/speedtest/upload.php"
        return (
            f'<settings><servers><server url="{url}" lat="0" lon="0" id="1"/></servers></settings>'.encode()
        )

    def _send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Stay silent."""


@pytest.fixture
def speedtests(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Speedtests]]:
    """Run the made-up speedtest.net."""
    handler = type("Handler", (Speedtests,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        through(monkeypatch, server.server_address[1])
        yield handler
        server.shutdown()
        thread.join()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Be a proxy that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SILENT)
        through(monkeypatch, listener.getsockname()[1])
        yield listener


def wait_until_gone(connection: socket.socket) -> None:
    """Wait until the process at the other end is dead, as its connections are closed then."""
    connection.settimeout(SILENT)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):
            pass


def test_a_speed_is_measured_and_remembered(
    speedtests: type[Speedtests], cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole way over a server: five pictures are asked for, no more, and nothing reaches the terminal."""
    test = SpeedTest(secure=False)
    test.start()
    measured = outcome(test)
    assert measured.bits_per_second is not None
    assert measured.bits_per_second > 1e5
    assert test.result() == measured, "what was found is said again"
    assert speedtests.pictures == speed_test.PICTURES
    assert speed_cache.remembered() == measured.bits_per_second
    assert list(cache.parent.iterdir()) == [cache]
    assert capfd.readouterr() == ("", "")


def test_pictures_that_do_not_come_are_a_failure(speedtests: type[Speedtests], cache: Path) -> None:
    """Speedtest-cli calls that 0 bit/s; here it is a failure, and is not remembered."""
    speedtests.broken = True
    test = SpeedTest(secure=False)
    test.start()
    assert outcome(test) == Measured(finished=True)
    assert not cache.exists()


def test_a_network_that_refuses_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is raised, nothing reaches the terminal, nothing is remembered."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    through(monkeypatch, port)
    test = SpeedTest()
    test.start()
    assert outcome(test) == Measured(finished=True)
    assert not cache.exists()
    assert capfd.readouterr() == ("", "")


def test_a_hanging_network_costs_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket
) -> None:
    """When its time is up, the test is ended and has failed; asking for its result never waits."""
    monkeypatch.setattr(speed_test, "MOST_SECONDS", 1.0)
    test = SpeedTest()
    begin = time.monotonic()
    test.start()
    assert test.result() == Measured(finished=False)
    assert time.monotonic() - begin < 0.5, "the result was waited for"
    connection, _ = silent.accept()
    assert outcome(test) == Measured(finished=True)
    assert time.monotonic() - begin < 2
    with connection:
        wait_until_gone(connection)


def test_stop_leaves_no_child(silent: socket.socket) -> None:
    """A test that is under way is ended at once, and again does no harm."""
    test = SpeedTest()
    test.start()
    connection, _ = silent.accept()
    begin = time.monotonic()
    test.stop()
    test.stop()
    assert time.monotonic() - begin < 1
    assert test.result() == Measured(finished=True)
    with connection:
        wait_until_gone(connection)


def test_a_test_outlives_no_parent(silent: socket.socket) -> None:
    """Where the parent is killed, the child sees it and ends."""
    code = (
        "import time; from utils.fetch.speed_test import SpeedTest;"
        "test = SpeedTest(); test.start(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT) as parent:
        connection, _ = silent.accept()
        parent.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    with connection:
        wait_until_gone(connection)


def test_a_foreign_utils_is_not_taken_for_ours(
    speedtests: type[Speedtests], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child finds this project from any folder, with warnings as errors, and with PYTHONSAFEPATH."""
    (tmp_path / "utils.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    test = SpeedTest(secure=False)
    test.start()
    assert outcome(test).bits_per_second is not None
    assert speedtests.pictures == speed_test.PICTURES


def test_without_a_process_the_test_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that starts no further process costs the run nothing."""
    monkeypatch.setattr(sys, "executable", str(PROJECT / "no-such-python"))
    test = SpeedTest()
    assert test.result() == Measured(finished=True)
    test.start()
    assert test.result() == Measured(finished=True)
    test.stop()
