"""The speed test runs in a process of its own, costs a run nothing, and its result is kept for a day."""

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

from utils.fetch import speed_test
from utils.fetch.speed_test import Measurement, SpeedTest

PROJECT = Path(__file__).resolve().parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SILENT = speed_test.MAX_SECONDS / 2  # well before a speed test would end by itself
CONFIG = """<settings><client ip="127.0.0.1" lat="0" lon="0"/>
<server-config threadcount="4" ignoreids=""/><download testlength="10" threadsperurl="4"/>
<upload ratio="5" maxchunkcount="50" threads="2" testlength="10"/></settings>"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of the test, and no proxies of the user."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache" / "part-of-imagenet" / "network_speed.json"


def use_proxy(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Send the requests of speed tests to a port of this machine."""
    for name in PROXIES[:2]:
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


def wait_for_result(test: SpeedTest) -> Measurement:
    """Wait until a speed test has ended."""
    begin = time.monotonic()
    while not (measured := test.result()).finished:
        assert time.monotonic() < begin + 1.5 * speed_test.MAX_SECONDS, "the speed test does not end"
        time.sleep(0.02)
    return measured


class SpeedtestHandler(http.server.BaseHTTPRequestHandler):
    """Acts as speedtest.net, as its proxy; counts the pictures that it sent."""

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
def speedtests(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[SpeedtestHandler]]:
    """Run a simulated speedtest.net."""
    handler = type("Handler", (SpeedtestHandler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        use_proxy(monkeypatch, server.server_address[1])
        yield handler
        server.shutdown()
        thread.join()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Run a proxy that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SILENT)
        use_proxy(monkeypatch, listener.getsockname()[1])
        yield listener


def wait_until_gone(connection: socket.socket) -> None:
    """Wait until the process at the other end is dead and its connections are closed."""
    connection.settimeout(SILENT)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):
            pass


def test_speed_is_measured_and_cached(
    speedtests: type[SpeedtestHandler], cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With five pictures, and no output on the terminal."""
    test = SpeedTest(secure=False)
    test.start()
    measured = wait_for_result(test)
    assert measured.bits_per_second is not None
    assert measured.bits_per_second > 1e5
    assert test.result() == measured, "what was found is said again"
    assert speedtests.pictures == speed_test.PICTURES
    assert speed_test.cached_speed() == measured.bits_per_second
    assert list(cache.parent.iterdir()) == [cache]
    assert capfd.readouterr() == ("", "")


def test_failed_downloads_are_a_failure(speedtests: type[SpeedtestHandler], cache: Path) -> None:
    """speedtest-cli reports 0 bit/s, which is not cached."""
    speedtests.broken = True
    test = SpeedTest(secure=False)
    test.start()
    assert wait_for_result(test) == Measurement(finished=True)
    assert not cache.exists()


def test_refusing_network_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without an exception and without output."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use_proxy(monkeypatch, port)
    test = SpeedTest()
    test.start()
    assert wait_for_result(test) == Measurement(finished=True)
    assert not cache.exists()
    assert capfd.readouterr() == ("", "")


def test_hanging_network_takes_bounded_time(monkeypatch: pytest.MonkeyPatch, silent: socket.socket) -> None:
    """`result` never waits."""
    monkeypatch.setattr(speed_test, "MAX_SECONDS", 1.0)
    test = SpeedTest()
    test.start()
    assert test.result() == Measurement(finished=False)
    connection, _ = silent.accept()
    assert wait_for_result(test) == Measurement(finished=True)
    with connection:
        wait_until_gone(connection)


def test_stop_ends_the_process(silent: socket.socket) -> None:
    """At once, and may be called again."""
    test = SpeedTest()
    test.start()
    connection, _ = silent.accept()
    begin = time.monotonic()
    test.stop()
    test.stop()
    assert time.monotonic() - begin < 8  # a test takes ten seconds
    assert test.result() == Measurement(finished=True)
    with connection:
        wait_until_gone(connection)


def test_process_ends_with_its_parent(silent: socket.socket) -> None:
    """Even if the parent is killed."""
    code = (
        "import time; from utils.fetch.speed_test import SpeedTest;"
        "test = SpeedTest(); test.start(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT) as parent:
        connection, _ = silent.accept()
        parent.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    with connection:
        wait_until_gone(connection)


def test_other_utils_packages_are_ignored(
    speedtests: type[SpeedtestHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any folder, with warnings as errors, and with PYTHONSAFEPATH."""
    (tmp_path / "utils.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    test = SpeedTest(secure=False)
    test.start()
    assert wait_for_result(test).bits_per_second is not None
    assert speedtests.pictures == speed_test.PICTURES


def test_process_that_cannot_be_started_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the run nothing."""
    monkeypatch.setattr(sys, "executable", str(PROJECT / "no-such-python"))
    test = SpeedTest()
    assert test.result() == Measurement(finished=True)
    test.start()
    assert test.result() == Measurement(finished=True)
    test.stop()
