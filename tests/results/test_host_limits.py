"""`.hosts.json`: what hosts allow, as a run has learned it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from utils.models.hosts import LearnedLimit
from utils.results import host_limits

LEARNED = {"a:80": LearnedLimit(1.5, 8), "b:443": LearnedLimit(None, 3)}


def test_written_limits_are_read(tmp_path: Path) -> None:
    """Those of earlier runs are kept beside them."""
    host_limits.write(tmp_path, LEARNED)
    host_limits.write(tmp_path, {"a:80": LearnedLimit(2.0, 8), "c:80": LearnedLimit(0.1, 1)})
    assert host_limits.read(tmp_path) == {
        "a:80": LearnedLimit(2.0, 8),
        "b:443": LearnedLimit(None, 3),
        "c:80": LearnedLimit(0.1, 1),
    }


def test_nothing_learned_writes_no_file(tmp_path: Path) -> None:
    """The result folder of a run without such hosts looks as before."""
    host_limits.write(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
    assert host_limits.read(tmp_path) == {}


@pytest.mark.parametrize("days", [-1, 1])
def test_limits_are_forgotten_after_a_day(tmp_path: Path, days: int) -> None:
    """Each host by itself; also if the clock was wrong when they were learned."""
    host_limits.write(tmp_path, LEARNED)
    path = tmp_path / host_limits.HOSTS_NAME
    content = json.loads(path.read_text())
    content["a:80"]["learned"] = time.time() + days * (24 * 3600 + 10)
    path.write_text(json.dumps(content))
    assert host_limits.read(tmp_path) == {"b:443": LEARNED["b:443"]}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"a:80": 1}', '{"a:80": {"learned": 9e99}}', '{"a:80": {"learned": "x"}}', "\udcff"],
)
def test_unreadable_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    """It costs no run."""
    (tmp_path / host_limits.HOSTS_NAME).write_text(content, errors="surrogateescape")
    assert host_limits.read(tmp_path) == {}


@pytest.mark.parametrize(
    "pace", ["-1", "0", "1e-300", "1e999", "NaN", '"fast"', "[]", pytest.param("1" * 400, id="huge")]
)
def test_unusable_pace_is_ignored(tmp_path: Path, pace: str) -> None:
    """The others are used."""
    host_limits.write(tmp_path, LEARNED)
    path = tmp_path / host_limits.HOSTS_NAME
    path.write_text(path.read_text().replace("1.5", pace))
    assert host_limits.read(tmp_path) == {"b:443": LEARNED["b:443"]}


@pytest.mark.parametrize("concurrency", ["1e999", "null", "[]"])
def test_unusable_concurrency_is_ignored(tmp_path: Path, concurrency: str) -> None:
    """The others are used."""
    host_limits.write(tmp_path, LEARNED)
    path = tmp_path / host_limits.HOSTS_NAME
    content = path.read_text()
    entry = f'"concurrent_requests": {LEARNED["a:80"].concurrency},'
    assert content.count(entry) == 1
    path.write_text(content.replace(entry, f'"concurrent_requests": {concurrency},'))
    assert host_limits.read(tmp_path) == {"b:443": LEARNED["b:443"]}
