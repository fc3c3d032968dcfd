"""The hosts of the benchmark `limits`."""

from __future__ import annotations

import contextlib
import http.client
import sys
from pathlib import Path

import pytest

from benchmarks import limits, pictures
from benchmarks.limits import Bucket, Concurrency, Limit, Server, Window


def statuses(limit: Limit, times: list[float]) -> list[int]:
    """Return the statuses of requests at these times."""
    return [limit.answer(at, b"").status for at in times]


def test_bucket() -> None:
    """A burst, then so many a second."""
    bucket = Bucket("", 9, 9, rate=2, burst=3)
    assert statuses(bucket, [0, 0, 0, 0, 0.4, 0.5, 0.6, 1.0]) == [*[200] * 3, 429, 429, 200, 429, 200]
    assert (bucket.accepted, bucket.refused) == (5, 3)


def test_ban() -> None:
    """Requests during a ban prolong it."""
    bucket = Bucket("", 9, 9, rate=2, burst=1, ban=10)
    assert statuses(bucket, [0, 0.1, 9, 18, 28.5]) == [200, 429, 429, 429, 200]


def test_window() -> None:
    """It begins with the first request; Retry-After names its end."""
    window = Window("", 9, 9, retry_after=True, count=2, length=10)
    assert statuses(window, [5, 6, 7, 14.9, 15, 16, 17]) == [200, 200, 429, 429, 200, 200, 429]
    assert window.answer(17.5, b"").headers == ("Retry-After: 8",)


def test_concurrency() -> None:
    """Requests that are under way count."""
    host = Concurrency("", 9, 9, most=1)
    assert host.answer(0, b"").status == 200
    host.under_way = 1
    assert host.answer(0, b"").status == 429


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are addresses of 127/8")
def test_server(tmp_path: Path) -> None:
    """Each host has its own limit; a new run begins anew."""
    pictures.fill(tmp_path, 2)
    with Server(tmp_path, limits.limits()) as server:
        assert len(server.urls(1)) == sum(limit.images for limit in server.limits)
        with contextlib.closing(http.client.HTTPConnection("127.8.0.7", server.port, timeout=10)) as one:
            for number in range(3):
                one.request("GET", f"/1/{number}.jpg")
                response = one.getresponse()
                assert (response.status, response.read()[:2]) == (200, b"\xff\xd8")
        assert [limit.accepted for limit in server.limits] == [0, 0, 0, 0, 0, 0, 3, 0]
