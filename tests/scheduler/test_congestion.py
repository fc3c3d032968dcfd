"""A saturated network is told from slow servers, and fewer tasks run at once."""

from __future__ import annotations

import pytest

from tests.scheduler.simulation import GOOD, NOT_FOUND, Reply, Request, simulate
from utils.reasons import Reason
from utils.scheduler.congestion import MAX_PERIODS, MIN_LATE_HOSTS

BODY_LATE = Reply(seconds=10.0, reason=Reason.TIMEOUT, http_status=200)
HOSTS = {f"h{number}": 20 for number in range(40)}


class SaturatedNetwork:
    """A network with a capacity: requests beyond it do not end in time."""

    def __init__(self, carries: int) -> None:
        self.carries = carries
        self._ends: list[float] = []

    def __call__(self, request: Request) -> Reply:
        """Return the reply to a request."""
        self._ends = [end for end in self._ends if end > request.at]
        late = len(self._ends) >= self.carries
        reply = BODY_LATE if late else Reply(seconds=4.0)
        self._ends.append(request.at + reply.seconds)
        return reply


def test_saturated_network_loses_no_image() -> None:
    """With eight times as many tasks as it carries."""
    simulation = simulate(SaturatedNetwork(32), HOSTS, batch_size=256)
    assert simulation.reasons() == {"": 800}
    assert simulation.schedule.concurrency_limit < 128


def test_timeouts_by_congestion_are_no_attempts() -> None:
    """Those URLs have all their attempts when fewer tasks run."""
    simulation = simulate(SaturatedNetwork(32), HOSTS, batch_size=256, retries=1)
    assert simulation.reasons()[""] > 780


@pytest.mark.parametrize("slow", [1, 3])
def test_slow_hosts_do_not_reduce_the_limit(slow: int) -> None:
    """Even if all their bodies are late."""
    simulation = simulate(
        lambda request: BODY_LATE if int(request.host[1:]) < slow else GOOD, HOSTS, batch_size=200
    )
    assert simulation.schedule.concurrency_limit == 200
    assert simulation.reasons() == {"": 800 - 20 * slow, "timeout": 20 * slow}


def test_few_late_bodies_do_not_reduce_the_limit() -> None:
    """One in ten, over all hosts."""
    simulation = simulate(
        lambda request: BODY_LATE if request.task.number % 10 == 0 else GOOD, HOSTS, batch_size=200
    )
    assert simulation.schedule.concurrency_limit == 200


def test_memory_does_not_grow_with_time() -> None:
    """Only the last minutes and a few hosts are remembered."""
    simulation = simulate(lambda _: Reply(seconds=6.0), {f"h{n}": 1 for n in range(1000)}, batch_size=1)
    congestion = simulation.schedule._congestion
    assert simulation.now > 6000
    assert len(congestion._periods) <= MAX_PERIODS
    assert len(congestion._hosts) <= MIN_LATE_HOSTS


def test_limit_grows_again() -> None:
    """As bodies arrive in time."""
    simulation = simulate(
        lambda request: BODY_LATE if request.at < 120 else GOOD,
        {f"h{n}": 200 for n in range(40)},
        batch_size=256,
    )
    assert simulation.reasons()[""] == 8000
    assert simulation.schedule.concurrency_limit > 100


def test_error_pages_do_not_count_as_bodies() -> None:
    """However quickly they arrive."""
    simulation = simulate(
        lambda request: NOT_FOUND if request.task.number % 4 else BODY_LATE, HOSTS, batch_size=64, retries=0
    )
    assert simulation.schedule.concurrency_limit < 64
