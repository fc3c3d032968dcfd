"""The schedule: limits, retries, given-up hosts and fairness, in simulations."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.simulation import (
    BAD_TLS,
    BLACKHOLE,
    CONNECT_TIMEOUT,
    CUT,
    ERROR_500,
    GOOD,
    NO_NAME,
    NOT_FOUND,
    REFUSED,
    RESET,
    SILENT,
    SLOW_BODY,
    TOO_MANY,
    UNAVAILABLE,
    Reply,
    Request,
    Simulation,
    Web,
    after,
    make_outcome,
    make_task,
    simulate,
)
from utils.fetch.redirects import MAX_REDIRECTS
from utils.reasons import Reason, Status
from utils.scheduler.host_queues import HANGS_AFTER
from utils.scheduler.host_state import is_refusal
from utils.scheduler.schedule import Schedule


def always(reply: Reply) -> Web:
    """Return a web with one reply."""
    return lambda _: reply


def by_host(**replies: Reply) -> Web:
    """Return a web in which each host has one reply."""
    return lambda request: replies[request.host]


def with_retry_after(reply: Reply, retry_after: float) -> Reply:
    """Return a reply with a Retry-After header."""
    return Reply(reason=reply.reason, http_status=reply.http_status, retry_after=retry_after)


def gaps(times: list[float]) -> list[float]:
    """Return the seconds between requests."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_batch_size_limits_tasks_in_flight() -> None:
    """Over all hosts; the whole batch is used while there are tasks."""
    simulation = simulate(always(GOOD), {f"h{number}": 10 for number in range(20)}, batch_size=30)
    assert simulation.most_in_flight == 30
    assert simulation.now == pytest.approx(100 + 200 / 30 * 0.1, abs=0.15)


def test_batch_size_can_change() -> None:
    """A smaller batch drains; a larger one is filled at the next call."""
    schedule = Schedule(batch_size=10, retries=0)
    for number in range(60):
        schedule.submit(make_task(number), f"h{number}")
    first = schedule.start_ready(0.0)
    schedule.batch_size = 4
    for task in first[:7]:
        schedule.finish(task.number, make_outcome(task, GOOD), 1.0)
        assert len(schedule.start_ready(1.0)) == (schedule.in_flight == 4 and task is first[6])
    schedule.batch_size = 25
    assert len(schedule.start_ready(2.0)) == 21
    assert (schedule.in_flight, schedule.waiting) == (25, 60 - 7 - 25)


def test_free_slots_are_used_at_once() -> None:
    """One slow URL does not delay the others."""
    slow = after(GOOD, 100.0)
    simulation = simulate(
        lambda request: slow if request.task.number == 0 else GOOD,
        {f"h{n}": 5 for n in range(20)},
        batch_size=4,
    )
    assert simulation.now == pytest.approx(200.0)
    assert max(request.at for request in simulation.requests) < 104


def test_host_limit_grows_from_3_to_32() -> None:
    """However large the batch is."""
    simulation = simulate(always(GOOD), {"one": 500}, batch_size=300)
    assert simulation.most_at_once["one"] == 32
    assert [request.at for request in simulation.requests].count(100.0) == 3


def test_hanging_requests_block_a_host_only_briefly() -> None:
    """Even at a host with a lowered limit: others start beside them, up to eight in all."""

    def reply(request: Request) -> Reply:
        if request.of_host in (1, 2):
            return UNAVAILABLE
        return SILENT if 3 <= request.task.number < 7 else GOOD

    simulation = simulate(reply, {"one": 20}, retries=0)
    others = [request.at - 100.0 for request in simulation.requests if request.task.number >= 7]
    assert HANGS_AFTER < min(others) < max(others) < SILENT.seconds
    assert simulation.most_at_once["one"] == 8


def test_hanging_requests_count_at_a_host_that_never_responded() -> None:
    """The host may be down."""
    simulation = simulate(always(SILENT), {"one": 40}, retries=0)
    assert simulation.most_at_once["one"] == 3


def test_retry_after_is_kept_exactly() -> None:
    """No request is sent before Retry-After is over, and the URL is saved then."""
    simulation = simulate(
        lambda request: with_retry_after(TOO_MANY, 30.0) if request.of_host < 3 else GOOD, {"one": 50}
    )
    later = [request.at for request in simulation.requests if request.at > 100.0]
    assert min(later) == pytest.approx(130.1)
    assert simulation.reasons() == {"": 50}


@pytest.mark.parametrize("reply", [TOO_MANY, UNAVAILABLE])
def test_too_long_retry_after_fails_only_its_url(reply: Reply) -> None:
    """It is rate_limited at once, whatever the status; the host's other URLs continue."""
    long = with_retry_after(reply, 3600.0)
    simulation = simulate(lambda request: long if request.task.number == 3 else GOOD, {"one": 50})
    assert simulation.reasons() == {"": 49, "rate_limited": 1}
    assert simulation.outcomes[3].http_status == reply.http_status
    assert simulation.starts(3) == 1
    assert simulation.now < 110


def test_host_that_asks_for_too_long_pauses_gets_few_requests() -> None:
    """Retry-After holds for all its URLs."""
    simulation = simulate(always(with_retry_after(TOO_MANY, 3600.0)), {"one": 500})
    assert simulation.reasons() == {"rate_limited": 500}
    assert (len(simulation.requests), simulation.now < 101) == (3, True)


@pytest.mark.parametrize(
    "reply", [TOO_MANY, with_retry_after(TOO_MANY, 19.0), with_retry_after(TOO_MANY, 0.0)]
)
def test_host_that_never_delivers_is_waited_for_a_minute(reply: Reply) -> None:
    """Its URLs are left for the next run, without an attempt; the last probe comes at the end."""
    simulation = simulate(always(reply), {"one": 2000})
    assert simulation.reasons() == {"rate_limited": 2000}
    assert simulation.now == pytest.approx(160, abs=3)
    assert {outcome.attempts for outcome in simulation.outcomes.values()} == {0}
    assert len(simulation.requests) <= 10


def test_host_with_a_quota_loses_no_image() -> None:
    """A host that serves 20 files in 6 seconds and then throttles gets few refused requests."""
    served: Counter[int] = Counter()

    def web(request: Request) -> Reply:
        served[int(request.at) // 6] += 1
        return (
            GOOD if served[int(request.at) // 6] <= 20 else with_retry_after(TOO_MANY, 6.0 - request.at % 6.0)
        )

    simulation = simulate(web, {"one": 150})
    assert simulation.reasons() == {"": 150}
    assert len(simulation.requests) < 250


@pytest.mark.parametrize("reply", [RESET, CUT, ERROR_500, UNAVAILABLE])
@pytest.mark.parametrize("retries", [0, 1, 2, 4])
def test_temporary_failure_is_retried(reply: Reply, retries: int) -> None:
    """As often as --retries allows, with growing, randomised delays."""
    simulation = simulate(always(reply), {"one": 20}, retries=retries)
    assert {simulation.starts(number) for number in range(20)} == {retries + 1}
    assert {outcome.attempts for outcome in simulation.outcomes.values()} == {retries + 1}
    assert {round(one.seconds, 3) for one in simulation.outcomes.values()} == {
        round((retries + 1) * reply.seconds, 3)
    }
    for number in range(20):
        waits = gaps([request.at for request in simulation.requests if request.task.number == number])
        for doubled, wait in enumerate(waits):
            assert wait >= reply.seconds + 0.5 * 2**doubled


def test_timeout_is_retried() -> None:
    """As often as --retries allows, if the host answers other URLs."""
    simulation = simulate(
        lambda request: SILENT if request.task.number == 7 else GOOD, {"one": 20}, retries=3
    )
    assert simulation.starts(7) == 4
    assert simulation.reasons() == {"": 19, "timeout": 1}


def test_silent_host_costs_no_more_than_a_silent_url() -> None:
    """All its URLs end when those that were tried end."""
    simulation = simulate(always(SILENT), {"one": 200})
    assert simulation.now - 100 < 35
    assert simulation.reasons()["dead_host"] >= 190


def test_timed_out_url_is_retried_before_new_ones() -> None:
    """So that it does not delay the end of the run."""
    simulation = simulate(
        lambda request: SILENT if request.task.number < 3 else after(GOOD, 5.0), {"one": 300}
    )
    last_fresh = max(request.at for request in simulation.requests if request.task.number >= 3)
    assert max(request.at for request in simulation.requests if request.task.number < 3) < last_fresh
    assert simulation.reasons() == {"": 297, "timeout": 3}


def test_slow_body_is_retried_once() -> None:
    """Each attempt takes seconds and seldom succeeds; without retries there is none."""
    for retries, tries in ((0, 1), (1, 2), (2, 2), (5, 2)):
        simulation = simulate(always(SLOW_BODY), {"one": 5}, retries=retries)
        assert {simulation.starts(number) for number in range(5)} == {tries}
        assert simulation.reasons() == {"timeout": 5}


def test_retry_delays_are_randomised() -> None:
    """URLs that fail at the same moment are not retried at the same moment."""
    simulation = simulate(always(RESET), {f"h{n}": 1 for n in range(20)})
    waits = sorted(request.at - 100.05 for request in simulation.requests if request.of_task == 1)
    assert 0.5 <= waits[0] < 0.8
    assert 1.2 < waits[-1] <= 1.5


def test_success_after_failures_counts_all_attempts() -> None:
    """A URL that fails twice and then succeeds is saved, with three attempts."""
    simulation = simulate(lambda request: RESET if request.of_task < 2 else GOOD, {"one": 5})
    assert simulation.reasons() == {"": 5}
    assert {outcome.attempts for outcome in simulation.outcomes.values()} == {3}


@pytest.mark.parametrize("reply", [NO_NAME, REFUSED, BAD_TLS, NOT_FOUND])
def test_final_failure_is_not_retried(reply: Reply) -> None:
    """Neither a refused connection nor a final response is retried."""
    simulation = simulate(always(reply), {f"h{n}": 1 for n in range(10)})
    assert {simulation.starts(number) for number in range(10)} == {1}


def test_blackholed_host_costs_one_or_two_timeouts() -> None:
    """Its 200 URLs end as connect_timeout or dead_host while 100 URLs of other hosts are saved."""
    simulation = simulate(by_host(dead=BLACKHOLE, good=GOOD), {"dead": 200, "good": 100})
    reasons = simulation.reasons()
    assert reasons[""] == 100
    assert reasons["connect_timeout"] + reasons["dead_host"] == 200
    assert simulation.now - 100 <= 2 * CONNECT_TIMEOUT + 1
    assert len(simulation.request_times()["dead"]) <= 16


@pytest.mark.parametrize(("reply", "word"), [(REFUSED, "connection_refused"), (NO_NAME, "dns_error")])
def test_dead_host_costs_few_requests(reply: Reply, word: str) -> None:
    """500 URLs of a host that refuses or does not resolve do not cost 500 requests."""
    simulation = simulate(always(reply), {"dead": 500})
    assert len(simulation.requests) <= 12
    assert simulation.reasons() == {
        word: len(simulation.requests),
        "dead_host": 500 - len(simulation.requests),
    }
    assert simulation.now - 100 < 5


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME])
@pytest.mark.parametrize("failing", [1, 2, 3])
def test_host_that_recovers_is_not_given_up(reply: Reply, failing: int) -> None:
    """A burst of refusals, or a name server that fails twice, costs those URLs and no others."""
    simulation = simulate(lambda request: reply if request.of_host < failing else GOOD, {"one": 300})
    assert simulation.reasons()[""] == 300 - failing


def test_host_that_dies_is_given_up() -> None:
    """It gets more rounds because it has answered, but only a few minutes and requests."""
    for reply in (REFUSED, NO_NAME, BLACKHOLE):
        simulation = simulate(
            lambda request, reply=reply: GOOD if request.of_host < 50 else reply, {"one": 1000}
        )
        assert simulation.reasons()[""] == 50
        assert simulation.reasons()["dead_host"] > 900
        assert simulation.now < 400


def test_task_for_a_given_up_host_fails_at_once() -> None:
    """It is not tried."""
    simulation = simulate(always(REFUSED), {"dead": 50})
    settled = simulation.schedule.submit(make_task(99), "dead")
    assert settled is not None
    assert (settled.outcome.reason, settled.outcome.attempts) == (Reason.DEAD_HOST, 0)
    assert settled.outcome.status is Status.FAILED


def test_proxy_error_gives_up_no_host() -> None:
    """Each URL fails by itself; when the proxy works again, so do the hosts."""
    refused = Reply(reason=Reason.CONNECTION_REFUSED, http_status=0, from_proxy=True)
    simulation = simulate(lambda request: refused if request.of_host < 60 else GOOD, {"one": 100})
    assert simulation.reasons() == {"connection_refused": 60, "": 40}


def test_hosts_take_turns() -> None:
    """A host with thousands of URLs does not starve a small one that comes after it."""
    simulation = simulate(always(GOOD), {"large": 5000, "small": 5}, batch_size=16)
    assert max(simulation.request_times()["small"]) < 102


def test_silent_host_is_given_up_with_batch_size_1() -> None:
    """URLs that are tried one at a time do not make a run endless."""
    simulation = simulate(always(SILENT), {"silent": 19}, batch_size=1)
    assert simulation.reasons().keys() == {"timeout", "dead_host"}
    assert simulation.now < 200


replies = st.sampled_from(
    [GOOD] * 4
    + [NOT_FOUND, ERROR_500, UNAVAILABLE, TOO_MANY, REFUSED, NO_NAME, BAD_TLS, BLACKHOLE, SILENT, RESET, CUT]
    + [with_retry_after(TOO_MANY, wait) for wait in (0.0, 1.0, 59.0, 61.0)]
    + [with_retry_after(UNAVAILABLE, wait) for wait in (2.0, 3600.0)]
    + [Reply(redirect_to=host) for host in ("h0", "h1", "elsewhere")]
)
hosts = st.lists(st.tuples(st.integers(0, 40), st.lists(replies, min_size=1, max_size=6)), max_size=6)
deaths = st.dictionaries(st.integers(1, 60), st.booleans(), max_size=6)
LOST = Reply(reason=Reason.TOO_MANY_REDIRECTS, http_status=302)


@settings(max_examples=60, deadline=None)
@given(hosts, st.integers(1, 20), st.integers(0, 3), deaths, st.integers(0, 5))
def test_every_task_ends_once(
    worlds: list[tuple[int, list[Reply]]], batch_size: int, retries: int, deaths: dict[int, bool], seed: int
) -> None:
    """Whatever the web does, the schedule ends, wakes only when needed, and keeps its limits."""
    scripts = {f"h{number}": script for number, (_, script) in enumerate(worlds)}
    schedule = Schedule(batch_size=batch_size, retries=retries, rng=random.Random(seed))
    rng = random.Random(seed)
    refusals: Counter[int] = Counter()

    def web(request: Request) -> Reply:
        reply = rng.choice(scripts.get(request.host, [GOOD, REFUSED]))
        refusals[request.task.number] += is_refusal(make_outcome(request.task, reply))
        return LOST if reply.redirect_to and request.task.redirect_history.count == MAX_REDIRECTS else reply

    simulation = Simulation(schedule, web)
    first = 0
    for host, (count, _) in zip(scripts, worlds, strict=True):
        simulation.submit(host, range(first, first + count))
        first += count
    for moment, is_culprit in sorted(deaths.items()):
        simulation.run(until=100.0 + moment)
        lost = simulation.in_flight[::2]
        simulation.lose(lost, lost[0] if lost and is_culprit else None)
    simulation.run()
    assert sorted(simulation.outcomes) == list(range(first))
    assert (schedule.in_flight, schedule.waiting) == (0, 0)
    assert simulation.most_in_flight <= batch_size
    assert max(simulation.most_at_once.values(), default=0) <= 32
    for number in range(first):
        allowed = (retries + 1) * (MAX_REDIRECTS + 1) + len(deaths) + refusals[number]
        assert simulation.starts(number) <= allowed
        assert simulation.outcomes[number].attempts <= retries + 1
