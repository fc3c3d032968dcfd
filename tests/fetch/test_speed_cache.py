"""A measured speed is cached for a day; a cache that does not work is no error."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from utils import machine
from utils.fetch import speed_test


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of the test."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache" / "part-of-imagenet" / "network_speed.json"


@pytest.mark.parametrize(
    ("age", "speed_kept"),
    [(0, 1e8), (23 * 3600, 1e8), (25 * 3600, None), (-3600, None), (1e300, None)],
)
def test_speed_is_cached_for_a_day(cache: Path, age: float, speed_kept: float | None) -> None:
    """A time in the future, from before the clock was set back, does not count."""
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({"bits_per_second": 1e8, "measured_at": time.time() - age}))
    assert speed_test.cached_speed() == speed_kept


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"\xff\xfe", b"[]", b"3", b"null", b'{"measured_at": 1}', b"[" * 100_000]
    + [
        b'{"bits_per_second": %s, "measured_at": NOW}' % value
        for value in (b"0", b"-1", b"NaN", b"Infinity", b'"fast"', b"true", b"null", b"1" + b"0" * 400)
    ]
    + [b'{"bits_per_second": 1e8, "measured_at": "today"}', b'{"bits_per_second": 1e8, "measured_at": NaN}'],
)
def test_damaged_cache_is_no_error(cache: Path, garbage: bytes) -> None:
    """The speed is unknown, and the next one is cached."""
    cache.parent.mkdir(parents=True)
    cache.write_bytes(garbage.replace(b"NOW", b"%d" % time.time()))
    assert speed_test.cached_speed() is None
    speed_test.cache_speed(2e8)
    assert speed_test.cached_speed() == 2e8


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The speed is measured again next time then."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    speed_test.cache_speed(1e8)
    assert speed_test.cached_speed() is None


def test_cache_is_in_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder in the variable is ignored, as the XDG specification says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv(machine._CACHE_VARIABLE, value)
        assert speed_test.cache_file().is_relative_to(tmp_path)
