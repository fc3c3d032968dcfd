"""Shards: all tasks of a host are in one place, none is lost, none runs twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.cluster.shard_planner import MAX_LOSSES, MAX_TASKS, MIN_TASKS, PARTS, Plan, ShardPlanner
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.reasons import Reason, Status
from utils.scheduler.host_state import HIGHEST_LIMIT
from utils.scheduler.scheduled_task import TaskResult


def make_task(number: int, host: str) -> ImageTask:
    """Make a task."""
    return ImageTask(number, "red", UrlRow(number, f"n00000001_{number}", f"http://{host}/{number}.jpg"))


def make_planner(**hosts: int) -> ShardPlanner:
    """Make a planner with so many tasks of each host, numbered in order."""
    planner, numbers = ShardPlanner(), iter(range(1_000_000))
    for host, count in hosts.items():
        for _ in range(count):
            assert not planner.submit(make_task(next(numbers), host))
    return planner


def next_plan(planner: ShardPlanner, workers: int = 1) -> Plan:
    """Return the next plan, which must exist."""
    plan = planner.next_plan(workers)
    assert plan
    return plan


def succeed(plan: Plan) -> dict[int, Outcome]:
    """Make a good outcome of each task of a plan."""
    return {
        task.number: Outcome(task.row, Status.DOWNLOADED, attempts=1, http_status=200) for task in plan.tasks
    }


def end(planner: ShardPlanner, plan: Plan, outcomes: Mapping[int, Outcome]) -> list[TaskResult]:
    """End a shard that was lost, after the outcomes of some of its tasks; returns all results."""
    results = [TaskResult(task, outcomes[task.number]) for task in plan.tasks if task.number in outcomes]
    more = [another for result in results for another in planner.record(result)]
    undone = [task for task in plan.tasks if task.number not in outcomes]
    return results + more + planner.release(plan, undone, lost=True)


def hosts_of(plan: Plan | None) -> set[str]:
    """Return the hosts of the tasks of a plan."""
    return {task.row.url.split("/")[2] for task in plan.tasks} if plan else set()


def test_host_is_in_one_shard() -> None:
    """While a shard has tasks of a host that fit into it, no other shard gets any."""
    planner = make_planner(a=90, b=90)
    first = next_plan(planner)
    assert not hosts_of(first) & hosts_of(planner.next_plan(1))
    planner.submit(make_task(999, "a"))
    assert "a" not in hosts_of(planner.next_plan(1))
    end(planner, first, succeed(first))
    assert [task.number for task in next_plan(planner).tasks] == [999]


def test_large_host_is_split() -> None:
    """It is in up to four shards, each with a quarter of its limit, and fills half of each at most."""
    planner = make_planner(flickr=10 * MAX_TASKS, **{f"h{number}": 20 for number in range(200)})
    plans = []
    while plan := planner.next_plan(1):
        plans.append(plan)
    large = [plan for plan in plans if "flickr:80" in plan.hosts]
    assert len(large) == PARTS
    assert all(plan.parts == {"flickr:80": PARTS} for plan in large)
    assert HIGHEST_LIMIT // PARTS * len(large) <= HIGHEST_LIMIT
    assert all(sum("flickr" in task.row.url for task in plan.tasks) <= MAX_TASKS / 2 for plan in large)
    assert sum(len(plan.hosts) > 1 for plan in large) >= 2


def test_top_up() -> None:
    """A running shard gets more tasks of its hosts, and of no others."""
    planner = make_planner(a=MIN_TASKS, b=10)
    plan = next_plan(planner, 2)
    assert hosts_of(plan) == {"a"}
    planner.submit(make_task(1_000, "a"))
    assert [task.number for task in planner.top_up(plan, 500)] == [1_000]
    planner.submit(make_task(1_001, "a"))
    assert planner.top_up(plan, 0) == []
    end(planner, plan, succeed(plan))
    assert hosts_of(next_plan(planner)) == {"a", "b"}


def test_top_up_of_a_split_host() -> None:
    """A split host's tasks are added to a shard when all of its shards are running."""
    planner = make_planner(flickr=3 * MAX_TASKS)
    plan = next_plan(planner)
    assert plan.parts == {"flickr:80": PARTS}
    assert planner.top_up(plan, 500) == []
    while planner.next_plan(1):
        pass
    assert len(planner.top_up(plan, 500)) == 500


def test_cancelled_tasks_are_in_no_plan() -> None:
    """Waiting tasks are forgotten, and hosts without tasks, too; tasks in shards are not its business."""
    planner = make_planner(a=5, b=2)
    planner.cancel([0, 1, 5, 6, 99])
    assert planner.waiting == 3
    plan = next_plan(planner)
    assert {task.number for task in plan.tasks} == {2, 3, 4}
    planner.cancel([2])
    assert planner.next_plan(1) is None
    assert end(planner, plan, succeed(plan))
    assert not planner.waiting


def test_few_tasks_are_shared_by_all_workers() -> None:
    """Shards are neither tiny nor huge."""
    planner = make_planner(**{f"h{number}": 4 for number in range(200)})
    plans = [plan for plan in (planner.next_plan(3) for _ in range(6)) if plan]
    assert len(plans) >= 3
    assert all(MIN_TASKS <= len(plan.tasks) <= MAX_TASKS for plan in plans[:3])


def test_undone_tasks_run_again() -> None:
    """A task that was lost too often with its worker fails; one that had not started waits again."""
    planner = make_planner(a=1)
    for _ in range(2 * MAX_LOSSES):
        plan = next_plan(planner)
        assert planner.release(plan, plan.tasks) == []
    for loss in range(MAX_LOSSES):
        results = end(planner, next_plan(planner), {})
        assert bool(results) == (loss == MAX_LOSSES - 1)
    assert results[0].outcome.reason is Reason.CRASHED
    assert not planner.waiting
    assert planner.next_plan(1) is None


@pytest.mark.parametrize("reason", [Reason.DEAD_HOST, Reason.RATE_LIMITED])
def test_host_that_was_given_up(reason: Reason) -> None:
    """If a shard has given a host up, its other tasks fail, and new ones, too."""
    planner = make_planner(dead=300, alive=10)
    plan = next_plan(planner)
    untried = next(task for task in plan.tasks if "dead" in task.row.url)
    outcomes = succeed(plan) | {untried.number: Outcome(untried.row, Status.FAILED, reason)}
    results = end(planner, plan, outcomes)
    assert len(results) + planner.waiting >= 300
    assert "dead" not in hosts_of(planner.next_plan(1))
    (result,) = planner.submit(make_task(5_000, "dead"))
    assert result.outcome.reason is reason


def test_failure_of_one_url_does_not_condemn_its_host() -> None:
    """Only a task that failed without an attempt shows that its host was given up."""
    planner = make_planner(a=1)
    plan = next_plan(planner)
    tried = Outcome(plan.tasks[0].row, Status.FAILED, Reason.RATE_LIMITED, attempts=1, http_status=429)
    end(planner, plan, {plan.tasks[0].number: tried})
    assert planner.submit(make_task(7, "a")) == []


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=30)
def test_each_task_gets_one_result(seed: int, workers: int) -> None:
    """Whatever is lost, and in whatever order; and no host is in more shards than it is split into."""
    rng = random.Random(seed)
    planner = ShardPlanner()
    results: Counter[int] = Counter()
    coming = [make_task(number, rng.choice("aaaaabbcdefgh")) for number in range(rng.randrange(1, 900))]
    count = len(coming)
    running: list[Plan] = []
    while coming or running or planner.waiting:
        for _ in range(min(len(coming), rng.randrange(400))):
            results.update(one.task.number for one in planner.submit(coming.pop()))
        if rng.random() < 0.6 and (plan := planner.next_plan(workers)):
            running.append(plan)
        places = Counter(host for plan in running for host in plan.hosts)
        for host, places_of_host in places.items():
            assert places_of_host <= max(plan.parts.get(host, 1) for plan in running)
        if running and rng.random() < 0.6:
            plan = running.pop(rng.randrange(len(running)))
            outcomes = {number: one for number, one in succeed(plan).items() if rng.random() < 0.9}
            results.update(one.task.number for one in end(planner, plan, outcomes))
    assert results == Counter(range(count))
