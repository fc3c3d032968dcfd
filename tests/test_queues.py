"""Where tasks wait: which hosts are forgotten when many are known, and what is remembered of the others."""

from __future__ import annotations

import random

import pytest

from tests import test_schedule
from tests.simulation import GOOD, REFUSED, TOO_MANY, UNAVAILABLE, Reply, Simulation, make_task
from utils.reasons import Reason
from utils.scheduler import host_queues
from utils.scheduler.host_queues import HostQueues
from utils.scheduler.schedule import Schedule

TROUBLES = [
    TOO_MANY,
    UNAVAILABLE,
    REFUSED,
    Reply(reason=Reason.RATE_LIMITED, http_status=429, retry_after=30),
]


def simulation_of(trouble: Reply, others: int) -> Simulation:
    """Let a host be in trouble twice, then many others have their turns, and then that host again."""
    schedule = Schedule(batch_size=64, retries=2, rng=random.Random(1))
    simulation = Simulation(schedule, lambda ask: trouble if ask.host == "one" and ask.of_host < 2 else GOOD)
    simulation.offer("one", range(2))
    simulation.run(until=101.0)
    for number in range(others):
        simulation.offer(f"h{number}", range(100 + number, 101 + number))
        simulation.run(until=simulation.now + 0.3)
    simulation.offer("one", range(2, 30))
    simulation.run()
    return simulation


def test_hosts_that_are_done_with_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over a million hosts remembers those that it works with, and few more."""
    monkeypatch.setattr(host_queues, "MAX_QUEUES", 20)
    schedule = Schedule(batch_size=4, retries=2)
    simulation = Simulation(schedule, lambda _: GOOD)
    for number in range(1000):
        simulation.offer(f"h{number}", range(number, number + 1))
        simulation.run()
        assert known(schedule._queues) <= 21
    assert simulation.reasons() == {"": 1000}


def test_a_verdict_outlives_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that was given up is given up for good, however many were forgotten meanwhile."""
    monkeypatch.setattr(host_queues, "MAX_QUEUES", 0)
    simulation = Simulation(
        Schedule(batch_size=4, retries=2), lambda ask: REFUSED if ask.host == "dead" else GOOD
    )
    simulation.offer("dead", range(50))
    simulation.run()
    asked = simulation.starts()["dead"]
    for number in range(100, 200):
        simulation.offer(f"h{number}", range(number, number + 1))
        simulation.run()
        settled = simulation.schedule.submit(make_task(1000 + number), "dead")
        assert settled is not None
        assert settled.outcome.reason is Reason.DEAD_HOST
    assert simulation.starts()["dead"] == asked


@pytest.mark.parametrize("trouble", TROUBLES, ids=["429", "503", "refused", "retry-after"])
@pytest.mark.parametrize("others", [0, 1, 60])
def test_a_host_in_trouble_is_remembered(
    monkeypatch: pytest.MonkeyPatch, trouble: Reply, others: int
) -> None:
    """Its lower limit and its rest hold as they would if nobody were ever forgotten."""
    expected = simulation_of(trouble, others)
    monkeypatch.setattr(host_queues, "MAX_QUEUES", 0)
    found = simulation_of(trouble, others)
    assert found.starts()["one"] == expected.starts()["one"]
    assert found.reasons() == expected.reasons()


def test_forgetting_breaks_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all that can be forgotten is, at every turn, each task is settled once, and limits hold."""
    monkeypatch.setattr(host_queues, "MAX_QUEUES", 0)
    test_schedule.test_whatever_the_web_does_every_task_is_settled_once()


def known(all_queues: HostQueues) -> int:
    """Count the hosts that anything is known of."""
    return len(all_queues._by_host) + len(all_queues._idle_hosts)
