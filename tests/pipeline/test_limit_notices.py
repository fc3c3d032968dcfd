"""Messages about hosts that limit requests."""

from __future__ import annotations

import pytest

from tests.scheduler.limited_hosts import Bucket, Concurrency, Host
from tests.scheduler.simulation import Simulation
from utils.pipeline import limit_notices
from utils.pipeline.limit_notices import LimitNotices
from utils.scheduler.schedule import Schedule


def notices_of(host: Host, count: int, seconds: float) -> list[str]:
    """Run tasks of a host for some seconds; returns the messages, which are asked for every 0.2 s."""
    schedule, notices = Schedule(batch_size=64, retries=2), LimitNotices()
    simulation = Simulation(schedule, host)
    simulation.submit("live.staticflickr.com:443", range(count))
    shown: list[str] = []
    for step in range(round(5 * seconds)):
        simulation.run(until=100 + step / 5)
        shown += notices.changes(schedule.limited_hosts(), simulation.now)
    return shown


def test_limit_is_reported_once() -> None:
    """With the URLs that wait and the time that they take."""
    (notice,) = notices_of(Bucket(rate=2, burst=20), 200, 40)[-1:]
    assert notice.startswith("live.staticflickr.com allows about 2 requests a second (429); ")
    assert " URLs are waiting, about " in notice
    assert len(notices_of(Bucket(rate=2, burst=20), 200, 90)) <= 4


def test_limit_of_concurrency() -> None:
    """It is given as requests at once."""
    shown = notices_of(Concurrency(limit=2, seconds=0.4), 400, 20)
    assert shown
    assert " requests at once (429); " in shown[-1]


def test_pause_is_reported() -> None:
    """With the time of the next request; short pauses are not."""

    class Refusing(Host):
        """Refuses everything."""

        def refuse(self, at: float) -> float | None:
            """See `Host`."""
            return 1.0

    shown = notices_of(Refusing(), 40, 55)
    assert shown == [
        "live.staticflickr.com refuses requests (429); 40 URLs are waiting, and the next request is due in "
        f"{seconds} s."
        for seconds in (16, 28)
    ]


def test_hosts_without_limits_are_not_reported() -> None:
    """Nothing is said about them."""
    assert notices_of(Host(), 500, 20) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (12.2, "12 s"), (170, "3 min"), (5000, "83 min"), (7900, "2.2 h")]
)
def test_duration(seconds: float, text: str) -> None:
    """In seconds, minutes or hours."""
    assert limit_notices.duration(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (2.04, "2 requests a second"),
        (14.6, "15 requests a second"),
        (1.0, "1 request a second"),
        (0.21, "13 requests a minute"),
        (0.02, "1.2 requests a minute"),
    ],
)
def test_rate_text(rate: float, text: str) -> None:
    """In requests a second or a minute."""
    assert limit_notices.rate_text(rate) == text
