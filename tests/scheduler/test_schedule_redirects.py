"""Redirects in the schedule: the limits of both hosts apply."""

from __future__ import annotations

import random

import pytest

from tests.scheduler.simulation import (
    BLACKHOLE,
    GOOD,
    NOT_FOUND,
    REFUSED,
    RESET,
    SILENT,
    TOO_MANY,
    Reply,
    Request,
    Simulation,
    after,
    make_outcome,
    make_task,
    simulate,
)
from utils.models.tasks import Redirect, RedirectHistory, RequestTarget
from utils.reasons import Reason, Status
from utils.scheduler.host_state import FIRST_LIMIT, HIGHEST_LIMIT
from utils.scheduler.schedule import Schedule

AWAY = Reply(redirect_to="target")
MANY = {f"h{number}": 50 for number in range(12)}


def behind_redirects(reply: Reply) -> dict[bool, Reply]:
    """Return the replies of the first hosts (False) and of the target (True)."""
    return {False: AWAY, True: reply}


def test_redirects_do_not_flood_the_target() -> None:
    """It gets as many concurrent requests as any host."""
    replies = behind_redirects(after(GOOD, 1.0))
    simulation = simulate(lambda request: replies[request.host == "target"], MANY, batch_size=400)
    assert simulation.reasons() == {"": 600}
    assert FIRST_LIMIT < simulation.most_at_once["target"] <= HIGHEST_LIMIT
    first = [request.at for request in simulation.requests if request.host == "target"][: FIRST_LIMIT + 1]
    assert first[FIRST_LIMIT] >= first[0] + 1.0, "more than the first eight before the first answer"


def test_throttling_target_slows_only_itself() -> None:
    """It is paused as it asks; the hosts that redirect to it are not."""

    def web(request: Request) -> Reply:
        if request.host != "target":
            return AWAY
        return (
            Reply(reason=Reason.RATE_LIMITED, http_status=429, retry_after=5.0) if request.at < 101 else GOOD
        )

    simulation = simulate(web, {f"h{number}": 20 for number in range(3)}, batch_size=400)
    assert simulation.reasons() == {"": 60}
    asked = [request.at for request in simulation.requests if request.host == "target"]
    told = min(asked) + GOOD.seconds
    assert not [at for at in asked if told + 0.01 < at < told + 5.0]
    assert (
        max(request.at for request in simulation.requests if request.host != "target" and not request.of_task)
        < 102
    )


@pytest.mark.parametrize("reply", [BLACKHOLE, REFUSED])
def test_dead_target_costs_few_requests(reply: Reply) -> None:
    """All redirects to it fail; the other URLs of the redirecting hosts are saved."""

    def web(request: Request) -> Reply:
        if request.host == "target":
            return reply
        return AWAY if request.task.number % 2 else GOOD

    simulation = simulate(web, MANY, batch_size=400)
    reasons = simulation.reasons()
    assert reasons[""] == 300
    assert set(reasons) <= {"", "dead_host", reply.reason.word if reply.reason else ""}
    assert len([request for request in simulation.requests if request.host == "target"]) <= 12
    assert {one.http_status for one in simulation.outcomes.values() if one.reason} == {302}


def test_retry_starts_before_the_redirect() -> None:
    """The first host may redirect elsewhere by then; an attempt is one, however many redirects it has."""

    def web(request: Request) -> Reply:
        if request.host == "h":
            return Reply(seconds=0.25, redirect_to="a" if request.of_task < 2 else "b")
        return {"a": RESET, "b": GOOD}[request.host]

    simulation = simulate(web, {"h": 1})
    assert [request.host for request in simulation.requests] == ["h", "a", "h", "b"]
    (outcome,) = simulation.outcomes.values()
    assert (outcome.status, outcome.attempts) == (Status.DOWNLOADED, 2)
    assert outcome.seconds == pytest.approx(0.25 + RESET.seconds + 0.25 + GOOD.seconds)


def test_http_status_is_that_of_the_last_response() -> None:
    """If the target does not respond, it is the redirect's."""
    for reply, status in ((NOT_FOUND, 404), (SILENT, 302), (TOO_MANY, 429)):
        replies = behind_redirects(reply)
        simulation = simulate(lambda request, r=replies: r[request.host == "target"], {"h": 1}, retries=0)
        assert simulation.outcomes[0].http_status == status


def test_redirect_to_a_given_up_host_fails_at_once() -> None:
    """The row keeps the status of the redirect."""
    simulation = Simulation(
        Schedule(batch_size=9, retries=0, rng=random.Random(1)),
        lambda request: AWAY if request.host == "h" else BLACKHOLE,
    )
    simulation.submit("target", range(20))
    simulation.run()
    before = len(simulation.requests)
    simulation.submit("h", range(20, 30))
    simulation.run()
    assert {request.host for request in simulation.requests[before:]} == {"h"}
    assert {simulation.outcomes[number].reason for number in range(20, 30)} == {Reason.DEAD_HOST}
    assert simulation.outcomes[25].http_status == 302


def test_redirected_task_can_be_cancelled_lost_and_interrupted() -> None:
    """It counts as started, and continues at the target."""
    schedule = Schedule(batch_size=9, retries=0, rng=random.Random(1))
    for number in range(3):
        schedule.submit(make_task(number), "h")
    schedule.start_ready(0.0)
    redirect = Redirect(
        RequestTarget("http://target/", "target"), RedirectHistory(1, 0.5, 302, from_public=True)
    )
    for number in range(3):
        assert schedule.redirect(number, redirect, 1.0) == []
    (dropped,) = schedule.cancel([0], 1.0)
    assert dropped.outcome.status is Status.SKIPPED
    tasks = schedule.start_ready(1.0)
    assert {(task.address, task.redirect_history) for task in tasks} == {("http://target/", redirect.history)}
    assert schedule.recover_lost([1], culprit=None, now=2.0) == []
    assert [(task.number, task.redirect_history) for task in schedule.start_ready(2.0)] == [
        (1, redirect.history)
    ]
    assert schedule.redirect(99, redirect, 2.0) == []
    assert schedule.finish(1, make_outcome(tasks[0], GOOD), 3.0)
    (left,) = schedule.interrupt()
    assert left.outcome.status is Status.NOT_ATTEMPTED
