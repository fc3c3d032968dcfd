"""A redirect is an answer of one host and a request of another: each is treated politely, for itself."""

from __future__ import annotations

import random

import pytest

from tests.simulation import (
    BLACKHOLE,
    GOOD,
    NOT_FOUND,
    REFUSED,
    RESET,
    SILENT,
    TOO_MANY,
    Ask,
    Reply,
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

AWAY = Reply(leads_to="target")
MANY = {f"h{number}": 50 for number in range(12)}


def behind_redirects(reply: Reply) -> dict[bool, Reply]:
    """Say what the hosts answer (False) and what the one answers to which they all lead (True)."""
    return {False: AWAY, True: reply}


def test_many_hosts_that_lead_to_one_do_not_flood_it() -> None:
    """It gets as many requests at once as any host, and more only as it answers well."""
    replies = behind_redirects(after(GOOD, 1.0))
    simulation = simulate(lambda ask: replies[ask.host == "target"], MANY, batch_size=400)
    assert simulation.reasons() == {"": 600}
    assert FIRST_LIMIT < simulation.most_at_once["target"] <= HIGHEST_LIMIT
    first = [ask.at for ask in simulation.asked if ask.host == "target"][: FIRST_LIMIT + 1]
    assert first[FIRST_LIMIT] >= first[0] + 1.0, "more than the first eight before the first answer"


def test_too_many_requests_are_the_target_s_word_for_itself() -> None:
    """It rests as it asks, and gets fewer; the hosts that lead to it are not slowed."""

    def web(ask: Ask) -> Reply:
        if ask.host != "target":
            return AWAY
        return Reply(reason=Reason.RATE_LIMITED, http_status=429, retry_after=5.0) if ask.at < 101 else GOOD

    simulation = simulate(web, {f"h{number}": 20 for number in range(3)}, batch_size=400)
    assert simulation.reasons() == {"": 60}
    asked = [ask.at for ask in simulation.asked if ask.host == "target"]
    told = min(asked) + GOOD.seconds
    assert not [at for at in asked if told + 0.01 < at < told + 5.0]
    assert max(ask.at for ask in simulation.asked if ask.host != "target" and not ask.of_task) < 102


@pytest.mark.parametrize("reply", [BLACKHOLE, REFUSED])
def test_a_dead_target_costs_a_few_tries_and_its_messengers_nothing(reply: Reply) -> None:
    """Everything that leads to it fails as one; what else the same hosts have is saved."""

    def web(ask: Ask) -> Reply:
        if ask.host == "target":
            return reply
        return AWAY if ask.task.number % 2 else GOOD

    simulation = simulate(web, MANY, batch_size=400)
    reasons = simulation.reasons()
    assert reasons[""] == 300
    assert set(reasons) <= {"", "dead_host", reply.reason.word if reply.reason else ""}
    assert len([ask for ask in simulation.asked if ask.host == "target"]) <= 12
    assert {one.http_status for one in simulation.settled.values() if one.reason} == {302}


def test_a_failure_behind_a_redirect_is_tried_again_from_the_beginning() -> None:
    """The first host may know another place by then; a try is one, however many redirects it has."""

    def web(ask: Ask) -> Reply:
        if ask.host == "h":
            return Reply(seconds=0.25, leads_to="a" if ask.of_task < 2 else "b")
        return {"a": RESET, "b": GOOD}[ask.host]

    simulation = simulate(web, {"h": 1})
    assert [ask.host for ask in simulation.asked] == ["h", "a", "h", "b"]
    (outcome,) = simulation.settled.values()
    assert (outcome.status, outcome.attempts) == (Status.DOWNLOADED, 2)
    assert outcome.seconds == pytest.approx(0.25 + RESET.seconds + 0.25 + GOOD.seconds)


def test_the_last_answer_counts() -> None:
    """A status at the end of the redirects is the status; a silence leaves that of the redirect."""
    for reply, status in ((NOT_FOUND, 404), (SILENT, 302), (TOO_MANY, 429)):
        replies = behind_redirects(reply)
        simulation = simulate(lambda ask, r=replies: r[ask.host == "target"], {"h": 1}, retries=0)
        assert simulation.settled[0].http_status == status


def test_a_target_that_was_given_up_before_is_not_asked() -> None:
    """Who is led to a dead host later fails at once, and keeps the status of the redirect."""
    simulation = Simulation(
        Schedule(batch_size=9, retries=0, rng=random.Random(1)),
        lambda ask: AWAY if ask.host == "h" else BLACKHOLE,
    )
    simulation.offer("target", range(20))
    simulation.run()
    before = len(simulation.asked)
    simulation.offer("h", range(20, 30))
    simulation.run()
    assert {ask.host for ask in simulation.asked[before:]} == {"h"}
    assert {simulation.settled[number].reason for number in range(20, 30)} == {Reason.DEAD_HOST}
    assert simulation.settled[25].http_status == 302


def test_what_waits_behind_a_redirect_may_be_dropped_lost_and_abandoned() -> None:
    """It counts as started, it goes on where it was, and it ends with the run."""
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
