"""The screen says truthfully how many images are in flight, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.models.settings import ImageSource, Settings
from utils.pipeline.concurrency import ConcurrencyController

NOWHERE = Path("nowhere")


@pytest.fixture(autouse=True)
def no_speed_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the speed that this machine may remember, and the network, out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


def said(source: ImageSource, *, speed_test: bool) -> str:
    """Give what is said at the beginning of a run."""
    lines: list[str] = []
    settings = Settings(NOWHERE, NOWHERE, NOWHERE, NOWHERE, source=source, speed_test=speed_test)
    ConcurrencyController(settings, lines.append).stop()
    (line,) = lines
    return line


def test_an_unknown_network_is_explained() -> None:
    """Whether its speed is being measured, or nobody wanted that."""
    assert said(ImageSource.URLS, speed_test=False).endswith("unknown network, without a speed test.")
    assert said(ImageSource.BOTH, speed_test=True).endswith(
        "unknown network, while its speed is being measured."
    )


def test_tars_know_no_hosts() -> None:
    """Images out of tars wait for no network."""
    assert said(ImageSource.ARCHIVE, speed_test=True).endswith("images in work at once.")
