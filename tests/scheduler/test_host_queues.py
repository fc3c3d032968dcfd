"""Host queues: which hosts are forgotten, and what is remembered of the others."""

from __future__ import annotations

import random

import pytest

from tests.scheduler import test_schedule
from tests.scheduler.simulation import GOOD, REFUSED, TOO_MANY, UNAVAILABLE, Reply, Simulation, make_task
from utils.reasons import Reason
from utils.scheduler import host_queues
from utils.scheduler.schedule import Schedule

TROUBLES = [
    TOO_MANY,
    UNAVAILABLE,
    REFUSED,
    Reply(reason=Reason.RATE_LIMITED, http_status=429, retry_after=30),
]


def simulation_of(trouble: Reply, others: int) -> Simulation:
    """Let a host fail twice, then many others have tasks, and then that host again."""
    schedule = Schedule(batch_size=64, retries=2, rng=random.Random(1))
    simulation = Simulation(
        schedule, lambda request: trouble if request.host == "one" and request.of_host < 2 else GOOD
    )
    simulation.submit("one", range(2))
    simulation.run(until=101.0)
    for number in range(others):
        simulation.submit(f"h{number}", range(100 + number, 101 + number))
        simulation.run(until=simulation.now + 0.3)
    simulation.submit("one", range(2, 30))
    simulation.run()
    return simulation


def test_unused_hosts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over a million hosts remembers those it uses, and few more."""
    monkeypatch.setattr(host_queues, "MAX_UNUSED", 20)
    schedule = Schedule(batch_size=4, retries=2)
    simulation = Simulation(schedule, lambda _: GOOD)
    for number in range(1000):
        simulation.submit(f"h{number}", range(number, number + 1))
        simulation.run()
        assert len(schedule._queues.hosts) <= 21
    assert simulation.reasons() == {"": 1000}


def test_given_up_host_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many hosts are forgotten meanwhile."""
    monkeypatch.setattr(host_queues, "MAX_UNUSED", 0)
    simulation = Simulation(
        Schedule(batch_size=4, retries=2), lambda request: REFUSED if request.host == "dead" else GOOD
    )
    simulation.submit("dead", range(50))
    simulation.run()
    asked = simulation.request_times()["dead"]
    for number in range(100, 200):
        simulation.submit(f"h{number}", range(number, number + 1))
        simulation.run()
        settled = simulation.schedule.submit(make_task(1000 + number), "dead")
        assert settled is not None
        assert settled.outcome.reason is Reason.DEAD_HOST
    assert simulation.request_times()["dead"] == asked


@pytest.mark.parametrize("trouble", TROUBLES, ids=["429", "503", "refused", "retry-after"])
@pytest.mark.parametrize("others", [0, 1, 60])
def test_throttled_and_failing_hosts_are_remembered(
    monkeypatch: pytest.MonkeyPatch, trouble: Reply, others: int
) -> None:
    """Limit and pause are the same as if no host were ever forgotten."""
    expected = simulation_of(trouble, others)
    monkeypatch.setattr(host_queues, "MAX_UNUSED", 0)
    found = simulation_of(trouble, others)
    assert found.request_times()["one"] == expected.request_times()["one"]
    assert found.reasons() == expected.reasons()


def test_forgetting_at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task ends once and limits hold, even if all that can be forgotten is."""
    monkeypatch.setattr(host_queues, "MAX_UNUSED", 0)
    test_schedule.test_every_task_ends_once()
