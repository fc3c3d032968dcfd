"""What the schedule does when workers die, when tasks are not needed any more, and when the run ends."""

from __future__ import annotations

import random

import pytest

from tests.simulation import (
    GOOD,
    NOT_FOUND,
    REFUSED,
    RESET,
    TOO_MANY,
    Ask,
    Reply,
    Simulation,
    after,
    make_outcome,
    make_task,
)
from utils.reasons import Reason, Status
from utils.scheduler.crash_isolation import GROUP_SIZE
from utils.scheduler.host_queues import HANGS_AFTER
from utils.scheduler.schedule import Schedule


@pytest.fixture
def schedule() -> Schedule:
    """Give a schedule for 8 in flight."""
    return Schedule(batch_size=8, retries=2, rng=random.Random(1))


def offer(schedule: Schedule, count: int, host: str = "") -> None:
    """Offer tasks, each at a host of its own if none is named; one that is named has answered before."""
    if host:
        assert schedule.submit(make_task(-1), host) is None
        (first,) = schedule.start_ready(0.0)
        schedule.finish(first.number, make_outcome(first, NOT_FOUND), 0.0)
    for number in range(count):
        assert schedule.submit(make_task(number), host or f"h{number}") is None


def test_the_image_that_kills_twice_is_the_one_that_crashed(schedule: Schedule) -> None:
    """Its neighbours, lost with it both times, are saved, and their losses are no tries."""

    def web(ask: Ask) -> Reply:
        return after(GOOD, 5.0 if ask.of_task < 2 else 0.1)

    simulation = Simulation(schedule, web)
    simulation.offer("one", range(20))
    for moment in (101.0, 102.0):
        simulation.run(until=moment)
        assert 2 in simulation.in_flight
        simulation.lose(simulation.in_flight, culprit=2)
    simulation.run()
    crashed = simulation.settled.pop(2)
    assert (crashed.reason, crashed.status) == (Reason.CRASHED, Status.FAILED)
    assert simulation.reasons() == {"": 19}
    assert {outcome.attempts for outcome in simulation.settled.values()} == {1}


def test_what_is_lost_goes_first(schedule: Schedule) -> None:
    """It is started again before what has not been started yet."""
    offer(schedule, 30, "one")
    first = [task.number for task in schedule.start_ready(0.0)]
    assert schedule.recover_lost(first, culprit=None, now=1.0) == []
    assert sorted(task.number for task in schedule.start_ready(1.0)) == sorted(first)


def test_deaths_of_unknown_cause_end_some_time(schedule: Schedule) -> None:
    """An image that is lost again and again, though nobody accuses it, is given up."""
    offer(schedule, 1)
    settled, losses = [], 0
    while not settled:
        assert [task.number for task in schedule.start_ready(losses)] == [0]
        settled, losses = schedule.recover_lost([0], culprit=None, now=losses), losses + 1
    assert [one.outcome.reason for one in settled] == [Reason.CRASHED]
    assert (losses, schedule.waiting) == (4, 0)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("killers", [{7}, {7, 8}, {0, 33, 66}])
def test_who_kills_while_being_fetched_is_found_among_many(killers: set[int], seed: int) -> None:
    """A worker dies of it with all that it has, unseen; the neighbours of the guilty are all saved."""
    dice = random.Random(seed)
    simulation = Simulation(Schedule(batch_size=64, retries=2, rng=dice), lambda _: after(GOOD, 1.0))
    for host in range(10):
        simulation.offer(f"h{host}", range(host * 20, host * 20 + 20))
    for _ in range(500):
        simulation.run(until=simulation.now + dice.uniform(0.1, 0.9))
        for guilty in killers.intersection(simulation.in_flight):
            worker = guilty % 2  # there are two
            theirs = [n for n in simulation.in_flight if n % 2 == worker]
            simulation.lose(theirs, culprit=None) if guilty in theirs else None
        if not (simulation.schedule.in_flight or simulation.schedule.waiting):
            break
    crashed = {n for n, outcome in simulation.settled.items() if outcome.reason is Reason.CRASHED}
    assert crashed == killers
    assert len(simulation.settled) == 200


def test_suspects_are_tried_apart_beside_the_others(schedule: Schedule) -> None:
    """A group of them at once, and one at a time when a group was lost; the others go on meanwhile."""
    schedule.batch_size = 40
    offer(schedule, 30)
    for now in (0.0, 1.0):
        assert (
            schedule.recover_lost([task.number for task in schedule.start_ready(now)], culprit=None, now=now)
            == []
        )
    for number in range(30, 36):
        schedule.submit(make_task(number), f"h{number}")
    started = [task.number for task in schedule.start_ready(2.0)]
    group = [number for number in started if number < 30]
    assert (len(group), len(started)) == (GROUP_SIZE, GROUP_SIZE + 6)
    assert schedule.recover_lost(group, culprit=None, now=3.0) == []
    sizes = []
    while tasks := schedule.start_ready(4.0):
        sizes.append(len(tasks))
        for task in tasks:
            schedule.finish(task.number, make_outcome(task, GOOD), 4.0)
    assert sorted(sizes) == [1] * GROUP_SIZE + [6, 8, 8]
    assert (schedule.in_flight, schedule.waiting) == (6, 0)


def test_what_is_lost_after_its_host_was_given_up_is_not_tried_again(schedule: Schedule) -> None:
    """A dead host stays dead for a task whose worker died, too."""
    offer(schedule, 8, "dead")
    tasks = schedule.start_ready(0.0)
    schedule._queues.host("dead").given_up = Reason.DEAD_HOST
    (settled,) = schedule.recover_lost([tasks[7].number], culprit=None, now=5.0)
    assert settled.outcome.reason is Reason.DEAD_HOST
    assert schedule.start_ready(1000.0) == []


def test_losing_what_is_not_in_flight_changes_nothing(schedule: Schedule) -> None:
    """Neither what waits, nor what has ended, nor what never was."""
    offer(schedule, 20)
    task = schedule.start_ready(0.0)[0]
    schedule.finish(task.number, make_outcome(task, GOOD), 1.0)
    before = (schedule.in_flight, schedule.waiting)
    assert schedule.recover_lost([task.number, 19, 99], culprit=19, now=1.0) == []
    assert (schedule.in_flight, schedule.waiting) == before


def test_what_was_started_and_is_dropped_is_skipped(schedule: Schedule) -> None:
    """It is settled as not needed; what waits untouched is forgotten without a word."""
    offer(schedule, 20)
    started = {task.number for task in schedule.start_ready(0.0)}
    settled = schedule.cancel(list(range(20)), 1.0)
    assert {one.task.number for one in settled} == started
    assert {(one.outcome.status, one.outcome.reason) for one in settled} == {(Status.SKIPPED, Reason.FILLED)}
    assert (schedule.in_flight, schedule.waiting, schedule.start_ready(100.0)) == (0, 0, [])


def test_what_was_tried_or_lost_before_counts_as_started(schedule: Schedule) -> None:
    """A task that waits for its next try has a row in the report: it was considered."""
    offer(schedule, 3)
    tasks = schedule.start_ready(0.0)
    schedule.finish(0, make_outcome(tasks[0], RESET), 1.0)
    schedule.recover_lost([1], culprit=1, now=1.0)
    settled = {one.task.number: one.outcome for one in schedule.cancel([0, 1, 2], 1.0)}
    assert [settled[number].attempts for number in range(3)] == [1, 0, 0]
    assert schedule.start_ready(100.0) == []


def test_places_that_a_drop_frees_are_used_at_once(schedule: Schedule) -> None:
    """In the batch, and at the host."""
    offer(schedule, 40, "one")
    first = [task.number for task in schedule.start_ready(0.0)]
    assert len(first) == 8
    schedule.cancel(first[:5], 0.5)
    assert len(schedule.start_ready(0.5)) == 5


def test_the_answer_to_a_dropped_task_is_not_heard(schedule: Schedule) -> None:
    """It was settled already; it settles nothing, and frees no place twice."""
    offer(schedule, 9)
    task = schedule.start_ready(0.0)[0]
    schedule.cancel([task.number], 0.5)
    assert schedule.finish(task.number, make_outcome(task, GOOD), 1.0) == []
    assert schedule.in_flight == 7


@pytest.mark.parametrize("reply", [RESET, TOO_MANY])
def test_what_is_dropped_while_it_waits_never_starts(schedule: Schedule, reply: Reply) -> None:
    """Not when its retry is due, and not when its host has rested."""
    offer(schedule, 30, "one")
    for task in schedule.start_ready(0.0):
        schedule.finish(task.number, make_outcome(task, reply), 1.0)
    schedule.cancel(list(range(0, 30, 2)), 1.0)
    now, started = 1.0, set()
    while schedule.waiting:
        for task in schedule.start_ready(now):
            started.add(task.number)
            schedule.finish(task.number, make_outcome(task, GOOD), now)
        wake_at = schedule.next_wakeup()
        now = max(now, wake_at or now)
    assert started == set(range(1, 30, 2))


def test_what_an_interrupted_run_leaves_is_not_attempted(schedule: Schedule) -> None:
    """All that waits and all that is under way is settled, and nothing ever starts again."""
    offer(schedule, 20, "one")
    tasks = schedule.start_ready(0.0)
    schedule.finish(tasks[0].number, make_outcome(tasks[0], RESET), 1.0)
    settled = {one.task.number: one.outcome for one in schedule.interrupt()}
    assert sorted(settled) == list(range(20))
    assert {one.status for one in settled.values()} == {Status.NOT_ATTEMPTED}
    assert {one.reason for one in settled.values()} == {Reason.INTERRUPTED}
    assert settled[tasks[0].number].attempts == 1
    assert (schedule.in_flight, schedule.waiting) == (0, 0)
    assert schedule.start_ready(1000.0) == []
    assert schedule.finish(tasks[1].number, make_outcome(tasks[1], GOOD), 2.0) == []


def test_wake_at_names_the_next_moment(schedule: Schedule) -> None:
    """The end of a rest or of a wait, or when what is in flight begins to hang; None if there is nothing."""
    offer(schedule, 1)
    assert schedule.next_wakeup() is None
    (task,) = schedule.start_ready(0.0)
    assert schedule.next_wakeup() == HANGS_AFTER
    schedule.finish(0, make_outcome(task, RESET), 10.0)
    wake_at = schedule.next_wakeup()
    assert wake_at is not None
    assert 10.5 <= wake_at <= 11.5
    assert schedule.start_ready(wake_at - 0.001) == []
    assert [again.number for again in schedule.start_ready(wake_at)] == [0]


def test_a_resting_host_wakes_when_its_rest_is_over(schedule: Schedule) -> None:
    """With tasks that wait at it, though none of them is to be tried again."""
    for number in range(4):
        assert schedule.submit(make_task(number), "one") is None
    for task in schedule.start_ready(0.0):
        schedule.finish(task.number, make_outcome(task, REFUSED), 1.0)
    assert schedule.start_ready(1.0) == []
    assert schedule.next_wakeup() == 1.5
    assert [task.number for task in schedule.start_ready(1.5)] == [3]
