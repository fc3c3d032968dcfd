"""The policy of a run, on a made-up web with a made-up clock."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation import (
    BAD_TLS,
    BLACKHOLE,
    CONNECT_TIMEOUT,
    CUT,
    DRIP,
    ERROR_500,
    GOOD,
    NO_NAME,
    NOT_FOUND,
    REFUSED,
    RESET,
    SILENT,
    TOO_MANY,
    UNAVAILABLE,
    Ask,
    Reply,
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
from utils.scheduler.schedule import Schedule


def always(reply: Reply) -> Web:
    """Make a web that has one reply."""
    return lambda _: reply


def by_host(**replies: Reply) -> Web:
    """Make a web of which each host has one reply."""
    return lambda ask: replies[ask.host]


def limited(reply: Reply, retry_after: float) -> Reply:
    """Give a reply that names a time to wait."""
    return Reply(reason=reply.reason, http_status=reply.http_status, retry_after=retry_after)


def gaps(times: list[float]) -> list[float]:
    """Give the waits between requests."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_no_more_than_the_batch_is_in_flight() -> None:
    """Over all hosts; and the batch is used to the full while there is work."""
    simulation = simulate(always(GOOD), {f"h{number}": 10 for number in range(20)}, batch_size=30)
    assert simulation.most_in_flight == 30
    assert simulation.now == pytest.approx(100 + 200 / 30 * 0.1, abs=0.15)


def test_the_batch_may_change_on_the_way() -> None:
    """A smaller one drains, a larger one is filled at the next turn."""
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


def test_there_are_no_barriers() -> None:
    """A free place is given away at once: one slow URL never holds the others up."""
    slow = after(GOOD, 100.0)
    simulation = simulate(
        lambda ask: slow if ask.task.number == 0 else GOOD, {f"h{n}": 5 for n in range(20)}, batch_size=4
    )
    assert simulation.now == pytest.approx(200.0)
    assert max(ask.at for ask in simulation.asked) < 104


def test_a_host_gets_three_at_once_and_up_to_32_while_it_answers_well() -> None:
    """However large the batch is."""
    simulation = simulate(always(GOOD), {"one": 500}, batch_size=300)
    assert simulation.most_at_once["one"] == 32
    assert [ask.at for ask in simulation.asked].count(100.0) == 3


def test_what_hangs_holds_a_host_up_for_a_moment_only() -> None:
    """Though it has asked for less: the others have their turn beside it, but no more than eight in all."""

    def reply(ask: Ask) -> Reply:
        if ask.of_host in (1, 2):
            return limited(TOO_MANY, 0.0)
        return SILENT if 3 <= ask.task.number < 7 else GOOD

    simulation = simulate(reply, {"one": 20}, retries=0)
    others = [ask.at - 100.0 for ask in simulation.asked if ask.task.number >= 7]
    assert HANGS_AFTER < min(others) < max(others) < SILENT.seconds
    assert simulation.most_at_once["one"] == 8


def test_what_hangs_at_a_host_that_never_answered_keeps_its_places() -> None:
    """Nobody knows yet whether anybody is there."""
    simulation = simulate(always(SILENT), {"one": 40}, retries=0)
    assert simulation.most_at_once["one"] == 3


def test_a_rest_is_kept_to_the_second() -> None:
    """After Retry-After no request goes out until it is over, and the URL comes well then."""
    simulation = simulate(lambda ask: limited(TOO_MANY, 30.0) if ask.of_host < 8 else GOOD, {"one": 50})
    later = [ask.at for ask in simulation.asked if ask.at > 100.0]
    assert min(later) == pytest.approx(130.1)
    assert simulation.reasons() == {"": 50}


def test_a_wait_too_long_fails_that_url_and_only_that() -> None:
    """It is rate_limited after one try, whatever the status was; the others go on."""
    for reply in (TOO_MANY, UNAVAILABLE):
        long = limited(reply, 3600.0)
        simulation = simulate(lambda ask, long=long: long if ask.task.number == 3 else GOOD, {"one": 50})
        assert simulation.reasons() == {"": 49, "rate_limited": 1}
        assert simulation.settled[3].http_status == reply.http_status
        assert simulation.tries(3) == 1
        assert simulation.now < 110


@pytest.mark.parametrize("reply", [TOO_MANY, limited(TOO_MANY, 60.0), limited(TOO_MANY, 0.0)])
def test_too_many_requests_for_ever_ends(reply: Reply) -> None:
    """A host that says nothing else is left for the next run after some minutes; nothing is dead."""
    simulation = simulate(always(reply), {"one": 2000})
    assert simulation.reasons() == {"rate_limited": 2000}
    assert simulation.now < 1000
    assert max(simulation.tries(number) for number in range(2000)) <= 3


def test_a_busy_host_is_worked_through_politely() -> None:
    """One that serves 20 files in 6 seconds and then wants peace loses no image, and is not pestered."""
    served: Counter[int] = Counter()

    def web(ask: Ask) -> Reply:
        served[int(ask.at) // 6] += 1
        return GOOD if served[int(ask.at) // 6] <= 20 else limited(TOO_MANY, 6.0 - ask.at % 6.0)

    simulation = simulate(web, {"one": 150})
    assert simulation.reasons() == {"": 150}
    assert len(simulation.asked) < 250


@pytest.mark.parametrize("reply", [RESET, CUT, ERROR_500, UNAVAILABLE])
@pytest.mark.parametrize("retries", [0, 1, 2, 4])
def test_a_passing_failure_is_tried_again(reply: Reply, retries: int) -> None:
    """As often as --retries allows and no more, with growing, jittered waits."""
    simulation = simulate(always(reply), {"one": 20}, retries=retries)
    assert {simulation.tries(number) for number in range(20)} == {retries + 1}
    assert {outcome.attempts for outcome in simulation.settled.values()} == {retries + 1}
    assert {round(one.seconds, 3) for one in simulation.settled.values()} == {
        round((retries + 1) * reply.seconds, 3)
    }
    for number in range(20):
        waits = gaps([ask.at for ask in simulation.asked if ask.task.number == number])
        for doubled, wait in enumerate(waits):
            assert wait >= reply.seconds + 0.5 * 2**doubled


def test_silence_is_tried_again() -> None:
    """As often as --retries allows, if the host speaks to others."""
    simulation = simulate(lambda ask: SILENT if ask.task.number == 7 else GOOD, {"one": 20}, retries=3)
    assert simulation.tries(7) == 4
    assert simulation.reasons() == {"": 19, "timeout": 1}


def test_a_host_that_never_says_a_word_costs_no_more_than_a_silent_url() -> None:
    """All its URLs end when those end that were tried."""
    simulation = simulate(always(SILENT), {"one": 200})
    assert simulation.now - 100 < 35
    assert simulation.reasons()["dead_host"] >= 190


def test_what_may_be_slow_begins_early() -> None:
    """A URL that timed out is tried again before its host's fresh ones: it holds nobody up in the end."""
    simulation = simulate(lambda ask: SILENT if ask.task.number < 3 else after(GOOD, 5.0), {"one": 300})
    last_fresh = max(ask.at for ask in simulation.asked if ask.task.number >= 3)
    assert max(ask.at for ask in simulation.asked if ask.task.number < 3) < last_fresh
    assert simulation.reasons() == {"": 297, "timeout": 3}


def test_what_drips_is_tried_once_more() -> None:
    """Each try takes seconds, and hardly ever brings anything; without retries there is none."""
    for retries, tries in ((0, 1), (1, 2), (2, 2), (5, 2)):
        simulation = simulate(always(DRIP), {"one": 5}, retries=retries)
        assert {simulation.tries(number) for number in range(5)} == {tries}
        assert simulation.reasons() == {"timeout": 5}


def test_the_waits_before_a_retry_are_jittered() -> None:
    """What fails at the same moment is not tried again at the same moment."""
    simulation = simulate(always(RESET), {f"h{n}": 1 for n in range(20)})
    waits = sorted(ask.at - 100.05 for ask in simulation.asked if ask.of_task == 1)
    assert 0.5 <= waits[0] < 0.8
    assert 1.2 < waits[-1] <= 1.5


def test_what_comes_well_later_is_good() -> None:
    """A URL that fails twice in passing and then answers is saved, with all its tries told."""
    simulation = simulate(lambda ask: RESET if ask.of_task < 2 else GOOD, {"one": 5})
    assert simulation.reasons() == {"": 5}
    assert {outcome.attempts for outcome in simulation.settled.values()} == {3}


@pytest.mark.parametrize("reply", [NO_NAME, REFUSED, BAD_TLS, NOT_FOUND])
def test_what_proves_itself_at_once_is_tried_once(reply: Reply) -> None:
    """Neither a refusal nor a final answer is asked for twice."""
    simulation = simulate(always(reply), {f"h{n}": 1 for n in range(10)})
    assert {simulation.tries(number) for number in range(10)} == {1}


def test_a_blackholed_host_costs_one_or_two_connect_timeouts() -> None:
    """Its 200 URLs end as connect_timeout or dead_host while 100 good ones beside it are saved."""
    simulation = simulate(by_host(dead=BLACKHOLE, good=GOOD), {"dead": 200, "good": 100})
    reasons = simulation.reasons()
    assert reasons[""] == 100
    assert reasons["connect_timeout"] + reasons["dead_host"] == 200
    assert simulation.now - 100 <= 2 * CONNECT_TIMEOUT + 1
    assert len(simulation.starts()["dead"]) <= 16


@pytest.mark.parametrize(("reply", "word"), [(REFUSED, "connection_refused"), (NO_NAME, "dns_error")])
def test_a_dead_host_costs_few_tries(reply: Reply, word: str) -> None:
    """500 URLs of a host that refuses or has no name do not cost 500 requests."""
    simulation = simulate(always(reply), {"dead": 500})
    assert len(simulation.asked) <= 12
    assert simulation.reasons() == {word: len(simulation.asked), "dead_host": 500 - len(simulation.asked)}
    assert simulation.now - 100 < 5


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME])
@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_host_that_recovers_is_not_lost(reply: Reply, failing: int) -> None:
    """A burst of refusals, or a name server that fails twice, costs those URLs and no other."""
    simulation = simulate(lambda ask: reply if ask.of_host < failing else GOOD, {"one": 300})
    assert simulation.reasons()[""] == 300 - failing


def test_a_host_that_was_good_and_dies_is_given_up_in_time() -> None:
    """It is given more patience, but costs no more than some minutes and few tries."""
    for reply in (REFUSED, NO_NAME, BLACKHOLE):
        simulation = simulate(lambda ask, reply=reply: GOOD if ask.of_host < 50 else reply, {"one": 1000})
        assert simulation.reasons()[""] == 50
        assert simulation.reasons()["dead_host"] > 900
        assert simulation.now < 400


def test_a_host_that_has_been_given_up_takes_no_more() -> None:
    """What is offered later is settled at once, untried."""
    simulation = simulate(always(REFUSED), {"dead": 50})
    settled = simulation.schedule.submit(make_task(99), "dead")
    assert settled is not None
    assert (settled.outcome.reason, settled.outcome.attempts) == (Reason.DEAD_HOST, 0)
    assert settled.outcome.status is Status.FAILED


def test_a_proxy_that_refuses_condemns_no_host() -> None:
    """Each URL fails for itself; when the proxy works again, so does the host."""
    refused = Reply(reason=Reason.CONNECTION_REFUSED, http_status=0, from_proxy=True)
    simulation = simulate(lambda ask: refused if ask.of_host < 60 else GOOD, {"one": 100})
    assert simulation.reasons() == {"connection_refused": 60, "": 40}


def test_what_waits_is_spread_over_the_hosts() -> None:
    """A host with thousands of URLs before it does not starve a small one."""
    simulation = simulate(always(GOOD), {"large": 5000, "small": 5}, batch_size=16)
    assert max(simulation.starts()["small"]) < 102


def test_a_silent_host_is_given_up_when_its_urls_are_tried_one_by_one() -> None:
    """With a batch size of 1, a host that never responds does not delay the run for ever."""
    simulation = simulate(always(SILENT), {"silent": 19}, batch_size=1)
    assert simulation.reasons().keys() == {"timeout", "dead_host"}
    assert simulation.now < 200


replies = st.sampled_from(
    [GOOD] * 4
    + [NOT_FOUND, ERROR_500, UNAVAILABLE, TOO_MANY, REFUSED, NO_NAME, BAD_TLS, BLACKHOLE, SILENT, RESET, CUT]
    + [limited(TOO_MANY, wait) for wait in (0.0, 1.0, 59.0, 61.0)]
    + [limited(UNAVAILABLE, wait) for wait in (2.0, 3600.0)]
    + [Reply(leads_to=host) for host in ("h0", "h1", "elsewhere")]
)
hosts = st.lists(st.tuples(st.integers(0, 40), st.lists(replies, min_size=1, max_size=6)), max_size=6)
deaths = st.dictionaries(st.integers(1, 60), st.booleans(), max_size=6)
LOST = Reply(reason=Reason.TOO_MANY_REDIRECTS, http_status=302)


@settings(max_examples=150, deadline=None)
@given(hosts, st.integers(1, 20), st.integers(0, 3), deaths, st.integers(0, 5))
def test_whatever_the_web_does_every_task_is_settled_once(
    worlds: list[tuple[int, list[Reply]]], batch_size: int, retries: int, deaths: dict[int, bool], seed: int
) -> None:
    """The schedule ends by itself, woken only when it asked to be, and keeps its limits at every moment."""
    scripts = {f"h{number}": script for number, (_, script) in enumerate(worlds)}
    schedule = Schedule(batch_size=batch_size, retries=retries, rng=random.Random(seed))
    dice = random.Random(seed)

    def web(ask: Ask) -> Reply:
        reply = dice.choice(scripts.get(ask.host, [GOOD, REFUSED]))
        return LOST if reply.leads_to and ask.task.redirect_history.count == MAX_REDIRECTS else reply

    simulation = Simulation(schedule, web)
    first = 0
    for host, (count, _) in zip(scripts, worlds, strict=True):
        simulation.offer(host, range(first, first + count))
        first += count
    for moment, guilty in sorted(deaths.items()):
        simulation.run(until=100.0 + moment)
        doomed = simulation.in_flight[::2]
        simulation.lose(doomed, doomed[0] if doomed and guilty else None)
    simulation.run()
    assert sorted(simulation.settled) == list(range(first))
    assert (schedule.in_flight, schedule.waiting) == (0, 0)
    assert simulation.most_in_flight <= batch_size
    assert max(simulation.most_at_once.values(), default=0) <= 32
    for number in range(first):
        assert simulation.tries(number) <= (retries + 1) * (MAX_REDIRECTS + 1) + len(deaths)
        assert simulation.settled[number].attempts <= retries + 1
