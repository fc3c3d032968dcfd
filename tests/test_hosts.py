"""A host is treated politely while it lives, and given up only when it is surely dead."""

from __future__ import annotations

import pytest

from tests.simulation import (
    BLACKHOLE,
    CUT,
    ERROR_500,
    GOOD,
    NO_NAME,
    NOT_FOUND,
    REFUSED,
    RESET,
    SILENT,
    TOO_MANY,
    UNAVAILABLE,
    Reply,
    make_outcome,
    make_task,
)
from utils.reasons import Reason
from utils.scheduler.host_state import (
    FIRST_LIMIT,
    FIRST_PAUSE,
    HIGHEST_LIMIT,
    MAX_PAUSE,
    MAX_PAUSES,
    UNKNOWN_LIMIT,
    HostState,
)


def record(host: HostState, reply: Reply, *, now: float, started: float | None = None, task: int = 0) -> None:
    """Tell a host of the end of a request."""
    began = now - 0.1 if started is None else started
    host.record_result(make_outcome(make_task(task), reply), started=began, now=now)


def limited(reply: Reply, retry_after: float) -> Reply:
    """Give a reply that names a time to wait."""
    return Reply(reason=reply.reason, http_status=reply.http_status, retry_after=retry_after)


def test_a_host_gets_eight_at_once_and_more_while_it_answers_well() -> None:
    """Three until it has answered; then each good answer, a "no such page" too, allows one more, up to 32."""
    host = HostState("a:80")
    assert host.limit == UNKNOWN_LIMIT == 3
    for now in range(3):
        record(host, NOT_FOUND if now % 2 else GOOD, now=now)
    assert host.limit == 11
    for now in range(3, 100):
        record(host, GOOD, now=now)
    assert host.limit == HIGHEST_LIMIT == 32


def test_who_shares_a_host_gets_a_part() -> None:
    """Where four ask the same host each gets a quarter of every limit, and one request at least."""
    host = HostState("a:80", 4)
    assert host.limit == 1
    record(host, GOOD, now=0)
    assert host.limit == FIRST_LIMIT // 4 + 1
    for now in range(1, 100):
        record(host, GOOD, now=now)
    assert host.limit == HIGHEST_LIMIT // 4


@pytest.mark.parametrize("reply", [ERROR_500, RESET])
def test_trouble_earns_no_more_requests(reply: Reply) -> None:
    """An answer that shows trouble does not raise the limit, and is no reason to give the host up."""
    host = HostState("a:80")
    for now in range(100):
        record(host, reply, now=now)
    assert (host.limit, host.given_up) == (8, None)


@pytest.mark.parametrize("reply", [TOO_MANY, UNAVAILABLE])
def test_the_limit_is_halved_once_for_a_burst(reply: Reply) -> None:
    """What was sent before the limit was halved does not halve it again; what was sent after does."""
    host = HostState("a:80")
    for now in (10.0, 10.1, 10.2):
        record(host, reply, started=9.0, now=now)
    assert host.limit == 4
    for now in (20.0, 30.0, 40.0):
        record(host, reply, now=now)
    assert host.limit == 1


def test_a_host_that_wanted_less_gets_more_only_slowly() -> None:
    """After a halving a host earns one more request by as many good answers as it may have requests."""
    host = HostState("a:80")
    record(host, TOO_MANY, now=10.0)
    limits = []
    for now in range(20, 33):
        record(host, GOOD, now=now)
        limits.append(host.limit)
    assert limits == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6]


@pytest.mark.parametrize("reply", [TOO_MANY, UNAVAILABLE])
def test_a_host_is_left_alone_as_long_as_it_says(reply: Reply) -> None:
    """Not one request goes out before Retry-After is over, and then one may."""
    host = HostState("a:80")
    record(host, limited(reply, 30.0), now=100.0)
    assert not host.can_start(129.9)
    assert host.can_start(130.0)


def test_the_longest_wait_of_a_burst_counts() -> None:
    """An answer to a request of before the rest may lengthen it, and never shortens it."""
    host = HostState("a:80")
    for now, seconds in ((10.0, 5.0), (10.1, 40.0), (10.2, 1.0), (10.3, 3600.0)):
        record(host, limited(TOO_MANY, seconds), started=9.0, now=now)
    assert host.limit == 4
    assert host.paused_until == pytest.approx(50.1)


def test_a_wait_too_long_is_no_rest() -> None:
    """Whoever asks for more than a minute fails that URL; the host goes on, at half the pace."""
    host = HostState("a:80")
    record(host, limited(TOO_MANY, MAX_PAUSE + 1), now=10.0)
    assert host.can_start(10.0)
    assert (host.limit, host.given_up) == (4, None)


def test_without_a_time_the_rests_grow() -> None:
    """A "too many requests" that names no time brings rests of 2, 4, 8 … 60 seconds, and at last the end."""
    host, now, rests = HostState("a:80"), 0.0, []
    while host.given_up is None:
        record(host, TOO_MANY, started=now, now=now)
        rests.append(host.paused_until - now)
        now = host.paused_until
    assert rests == [FIRST_PAUSE, 4.0, 8.0, 16.0, 32.0, MAX_PAUSE, MAX_PAUSE]
    assert len(rests) == MAX_PAUSES + 1
    assert host.given_up is Reason.RATE_LIMITED


def test_one_good_answer_ends_the_row_of_rests() -> None:
    """A host that works between its rests is never given up."""
    host = HostState("a:80")
    for now in range(0, 10_000, 100):
        record(host, TOO_MANY, now=now)
        assert host.paused_until - now <= 8.0
        record(host, TOO_MANY, now=now + 40)
        record(host, GOOD, now=now + 60)
    assert host.given_up is None


def test_three_silent_urls_of_one_round_are_enough() -> None:
    """A host that never answered and lets three URLs time out is dead, without a second round."""
    host = HostState("a:80")
    for _ in range(2):
        record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is None
    record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is Reason.DEAD_HOST


def test_two_rounds_of_silence_are_enough() -> None:
    """With fewer URLs it takes a second try."""
    host = HostState("a:80")
    record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is None
    assert not host.can_start(5.4)
    record(host, BLACKHOLE, started=5.5, now=10.5)
    assert host.given_up is Reason.DEAD_HOST


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME])
def test_refusals_count_by_rounds(reply: Reply) -> None:
    """A burst of refusals is one round; after three rounds with rests in between it is sure."""
    host = HostState("a:80")
    for started in (10.0, 10.6, 11.7):
        assert host.given_up is None
        for _ in range(8):
            record(host, reply, started=started, now=started + 0.01)
        assert host.limit == 1
    assert host.given_up is Reason.DEAD_HOST


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME, BLACKHOLE])
@pytest.mark.parametrize("sign_of_life", [GOOD, ERROR_500, CUT, RESET, TOO_MANY])
def test_a_sign_of_life_wipes_failures_out(reply: Reply, sign_of_life: Reply) -> None:
    """Only a host that gives nothing but connect failures is given up."""
    host = HostState("a:80")
    for now in range(0, 1000, 100):
        record(host, reply, now=now)
        record(host, sign_of_life, now=now + 50)
    assert host.given_up is not Reason.DEAD_HOST


def test_who_accepts_and_says_nothing_is_nobody() -> None:
    """After three rounds in which several URLs got no word, from a host that never said one."""
    host = HostState("a:80")
    for started in (0.0, 11.0):
        for task in range(2):
            record(host, SILENT, started=started, now=started + 10.0, task=task)
        assert host.given_up is None
    record(host, SILENT, started=23.0, now=33.0)
    assert host.given_up is Reason.DEAD_HOST


def test_one_silent_url_says_nothing_of_its_host() -> None:
    """Nor do many, once the host has answered anybody."""
    alone, good = HostState("a:80"), HostState("b:80")
    record(good, NOT_FOUND, now=0.0)
    for number in range(50):
        record(alone, SILENT, now=20.0 * number)
        record(good, SILENT, now=20.0 * number)
    assert (alone.given_up, good.given_up) == (None, None)
    assert good.limit == FIRST_LIMIT + 1


def test_a_recovered_host_has_its_places_back() -> None:
    """While it fails one request at a time probes it; when it answers all may go out again."""
    host = HostState("a:80")
    record(host, REFUSED, now=1.0)
    assert host.limit == 1
    record(host, GOOD, now=2.0)
    assert host.limit == FIRST_LIMIT + 1


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME, BLACKHOLE])
def test_a_host_that_was_good_is_given_more_time(reply: Reply) -> None:
    """It survives twice as many rounds, but not for ever, nor for more than five minutes."""
    host, now, rounds = HostState("a:80"), 10.0, 0
    record(host, GOOD, now=now)
    while host.given_up is None:
        record(host, reply, started=now, now=now + reply.seconds)
        now, rounds = host.paused_until, rounds + 1
    assert rounds == (4 if reply is BLACKHOLE else 6)
    assert now < 300


def test_a_proxy_that_refuses_says_nothing_about_the_host() -> None:
    """No failure of the proxy changes anything."""
    host = HostState("a:80")
    for now in range(50):
        record(host, Reply(reason=Reason.CONNECTION_REFUSED, http_status=0, from_proxy=True), now=now)
        record(host, Reply(reason=Reason.HTTP_STATUS, http_status=407, from_proxy=True), now=now)
    assert (host.limit, host.given_up, host.can_start(0.0)) == (UNKNOWN_LIMIT, None, True)
