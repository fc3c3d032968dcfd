"""Hosts that limit requests, on a simulated clock: no image is lost, and they are asked as they allow."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.limited_hosts import Ban, Bucket, Concurrency, Host, Window
from tests.scheduler.simulation import GOOD, TOO_MANY, Reply, Request, Simulation, simulate
from utils.models.hosts import LearnedLimit
from utils.reasons import Reason
from utils.scheduler.schedule import Schedule

FACTOR = 1.3
"""Time of a run, at most, in times of an ideal client, from the last round of refusals on."""


def run(host: Host, count: int, **options: int) -> Simulation:
    """Let a host deliver images, and check what holds for all hosts."""
    simulation = simulate(host, {"one": count}, **options)
    assert simulation.reasons() == {"": count}
    assert {outcome.attempts for outcome in simulation.outcomes.values()} == {1}
    assert host.rounds.rounds <= max(6, count / 10)
    return simulation


def left_after_learning(simulation: Simulation, host: Host) -> tuple[float, int]:
    """Return the seconds and images after the last round of refusals."""
    learned = max(host.rounds.last_at, 100.0)
    later = [request for request in simulation.requests if request.at >= learned]
    return simulation.now - learned, len(later)


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.3])
@pytest.mark.parametrize("with_retry_after", [False, True])
@pytest.mark.parametrize(("rate", "burst"), [(2, 15), (4, 20), (6, 40), (1, 25), (12, 10)])
def test_rate(rate: float, burst: float, *, with_retry_after: bool, seconds: float) -> None:
    """Requests are sent at the rate that the host allows."""
    host = Bucket(seconds=seconds, with_retry_after=with_retry_after, rate=rate, burst=burst)
    count = int(burst + 40 * rate)
    simulation = run(host, count)
    assert simulation.now - 100.0 <= FACTOR * 40
    took, left = left_after_learning(simulation, host)
    assert took <= FACTOR * left / rate + 1 / rate + 1


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.2])
@pytest.mark.parametrize("with_retry_after", [False, True])
@pytest.mark.parametrize("slides", [False, True])
@pytest.mark.parametrize(("size", "length"), [(30, 10), (40, 12), (25, 15), (60, 30)])
def test_window(size: int, length: float, *, slides: bool, with_retry_after: bool, seconds: float) -> None:
    """As many requests are sent in each window as the host allows."""
    host = Window(
        seconds=seconds, with_retry_after=with_retry_after, count=size, length=length, slides=slides
    )
    simulation = run(host, 4 * size)
    took, left = left_after_learning(simulation, host)
    assert took <= FACTOR * length * left / size + length
    assert simulation.now - 100.0 <= 2 * 3 * length


@pytest.mark.parametrize("seconds", [0.05, 0.08, 0.2])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_concurrency(limit: int, seconds: float) -> None:
    """As many requests run at once as the host allows."""
    host = Concurrency(seconds=seconds, limit=limit)
    simulation = run(host, 150 * limit)
    took, left = left_after_learning(simulation, host)
    assert took <= FACTOR * left * seconds / limit + 1.5
    assert simulation.now - 100.0 <= FACTOR * 150 * seconds + 6


@pytest.mark.parametrize("seconds", [0.05, 0.08, 0.2])
@pytest.mark.parametrize("is_prolonged", [False, True])
@pytest.mark.parametrize(("rate", "burst", "length"), [(5, 20, 12), (3, 15, 10), (2, 40, 10), (4, 30, 20)])
def test_ban(rate: float, burst: float, length: float, *, is_prolonged: bool, seconds: float) -> None:
    """A host that bans is provoked three times at most."""
    host = Ban(seconds=seconds, rate=rate, burst=burst, length=length, is_prolonged=is_prolonged)
    simulation = run(host, int(burst + 40 * rate))
    assert host.bans <= 3
    took, left = left_after_learning(simulation, host)
    assert took <= FACTOR * left / rate + 3 * length


SECONDS = st.sampled_from([0.02, 0.05, 0.08, 0.15])
SEEDS = st.integers(0, 1000).map(random.Random)
buckets = st.builds(
    Bucket,
    seconds=SECONDS,
    rng=SEEDS,
    with_retry_after=st.booleans(),
    rate=st.floats(1, 10),
    burst=st.integers(5, 60),
)
windows = st.builds(
    Window,
    seconds=SECONDS,
    rng=SEEDS,
    with_retry_after=st.booleans(),
    count=st.integers(20, 60),
    length=st.floats(8, 25),
    slides=st.booleans(),
)
bans = st.builds(
    Ban,
    seconds=SECONDS,
    rng=SEEDS,
    rate=st.floats(1, 6),
    burst=st.integers(10, 40),
    length=st.floats(5, 15),
    is_prolonged=st.booleans(),
)
concurrencies = st.builds(Concurrency, seconds=SECONDS, rng=SEEDS, limit=st.integers(1, 10))


def seconds_for(host: Host, count: int) -> float:
    """Return the seconds in which a host allows so many requests in the long run."""
    if isinstance(host, Bucket):
        return count / host.rate
    if isinstance(host, Window):
        return host.length * count / host.count
    assert isinstance(host, Concurrency)
    return count * host.seconds / host.limit


def grace(host: Host) -> float:
    """Return the seconds of a pause, or of a window that is partly used, which come on top."""
    return host.length if isinstance(host, Window) else 4 * host.length if isinstance(host, Ban) else 2.0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(buckets | windows | bans | concurrencies)
def test_any_limit(host: Host) -> None:
    """No image is lost, few are refused, and after the last refusal the host is asked as it allows."""
    count = max(150, round(40 / seconds_for(host, 1))) if not isinstance(host, Concurrency) else 400
    simulation = run(host, count)
    took, left = left_after_learning(simulation, host)
    assert took <= FACTOR * seconds_for(host, left) + grace(host)
    assert not isinstance(host, Ban) or host.bans <= 3


def test_other_hosts_are_not_held_up() -> None:
    """They take as long as if the limited hosts did not exist, even with many more URLs of these."""

    def web(request: Request) -> Reply:
        return limited[request.host](request) if request.host in limited else GOOD

    alone = simulate(lambda _request: GOOD, {"free": 2000}, batch_size=64)
    limited: dict[str, Host] = {f"h{number}": Bucket(rate=3, burst=10 + number) for number in range(6)}
    simulation = simulate(web, dict.fromkeys(limited, 150) | {"free": 2000}, batch_size=64)
    assert simulation.reasons() == {"": 2900}
    last = max(simulation.request_times()["free"]) - 100.0
    assert last <= 1.3 * (alone.now - 100.0) + 1


def test_one_refusal_among_many_successes_is_no_limit() -> None:
    """That URL waits; the host goes on."""
    simulation = simulate(
        lambda request: TOO_MANY if request.of_task == 0 and request.task.number in (200, 900) else GOOD,
        {"one": 1500},
    )
    assert simulation.reasons() == {"": 1500}
    assert simulation.now <= simulate(lambda _request: GOOD, {"one": 1500}).now + 2


def test_refusals_of_one_round_trip_count_once() -> None:
    """All requests that are under way are refused; after one second, a single probe follows."""
    simulation = simulate(lambda request: TOO_MANY if 100.5 < request.at < 101 else GOOD, {"one": 400})
    assert simulation.reasons() == {"": 400}
    later = sorted(request.at for request in simulation.requests if request.at > 101)
    assert later[0] <= 101.7
    assert later[1] > later[0]


def test_six_minute_ban() -> None:
    """The pauses grow to some minutes; no image is lost, and the host is not provoked again and again."""
    host = Ban(rate=1, burst=60, length=360, is_prolonged=False)
    simulation = simulate(host, {"one": 300})
    assert simulation.reasons() == {"": 300}
    assert host.bans <= 3


def test_pauses_grow() -> None:
    """1 s, doubling, and from a minute on 1, 3, 6 and 10 minutes, with a single probe after each."""
    good = 3
    simulation = simulate(lambda request: GOOD if request.of_host < good else TOO_MANY, {"one": 50})
    assert simulation.reasons() == {"": good, "rate_limited": 50 - good}
    times = [request.at for request in simulation.requests if request.of_host >= good]
    probes = [at for at in times if at > min(times)]
    pauses = [round(later - at - 0.1, 6) for at, later in itertools.pairwise(probes)]
    assert pauses[:8] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 180.0, 360.0]
    assert max(times) <= 100 + 15 * 60 + 1


@pytest.mark.parametrize(("patience", "expected"), [(0, 0), (30, 30), (600, 600)])
def test_patience(patience: float, expected: float) -> None:
    """A host that has delivered images is waited for as long as the patience lasts."""
    schedule = Schedule(batch_size=64, retries=2, patience=patience)
    simulation = Simulation(schedule, lambda request: GOOD if request.of_host < 3 else TOO_MANY)
    simulation.submit("one", range(40))
    simulation.run()
    assert simulation.reasons() == {"": 3, "rate_limited": 37}
    assert max(request.at for request in simulation.requests) <= 100.5 + expected
    assert max(request.at for request in simulation.requests) >= 100 + 0.8 * expected


@pytest.mark.parametrize(("is_known", "seconds"), [(False, 60), (True, 300)])
def test_host_that_delivered_in_an_earlier_run(*, is_known: bool, seconds: float) -> None:
    """It gets all of the patience, others a minute."""
    schedule = Schedule(batch_size=64, retries=2, patience=300, has_delivered=lambda _host: is_known)
    simulation = Simulation(schedule, lambda _request: TOO_MANY)
    simulation.submit("one", range(40))
    simulation.run()
    assert simulation.now == pytest.approx(100 + seconds, abs=1)


def test_patience_begins_when_nothing_else_is_left() -> None:
    """A host that works for longer than the patience keeps the others alive."""
    schedule = Schedule(batch_size=64, retries=2, patience=20)
    simulation = Simulation(
        schedule,
        lambda request: (
            Reply(seconds=10.0) if request.host == "slow" else TOO_MANY if request.at < 150 else GOOD
        ),
    )
    simulation.submit("one", range(20))
    simulation.submit("slow", range(20, 100))
    simulation.run()
    assert simulation.reasons() == {"": 100}


def test_learned_pace_is_used_by_the_next_run() -> None:
    """It begins at this pace, and draws no refusal."""
    first = simulate(Bucket(rate=3, burst=10), {"one": 100})
    learned = first.schedule.learned_limits()
    assert learned["one"].pace == pytest.approx(3, rel=0.2)
    host = Bucket(rate=3, burst=10)
    simulation = Simulation(Schedule(batch_size=64, retries=2, learned=learned), host)
    simulation.submit("one", range(60))
    simulation.run()
    assert simulation.reasons() == {"": 60}
    assert host.rounds.rounds <= 1
    assert simulation.now - 100 <= FACTOR * 20
    assert simulation.schedule.learned_limits() == {} or host.rounds.rounds


@pytest.mark.parametrize("learned", [LearnedLimit(9.0, 32), LearnedLimit(1.0, 32), LearnedLimit(None, 20)])
def test_outdated_pace_is_corrected(learned: LearnedLimit) -> None:
    """Whether the host allows more or less today."""
    host = Bucket(rate=3, burst=10, rng=random.Random(2))
    simulation = Simulation(Schedule(batch_size=64, retries=2, learned={"one": learned}), host)
    simulation.now = 50_000.0
    simulation.submit("one", range(150))
    simulation.run()
    assert simulation.reasons() == {"": 150}
    assert host.rounds.rounds <= 15
    assert simulation.now - 50_000.0 <= 2 * 150 / 3


def test_parts_share_a_learned_pace() -> None:
    """Each of four shards takes a quarter of it."""
    learned = {"one": LearnedLimit(8.0, 32)}
    schedule = Schedule(batch_size=64, retries=2, parts=lambda _host: 4, learned=learned)
    simulation = Simulation(schedule, lambda _request: GOOD)
    simulation.submit("one", range(40))
    simulation.run()
    assert simulation.now - 100 >= 0.7 * 40 / 2


def test_url_that_timed_out_before_is_tried_once_and_last() -> None:
    """Whatever its place in the order."""

    def hanging(request: Request) -> Reply:
        return Reply(seconds=10.0, reason=Reason.TIMEOUT) if request.task.number < 5 else GOOD

    simulation = Simulation(Schedule(batch_size=8, retries=2), hanging)
    simulation.submit("one", range(5), timed_out_before=True)
    simulation.submit("one", range(5, 200))
    simulation.run()
    assert simulation.reasons() == {"timeout": 5, "": 195}
    assert [simulation.starts(number) for number in range(5)] == [1] * 5
    order = [request.task.number for request in simulation.requests]
    assert sorted(order[-5:]) == list(range(5))
