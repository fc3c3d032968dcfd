"""The memory of all bodies is bounded, and no body is lost by that."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from demo.web import Answer, Web
from tests.fetching import finish, serving
from utils.fetch.client import Fetcher
from utils.models.tasks import FetchError, Response
from utils.reasons import Reason

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400


def test_memory_is_bounded_and_all_bodies_arrive(web: Web) -> None:
    """Over the budget all transfers but one are paused, and all continue later."""
    answer = Answer(body=PICTURE * 6, pace=2_000_000)
    web.answer("/x", answer)
    size, budget, most = len(answer.body), 1_000_000, 0
    with contextlib.closing(Fetcher(10.0, memory_budget=budget)) as fetcher:
        for number in range(24):
            fetcher.start(number, web.url("/x"))
        arrived = 0
        while fetcher.in_flight:
            for fetched in fetcher.poll(0.1):
                assert isinstance(fetched.result, Response), fetched.result
                assert len(fetched.result.data) == size
                arrived += 1
                most = max(most, fetcher.buffered)
            most = max(most, fetcher.buffered)
        assert fetcher.buffered == 0
    assert arrived == 24
    assert budget <= most <= budget + size + 200_000


FETCH_BOMBS = """
import resource, sys
from utils.fetch.client import Fetcher

large, bomb = sys.argv[1:]
fetcher = Fetcher(20.0, memory_budget=1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fetcher.start(0, large)
while fetcher.buffered < 1_500_000:
    list(fetcher.poll(0.05))
for number in range(1, 41):
    fetcher.start(number, bomb)
for _ in range(20):
    list(fetcher.poll(0.05))
fetcher.cancel(0)
while fetcher.in_flight:
    for fetched in fetcher.poll(0.05):
        assert len(fetched.result.data) == 19_000_000
        del fetched
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs")
def test_bodies_are_decompressed_one_at_a_time(web: Web) -> None:
    """Transfers keep compressed bytes only, so that many small bombs need little memory, paused or not."""
    web.answer("/bomb", Answer(body=bytes(19_000_000), gzip=True))
    web.answer("/large", Answer(body=PICTURE * 20, cut=1_500_000, hang=True))
    ran = subprocess.run(
        [sys.executable, "-c", FETCH_BOMBS, web.url("/large"), web.url("/bomb")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 90_000  # kB: a body while it is decompressed, and the one before it


def test_paused_transfers_keep_their_limits(web: Web) -> None:
    """Compression bombs and endless bodies neither break the loop nor keep memory."""
    web.answer("/bomb", Answer(body=bytes(21_000_000), gzip=True))
    web.answer("/endless", Answer(body=PICTURE, endless=True))
    web.answer("/good", Answer(body=PICTURE))
    with contextlib.closing(Fetcher(30.0, memory_budget=1_000_000)) as fetcher:
        for number in range(30):
            fetcher.start(number, web.url(("/bomb", "/endless", "/good")[number % 3]))
        results = finish(fetcher)
        for number in range(32, 90, 3):  # in the places of those that failed
            fetcher.start(number, web.url("/good"))
        results |= finish(fetcher)
        assert fetcher.buffered == 0
    good = {number for number, result in results.items() if isinstance(result, Response)}
    assert good == set(range(2, 90, 3))
    reasons = {result.reason for result in results.values() if isinstance(result, FetchError)}
    assert reasons == {Reason.TOO_LARGE}


def test_cancelling_resumes_paused_transfers(web: Web) -> None:
    """Also if the cancelled one is the one that was not paused."""
    web.answer("/stuck", Answer(body=PICTURE * 5, cut=400_000, hang=True))
    web.answer("/good", Answer(body=PICTURE * 5))
    with contextlib.closing(Fetcher(10.0, memory_budget=300_000)) as fetcher:
        fetcher.start(0, web.url("/stuck"))
        while fetcher.buffered < 400_000:
            assert list(fetcher.poll(0.05)) == []
        for number in range(1, 6):
            fetcher.start(number, web.url("/good"))
        for _ in range(5):
            assert list(fetcher.poll(0.05)) == []
        fetcher.cancel(0)
        results = finish(fetcher)
    assert [len(result.data) for result in results.values() if isinstance(result, Response)] == [512_010] * 5


def test_paused_transfer_resumes_when_the_running_one_ends() -> None:
    """Even if the paused one fills the budget by itself."""
    signals = {"/large": threading.Event(), "/small": threading.Event()}

    def handle(client: socket.socket) -> None:
        path = client.recv(65536).split()[1].decode()
        first, rest = (400_000, 200_000) if path == "/large" else (50_000, 50_000)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (first + rest) + bytes(first))
        assert signals[path].wait(10)
        client.sendall(bytes(rest))
        client.recv(1)

    with serving(handle) as port, contextlib.closing(Fetcher(5.0, memory_budget=400_000)) as fetcher:
        for number, (path, held) in enumerate({"/large": 400_000, "/small": 450_000}.items()):
            fetcher.start(number, f"http://127.0.0.1:{port}{path}")
            while fetcher.buffered < held:
                assert list(fetcher.poll(0.05)) == []
        for event in signals.values():
            event.set()
            for _ in range(4 * (event is signals["/large"])):
                assert list(fetcher.poll(0.05)) == []
        results = finish(fetcher)
    assert {len(result.data) for result in results.values() if isinstance(result, Response)} == {
        600_000,
        100_000,
    }
