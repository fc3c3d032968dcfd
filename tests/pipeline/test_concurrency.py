"""The batch size follows from network, cores and open files, and the screen gives the reason."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from utils.models.settings import Settings
from utils.pipeline.concurrency import BatchSize, ConcurrencyController, choose_batch_size

NOWHERE = Path("nowhere")


@pytest.fixture(autouse=True)
def no_known_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use no cached speed and no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


def message(*, speed_test: bool = True, many_hosts: bool = True) -> str:
    """Return the line that is printed when the first images are in flight, and only then."""
    lines: list[str] = []
    settings = Settings(NOWHERE, NOWHERE, NOWHERE, NOWHERE, speed_test=speed_test)
    controller = ConcurrencyController(settings, lines.append, many_hosts=many_hosts)
    assert lines == []
    assert controller.update() == controller.update() == controller.batch_size
    controller.stop()
    (line,) = lines
    return line


def test_unknown_network_is_explained() -> None:
    """Its speed is being measured, or the speed test is off."""
    assert message(speed_test=False).endswith("unknown network, without a speed test.")
    assert message().endswith("unknown network, while its speed is being measured.")


def test_images_on_disk_have_no_hosts() -> None:
    """The line does not name limits of hosts."""
    assert message(many_hosts=False).endswith("checked by 2 processes.")


@pytest.mark.parametrize(
    ("megabits", "cores", "open_files", "number", "why"),
    [
        (100, 2, 1024, 225, "for 100 Mbit/s on 2 cores"),
        (50, 2, 1024, 112, "for 50 Mbit/s on 2 cores"),
        (15, 2, 1024, 64, "for 15 Mbit/s on 2 cores"),
        (10, 2, 1024, 45, "for 10 Mbit/s on 2 cores"),
        (1.25, 2, 1024, 16, "for 1.2 Mbit/s on 2 cores"),
        (0.001, 1, 1024, 16, "for 0.0 Mbit/s on 1 core"),
        (300, 4, 4096, 675, "for 300 Mbit/s on 4 cores"),
        (1000, 4, 65536, 1024, "for 1000 Mbit/s on 4 cores"),
        (1000, 1, 65536, 990, "for 1000 Mbit/s on 1 core"),
        (1000, 2, 1024, 656, "as 1024 open files allow"),
        (100, 2, 256, 144, "as 256 open files allow"),
        (100, 4, 256, 225, "for 100 Mbit/s on 4 cores"),
        (10, 1, 64, 8, "as 64 open files allow"),
        (10, 1, 20, 1, "as 20 open files allow"),
        (100, 0, 1024, 225, "for 100 Mbit/s on 1 core"),
    ],
)
def test_batch_size_keeps_the_network_busy(
    megabits: float, cores: int, open_files: int, number: int, why: str
) -> None:
    """As many images as network and cores can handle, from 16 to 1024, within the limit of open files."""
    assert choose_batch_size(megabits * 1e6, cores=cores, open_files=open_files) == BatchSize(number, why)


@pytest.mark.parametrize("unknown", [None, 0, 0.0, -1e8, math.nan, math.inf, -math.inf, 1e300])
def test_unknown_network_gets_the_default(unknown: float | None) -> None:
    """256 images, within the limit of open files."""
    default = BatchSize(256, "the default for an unknown network")
    assert choose_batch_size(unknown, cores=2, open_files=1024) == default
    assert choose_batch_size(unknown, cores=2, open_files=256) == BatchSize(144, "as 256 open files allow")
