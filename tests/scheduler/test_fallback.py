"""Fallback addresses in the schedule: the original URL of an image that has moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scheduler.simulation import make_task
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome, RequestTarget
from utils.reasons import Reason, Status
from utils.scheduler.schedule import Schedule

ROW = UrlRow(0, "n00000001_1", "http://farm3.static.flickr.com/2348/2392903754_04ec8ab8b3.jpg")
OLD = RequestTarget("http://farm3.static.flickr.com/1/2_a.jpg", "farm3.static.flickr.com:80")
NEW = "live.staticflickr.com:443"


def failed(reason: Reason, *, http_status: int = 0, connect_failed: bool = False) -> Outcome:
    """Return the outcome of a failed attempt."""
    return Outcome(
        ROW,
        Status.FAILED,
        reason,
        http_status=http_status,
        attempts=1,
        seconds=1.0,
        connect_failed=connect_failed,
    )


UNREACHED = failed(Reason.CONNECT_TIMEOUT, connect_failed=True)


def test_connect_failure_leads_to_the_fallback() -> None:
    """Both attempts are counted in the one row."""
    schedule = Schedule(batch_size=4, retries=0)
    assert schedule.submit(make_task(1), NEW, OLD) is None
    assert [task.number for task in schedule.start_ready(0.0)] == [1]
    assert schedule.finish(1, UNREACHED, 5.0) == []
    (task,) = schedule.start_ready(5.0)
    assert task.address == OLD.address
    (settled,) = schedule.finish(1, failed(Reason.HTTP_STATUS, http_status=404), 6.0)
    assert (settled.outcome.attempts, settled.outcome.seconds) == (2, 2.0)
    assert settled.outcome.http_status == 404


def test_fallback_has_all_its_retries() -> None:
    """The attempt at the first address does not count."""
    schedule = Schedule(batch_size=4, retries=1)
    schedule.submit(make_task(1), NEW, OLD)
    schedule.start_ready(0.0)
    schedule.finish(1, UNREACHED, 0.0)
    schedule.start_ready(0.0)
    assert schedule.finish(1, failed(Reason.TIMEOUT), 1.0) == []
    assert [task.address for task in schedule.start_ready(100.0)] == [OLD.address]
    (settled,) = schedule.finish(1, failed(Reason.TIMEOUT), 101.0)
    assert settled.outcome.attempts == 3


@pytest.mark.parametrize("status", [404, 410])
def test_response_of_the_first_address_is_final(status: int) -> None:
    """After a 404 or 410 the fallback is not requested."""
    schedule = Schedule(batch_size=4, retries=2)
    schedule.submit(make_task(1), NEW, OLD)
    schedule.start_ready(0.0)
    (settled,) = schedule.finish(1, failed(Reason.HTTP_STATUS, http_status=status), 1.0)
    assert settled.outcome.attempts == 1
    assert not schedule.waiting


def test_dead_first_host_does_not_affect_the_fallback() -> None:
    """A hundred images cost the first host a few requests, and are saved from the fallback."""
    schedule = Schedule(batch_size=300, retries=0)
    for number in range(100):
        schedule.submit(make_task(number), NEW, OLD)
    now, tries, good = 0.0, 0, 0
    while schedule.in_flight or schedule.waiting:
        for task in schedule.start_ready(now):
            if task.address == OLD.address:
                outcome = Outcome(ROW, Status.DOWNLOADED, http_status=200, attempts=1)
                good += len(schedule.finish(task.number, outcome, now))
            else:
                tries += 1
                assert not schedule.finish(task.number, UNREACHED, now)
        now += 0.1
    assert good == 100
    assert tries <= 10
    assert now < 10


def test_url_that_timed_out_before_takes_its_fallback() -> None:
    """It is tried last, but not forgotten, if its host is given up while it waits."""
    schedule = Schedule(batch_size=4, retries=0)
    schedule.submit(replace(make_task(0), timed_out_before=True), NEW, OLD)
    for number in range(1, 5):
        schedule.submit(make_task(number), NEW)
    for task in schedule.start_ready(0.0):
        schedule.finish(task.number, UNREACHED, 5.0)
    for moment in range(5, 60):
        for task in schedule.start_ready(float(moment)):
            if task.number == 0:
                assert task.address == OLD.address
                return
            schedule.finish(task.number, UNREACHED, moment + 0.5)
    pytest.fail("it was not started")
