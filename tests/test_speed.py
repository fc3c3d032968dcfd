"""The batch follows from the line, the cores and the open files of a process."""

from __future__ import annotations

import math

import pytest

from utils.fetch.speed_test import BatchSize, batch_size


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
def test_the_batch_keeps_the_line_busy(
    megabits: float, cores: int, open_files: int, number: int, why: str
) -> None:
    """As many images as the line and the cores take, from 16 to 1024, but no more than open files allow."""
    assert batch_size(megabits * 1e6, cores=cores, open_files=open_files) == BatchSize(number, why)


@pytest.mark.parametrize("unknown", [None, 0, 0.0, -1e8, math.nan, math.inf, -math.inf, 1e300])
def test_an_unknown_network_gets_the_default(unknown: float | None) -> None:
    """Where there is no speed, 256 images are in flight, as far as open files allow."""
    default = BatchSize(256, "the default for an unknown network")
    assert batch_size(unknown, cores=2, open_files=1024) == default
    assert batch_size(unknown, cores=2, open_files=256) == BatchSize(144, "as 256 open files allow")
