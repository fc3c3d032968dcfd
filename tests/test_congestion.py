"""A line too narrow for what is in flight is told from slow servers, and fewer are fetched at once."""

from __future__ import annotations

import pytest

from tests.simulation import GOOD, NOT_FOUND, Ask, Reply, simulate
from utils.reasons import Reason
from utils.scheduler.congestion import MAX_PERIODS, MIN_LATE_HOSTS

BODY_LATE = Reply(seconds=10.0, reason=Reason.TIMEOUT, http_status=200)
HOSTS = {f"h{number}": 20 for number in range(40)}


class NarrowLine:
    """A line that all requests share: what is asked for beside too many others does not come in time."""

    def __init__(self, carries: int) -> None:
        self.carries = carries
        self._ends: list[float] = []

    def __call__(self, ask: Ask) -> Reply:
        """Answer a request."""
        self._ends = [end for end in self._ends if end > ask.at]
        late = len(self._ends) >= self.carries
        reply = BODY_LATE if late else Reply(seconds=4.0)
        self._ends.append(ask.at + reply.seconds)
        return reply


def test_no_image_is_lost_on_a_narrow_line() -> None:
    """Eight times as many in flight as it carries: it is seen, and all images come."""
    simulation = simulate(NarrowLine(32), HOSTS, batch_size=256)
    assert simulation.reasons() == {"": 800}
    assert simulation.schedule.concurrency_limit < 128


def test_what_was_late_because_of_the_others_is_no_try() -> None:
    """It has all its tries when there are fewer at once."""
    simulation = simulate(NarrowLine(32), HOSTS, batch_size=256, retries=1)
    assert simulation.reasons()[""] > 780


@pytest.mark.parametrize("slow", [1, 3])
def test_slow_hosts_slow_nobody_else(slow: int) -> None:
    """If all of theirs come too late, the others go on as before."""
    simulation = simulate(lambda ask: BODY_LATE if int(ask.host[1:]) < slow else GOOD, HOSTS, batch_size=200)
    assert simulation.schedule.concurrency_limit == 200
    assert simulation.reasons() == {"": 800 - 20 * slow, "timeout": 20 * slow}


def test_a_few_late_ones_everywhere_are_normal() -> None:
    """One in ten, over all hosts, says nothing of the line."""
    simulation = simulate(lambda ask: BODY_LATE if ask.task.number % 10 == 0 else GOOD, HOSTS, batch_size=200)
    assert simulation.schedule.concurrency_limit == 200


def test_a_run_of_days_remembers_the_last_minutes() -> None:
    """What is known of arrivals does not grow with the time and the hosts that they were of."""
    simulation = simulate(lambda _: Reply(seconds=6.0), {f"h{n}": 1 for n in range(1000)}, batch_size=1)
    congestion = simulation.schedule._congestion
    assert simulation.now > 6000
    assert len(congestion._periods) <= MAX_PERIODS
    assert len(congestion._hosts) <= MIN_LATE_HOSTS


def test_the_line_may_become_better() -> None:
    """As bodies arrive whole, more are tried again."""
    simulation = simulate(
        lambda ask: BODY_LATE if ask.at < 120 else GOOD, {f"h{n}": 200 for n in range(40)}, batch_size=256
    )
    assert simulation.reasons()[""] == 8000
    assert simulation.schedule.concurrency_limit > 100


def test_dead_pages_are_no_bodies() -> None:
    """How quickly they come says nothing."""
    simulation = simulate(
        lambda ask: NOT_FOUND if ask.task.number % 4 else BODY_LATE, HOSTS, batch_size=64, retries=0
    )
    assert simulation.schedule.concurrency_limit < 64
