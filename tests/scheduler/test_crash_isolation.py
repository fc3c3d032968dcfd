"""Tasks of dead workers: run again, and apart from others until the cause is found."""

from __future__ import annotations

import random

import pytest

from tests.scheduler.simulation import (
    GOOD,
    NOT_FOUND,
    REFUSED,
    RESET,
    TOO_MANY,
    Reply,
    Request,
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
    """Return a schedule for 8 tasks in flight."""
    return Schedule(batch_size=8, retries=2, rng=random.Random(1))


def submit(schedule: Schedule, count: int, host: str = "") -> None:
    """Submit tasks of one host that has answered before, or of a host each."""
    if host:
        assert schedule.submit(make_task(-1), host) is None
        (first,) = schedule.start_ready(0.0)
        schedule.finish(first.number, make_outcome(first, NOT_FOUND), 0.0)
    for number in range(count):
        assert schedule.submit(make_task(number), host or f"h{number}") is None


def test_image_that_crashes_twice_fails(schedule: Schedule) -> None:
    """The tasks that were lost with it are saved, and their losses do not count as attempts."""

    def web(request: Request) -> Reply:
        return after(GOOD, 5.0 if request.of_task < 2 else 0.1)

    simulation = Simulation(schedule, web)
    simulation.submit("one", range(20))
    for moment in (101.0, 102.0):
        simulation.run(until=moment)
        assert 2 in simulation.in_flight
        simulation.lose(simulation.in_flight, culprit=2)
    simulation.run()
    crashed = simulation.outcomes.pop(2)
    assert (crashed.reason, crashed.status) == (Reason.CRASHED, Status.FAILED)
    assert simulation.reasons() == {"": 19}
    assert {outcome.attempts for outcome in simulation.outcomes.values()} == {1}


def test_lost_tasks_start_first(schedule: Schedule) -> None:
    """Before tasks that have not been started yet."""
    submit(schedule, 30, "one")
    first = [task.number for task in schedule.start_ready(0.0)]
    assert schedule.recover_lost(first, culprit=None, now=1.0) == []
    assert sorted(task.number for task in schedule.start_ready(1.0)) == sorted(first)


def test_task_with_many_unexplained_losses_fails(schedule: Schedule) -> None:
    """A task that is lost again and again is not retried for ever."""
    submit(schedule, 1)
    settled, losses = [], 0
    while not settled:
        assert [task.number for task in schedule.start_ready(losses)] == [0]
        settled, losses = schedule.recover_lost([0], culprit=None, now=losses), losses + 1
    assert [one.outcome.reason for one in settled] == [Reason.CRASHED]
    assert (losses, schedule.waiting) == (4, 0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("culprits", [{7}, {7, 8}, {0, 33, 66}])
def test_cause_is_found_among_many_tasks(culprits: set[int], seed: int) -> None:
    """A worker dies during the transfer with all its tasks; all but the causes are saved."""
    rng = random.Random(seed)
    simulation = Simulation(Schedule(batch_size=64, retries=2, rng=rng), lambda _: after(GOOD, 1.0))
    for host in range(10):
        simulation.submit(f"h{host}", range(host * 20, host * 20 + 20))
    for _ in range(500):
        simulation.run(until=simulation.now + rng.uniform(0.1, 0.9))
        for culprit in culprits.intersection(simulation.in_flight):
            worker = culprit % 2  # there are two
            tasks_of_worker = [n for n in simulation.in_flight if n % 2 == worker]
            simulation.lose(tasks_of_worker, culprit=None) if culprit in tasks_of_worker else None
        if not (simulation.schedule.in_flight or simulation.schedule.waiting):
            break
    crashed = {n for n, outcome in simulation.outcomes.items() if outcome.reason is Reason.CRASHED}
    assert crashed == culprits
    assert len(simulation.outcomes) == 200


def test_suspects_run_in_groups_then_alone(schedule: Schedule) -> None:
    """A group at a time, then one at a time; other tasks run meanwhile."""
    schedule.batch_size = 40
    submit(schedule, 30)
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


def test_lost_task_of_a_given_up_host_fails(schedule: Schedule) -> None:
    """It is not tried again."""
    submit(schedule, 8, "dead")
    tasks = schedule.start_ready(0.0)
    schedule._queues.host("dead").given_up = Reason.DEAD_HOST
    (settled,) = schedule.recover_lost([tasks[7].number], culprit=None, now=5.0)
    assert settled.outcome.reason is Reason.DEAD_HOST
    assert schedule.start_ready(1000.0) == []


def test_loss_of_tasks_not_in_flight_is_ignored(schedule: Schedule) -> None:
    """Waiting, finished and unknown tasks are left alone."""
    submit(schedule, 20)
    task = schedule.start_ready(0.0)[0]
    schedule.finish(task.number, make_outcome(task, GOOD), 1.0)
    before = (schedule.in_flight, schedule.waiting)
    assert schedule.recover_lost([task.number, 19, 99], culprit=19, now=1.0) == []
    assert (schedule.in_flight, schedule.waiting) == before


def test_cancelled_task_is_skipped_if_started(schedule: Schedule) -> None:
    """Tasks that were never started disappear without a result."""
    submit(schedule, 20)
    started = {task.number for task in schedule.start_ready(0.0)}
    settled = schedule.cancel(list(range(20)), 1.0)
    assert {one.task.number for one in settled} == started
    assert {(one.outcome.status, one.outcome.reason) for one in settled} == {(Status.SKIPPED, Reason.FILLED)}
    assert (schedule.in_flight, schedule.waiting, schedule.start_ready(100.0)) == (0, 0, [])


def test_retried_and_lost_tasks_count_as_started(schedule: Schedule) -> None:
    """A cancelled task that waits for a retry has a row in the report."""
    submit(schedule, 3)
    tasks = schedule.start_ready(0.0)
    schedule.finish(0, make_outcome(tasks[0], RESET), 1.0)
    schedule.recover_lost([1], culprit=1, now=1.0)
    settled = {one.task.number: one.outcome for one in schedule.cancel([0, 1, 2], 1.0)}
    assert [settled[number].attempts for number in range(3)] == [1, 0, 0]
    assert schedule.start_ready(100.0) == []


def test_cancelling_frees_slots(schedule: Schedule) -> None:
    """Of the batch, and of the host."""
    submit(schedule, 40, "one")
    first = [task.number for task in schedule.start_ready(0.0)]
    assert len(first) == 8
    schedule.cancel(first[:5], 0.5)
    assert len(schedule.start_ready(0.5)) == 5


def test_result_of_a_cancelled_task_is_ignored(schedule: Schedule) -> None:
    """It frees no slot twice."""
    submit(schedule, 9)
    task = schedule.start_ready(0.0)[0]
    schedule.cancel([task.number], 0.5)
    assert schedule.finish(task.number, make_outcome(task, GOOD), 1.0) == []
    assert schedule.in_flight == 7


@pytest.mark.parametrize("reply", [RESET, TOO_MANY])
def test_cancelled_waiting_task_never_starts(schedule: Schedule, reply: Reply) -> None:
    """Neither when its retry is due, nor when its host's pause is over."""
    submit(schedule, 30, "one")
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


def test_interrupt_ends_all_tasks(schedule: Schedule) -> None:
    """All end as not_attempted, and nothing starts afterwards."""
    submit(schedule, 20, "one")
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


def test_next_wakeup(schedule: Schedule) -> None:
    """The end of a pause or a retry delay, or when a request starts to hang; None if there is nothing."""
    submit(schedule, 1)
    assert schedule.next_wakeup() is None
    (task,) = schedule.start_ready(0.0)
    assert schedule.next_wakeup() == HANGS_AFTER
    schedule.finish(0, make_outcome(task, RESET), 10.0)
    wake_at = schedule.next_wakeup()
    assert wake_at is not None
    assert 10.5 <= wake_at <= 11.5
    assert schedule.start_ready(wake_at - 0.001) == []
    assert [again.number for again in schedule.start_ready(wake_at)] == [0]


def test_next_wakeup_of_a_paused_host(schedule: Schedule) -> None:
    """For tasks that wait for it, even if none is to be retried."""
    for number in range(4):
        assert schedule.submit(make_task(number), "one") is None
    for task in schedule.start_ready(0.0):
        schedule.finish(task.number, make_outcome(task, REFUSED), 1.0)
    assert schedule.start_ready(1.0) == []
    assert schedule.next_wakeup() == 1.5
    assert [task.number for task in schedule.start_ready(1.5)] == [3]
