"""The state of one host: limit, pauses, and when it is given up."""

from __future__ import annotations

import pytest

from tests.scheduler.simulation import (
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
    HIGHEST_LIMIT,
    ON_DISK,
    TOO_LONG,
    UNKNOWN_LIMIT,
    HostState,
)


def record(host: HostState, reply: Reply, *, now: float, started: float | None = None, task: int = 0) -> None:
    """Record the result of a request."""
    began = now - 0.1 if started is None else started
    host.record_result(make_outcome(make_task(task), reply), started=began, now=now)


def with_retry_after(reply: Reply, retry_after: float) -> Reply:
    """Return a reply with a Retry-After header."""
    return Reply(reason=reply.reason, http_status=reply.http_status, retry_after=retry_after)


def test_limit_grows_with_good_responses() -> None:
    """3 before the first response, then 8, and one more for each good response (also a 404), up to 32."""
    host = HostState("a:80")
    assert host.limit == UNKNOWN_LIMIT == 3
    for now in range(3):
        record(host, NOT_FOUND if now % 2 else GOOD, now=now)
    assert host.limit == 11
    for now in range(3, 100):
        record(host, GOOD, now=now)
    assert host.limit == HIGHEST_LIMIT == 32


def test_disk_has_no_limit() -> None:
    """Images on disk need no requests: their number is not limited, whatever was read before."""
    disk = HostState(ON_DISK)
    for result in (GOOD, NOT_FOUND, Reply(reason=Reason.TRUNCATED)):
        record(disk, result, now=0)
    for _ in range(5000):
        assert disk.can_start(0)
        disk.record_start(0)


def test_limits_are_divided() -> None:
    """With four parts each limit is a quarter, and at least one request."""
    host = HostState("a:80", 4)
    assert host.limit == 1
    record(host, GOOD, now=0)
    assert host.limit == FIRST_LIMIT // 4 + 1
    for now in range(1, 100):
        record(host, GOOD, now=now)
    assert host.limit == HIGHEST_LIMIT // 4


@pytest.mark.parametrize("reply", [ERROR_500, RESET])
def test_errors_do_not_raise_the_limit(reply: Reply) -> None:
    """Nor do they give the host up."""
    host = HostState("a:80")
    for now in range(100):
        record(host, reply, now=now)
    assert (host.limit, host.given_up) == (8, None)


def test_limit_is_halved_once_for_a_burst() -> None:
    """Requests that were sent before a 503 do not halve it again; later ones do."""
    host = HostState("a:80")
    for now in (10.0, 10.1, 10.2):
        record(host, UNAVAILABLE, started=9.0, now=now)
    assert host.limit == 4
    for now in (20.0, 30.0, 40.0):
        record(host, UNAVAILABLE, now=now)
    assert host.limit == 1


def test_limit_grows_slowly_after_a_503() -> None:
    """By one for as many good responses as it allows requests."""
    host = HostState("a:80")
    record(host, UNAVAILABLE, now=10.0)
    limits = []
    for now in range(20, 33):
        record(host, GOOD, now=now)
        limits.append(host.limit)
    assert limits == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6]


@pytest.mark.parametrize("reply", [TOO_MANY, UNAVAILABLE])
def test_retry_after_pauses_the_host(reply: Reply) -> None:
    """No request starts before Retry-After is over."""
    host = HostState("a:80")
    record(host, with_retry_after(reply, 30.0), now=100.0)
    assert not host.can_start(129.9)
    assert host.can_start(130.0)


def test_longest_retry_after_of_a_round_counts() -> None:
    """A later response may lengthen the pause, and never shortens it."""
    host = HostState("a:80")
    for now, seconds in ((10.0, 5.0), (10.1, 40.0), (10.2, 1.0)):
        record(host, with_retry_after(TOO_MANY, seconds), started=9.0, now=now)
    assert host.next_start() == pytest.approx(50.1)


def test_host_that_asks_for_too_long_pauses_is_given_up() -> None:
    """After three such requests in a row; a single one among accepted requests changes nothing."""
    host = HostState("a:80")
    for now in range(10):
        outcome = make_outcome(make_task(0), with_retry_after(TOO_MANY, 901.0))
        host.record_result(outcome, started=now, now=now, max_pause=900.0)
        record(host, GOOD, now=now)
    assert (host.given_up, host.can_start(10.0)) == (None, True)
    for _ in range(TOO_LONG):
        assert host.given_up is None
        host.record_result(outcome, started=20.0, now=20.0, max_pause=900.0)
    assert host.given_up is Reason.RATE_LIMITED


def test_three_connect_timeouts_in_one_round() -> None:
    """A host that never answered is dead, without a second round."""
    host = HostState("a:80")
    for _ in range(2):
        record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is None
    record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is Reason.DEAD_HOST


def test_connect_timeouts_in_two_rounds() -> None:
    """A host with fewer URLs is dead after a second round."""
    host = HostState("a:80")
    record(host, BLACKHOLE, started=0.0, now=5.0)
    assert host.given_up is None
    assert not host.can_start(5.4)
    record(host, BLACKHOLE, started=5.5, now=10.5)
    assert host.given_up is Reason.DEAD_HOST


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME])
def test_refused_connections_count_by_rounds(reply: Reply) -> None:
    """A burst is one round; after three rounds with pauses in between the host is dead."""
    host = HostState("a:80")
    for started in (10.0, 10.6, 11.7):
        assert host.given_up is None
        for _ in range(8):
            record(host, reply, started=started, now=started + 0.01)
        assert host.limit == 1
    assert host.given_up is Reason.DEAD_HOST


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME, BLACKHOLE])
@pytest.mark.parametrize("sign_of_life", [GOOD, ERROR_500, CUT, RESET, TOO_MANY])
def test_connection_resets_the_failures(reply: Reply, sign_of_life: Reply) -> None:
    """Only a host that gives nothing but connect failures is given up."""
    host = HostState("a:80")
    for now in range(0, 1000, 100):
        record(host, reply, now=now)
        record(host, sign_of_life, now=now + 50)
    assert host.given_up is not Reason.DEAD_HOST


def test_host_that_accepts_but_never_responds_is_dead() -> None:
    """After three rounds of timeouts of several URLs."""
    host = HostState("a:80")
    for started in (0.0, 11.0):
        for task in range(2):
            record(host, SILENT, started=started, now=started + 10.0, task=task)
        assert host.given_up is None
    record(host, SILENT, started=23.0, now=33.0)
    assert host.given_up is Reason.DEAD_HOST


def test_one_silent_url_does_not_give_up_its_host() -> None:
    """Nor do many, if the host has answered any."""
    alone, good = HostState("a:80"), HostState("b:80")
    record(good, NOT_FOUND, now=0.0)
    for number in range(50):
        record(alone, SILENT, now=20.0 * number)
        record(good, SILENT, now=20.0 * number)
    assert (alone.given_up, good.given_up) == (None, None)
    assert good.limit == FIRST_LIMIT + 1


def test_recovered_host_has_its_limit_back() -> None:
    """While it fails, one request at a time probes it."""
    host = HostState("a:80")
    record(host, REFUSED, now=1.0)
    assert host.limit == 1
    record(host, GOOD, now=2.0)
    assert host.limit == FIRST_LIMIT + 1


@pytest.mark.parametrize("reply", [REFUSED, NO_NAME, BLACKHOLE])
def test_host_that_has_responded_gets_twice_the_rounds(reply: Reply) -> None:
    """But less than five minutes."""
    host, now, rounds = HostState("a:80"), 10.0, 0
    record(host, GOOD, now=now)
    while host.given_up is None:
        record(host, reply, started=now, now=now + reply.seconds)
        now, rounds = host.paused_until, rounds + 1
    assert rounds == (4 if reply is BLACKHOLE else 6)
    assert now < 300


def test_proxy_error_does_not_change_the_host() -> None:
    """No failure of the proxy changes anything."""
    host = HostState("a:80")
    for now in range(50):
        record(host, Reply(reason=Reason.CONNECTION_REFUSED, http_status=0, from_proxy=True), now=now)
        record(host, Reply(reason=Reason.HTTP_STATUS, http_status=407, from_proxy=True), now=now)
    assert (host.limit, host.given_up, host.can_start(0.0)) == (UNKNOWN_LIMIT, None, True)
