"""Which tasks go out together: a host's in one place, none lost, none twice."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.cluster.shard_planner import LARGEST, MOST_LOSSES, PARTS, SMALLEST, Deal, ShardPlanner
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.reasons import Reason, Status
from utils.scheduler.host_state import HIGHEST_LIMIT
from utils.scheduler.scheduled_task import TaskResult


def task(number: int, host: str) -> ImageTask:
    """Make a task."""
    return ImageTask(number, "red", UrlRow(number, f"n00000001_{number}", f"http://{host}/{number}.jpg"))


def offered(**hosts: int) -> ShardPlanner:
    """Give a dealing with so many tasks of each host."""
    dealing, numbers = ShardPlanner(), iter(range(1_000_000))
    for host, count in hosts.items():
        for _ in range(count):
            assert not dealing.offer(task(next(numbers), host))
    return dealing


def good(deal: Deal) -> dict[int, Outcome]:
    """Let all tasks of a deal come out well."""
    return {
        one.number: Outcome(one.row, Status.DOWNLOADED, attempts=1, http_status=200) for one in deal.tasks
    }


def end(dealing: ShardPlanner, deal: Deal, ends: dict[int, Outcome]) -> list[TaskResult]:
    """Let a deal come back, with the ends of some of its tasks; gives all that is settled by that."""
    settled = [TaskResult(one, ends[one.number]) for one in deal.tasks if one.number in ends]
    undone = [one for one in deal.tasks if one.number not in ends]
    return settled + dealing.learn(settled) + dealing.back(deal, undone)


def hosts_of(deal: Deal) -> set[str]:
    """Name the hosts of the tasks of a deal."""
    return {one.row.url.split("/")[2] for one in deal.tasks}


def test_a_host_is_at_one_place() -> None:
    """While tasks of a host are out that fit into a shard, no others of it go out."""
    dealing = offered(a=90, b=90)
    deals = [dealing.deal(1), dealing.deal(1)]
    assert deals[1] is None or not hosts_of(deals[0]) & hosts_of(deals[1])
    dealing.offer(task(999, "a"))
    later = dealing.deal(1)
    assert later is None or "a" not in hosts_of(later)
    end(dealing, deals[0], good(deals[0]))
    again = dealing.deal(1)
    assert again
    assert [one.number for one in again.tasks] == [999]


def test_a_large_host_is_spread() -> None:
    """It goes to four places at most, each may ask a quarter of what one may, and it fills none alone."""
    dealing = offered(flickr=10 * LARGEST, **{f"h{number}": 20 for number in range(200)})
    deals = []
    while deal := dealing.deal(1):
        deals.append(deal)
    large = [deal for deal in deals if "flickr:80" in deal.hosts]
    assert len(large) == PARTS
    assert all(deal.parts == {"flickr:80": PARTS} for deal in large)
    assert HIGHEST_LIMIT // PARTS * len(large) <= HIGHEST_LIMIT
    assert all(sum("flickr" in one.row.url for one in deal.tasks) <= LARGEST / 2 for deal in large)
    assert sum(len(deal.hosts) > 1 for deal in large) >= 2


def test_more_for_who_has_little_left() -> None:
    """A deal that is out gets more of its hosts, for nobody else may have that; but not of any other."""
    dealing = offered(a=SMALLEST, b=10)
    deal = dealing.deal(2)
    assert deal
    assert hosts_of(deal) == {"a"}
    dealing.offer(task(1_000, "a"))
    assert [one.number for one in dealing.more(deal, 500)] == [1_000]
    dealing.offer(task(1_001, "a"))
    assert dealing.more(deal, 0) == []
    end(dealing, deal, good(deal))
    later = dealing.deal(1)
    assert later
    assert hosts_of(later) == {"a", "b"}


def test_a_host_that_may_go_elsewhere() -> None:
    """Of a host that is spread, what another shard may still have is not added to one that is out."""
    dealing = offered(flickr=3 * LARGEST)
    deal = dealing.deal(1)
    assert deal
    assert deal.parts == {"flickr:80": PARTS}
    assert dealing.more(deal, 500) == []
    while dealing.deal(1):
        pass
    assert len(dealing.more(deal, 500)) == 500, "all its places are taken"


def test_what_is_dropped_never_goes_out() -> None:
    """Tasks that wait are forgotten, and hosts that have no others; of those that are out nothing is."""
    dealing = offered(a=5, b=2)
    dealing.drop([0, 1, 5, 6, 99])
    assert dealing.waiting == 3
    deal = dealing.deal(1)
    assert deal
    assert {one.number for one in deal.tasks} == {2, 3, 4}
    dealing.drop([2])
    assert dealing.deal(1) is None
    assert end(dealing, deal, good(deal))
    assert not dealing.waiting


def test_few_tasks_are_shared_out() -> None:
    """Every worker gets something while there is enough; shards are neither tiny nor huge."""
    dealing = offered(**{f"h{number}": 4 for number in range(200)})
    deals = [deal for deal in (dealing.deal(3) for _ in range(6)) if deal]
    assert len(deals) >= 3
    assert all(SMALLEST <= len(deal.tasks) <= LARGEST for deal in deals[:3])


def test_what_comes_back_undone_goes_out_again() -> None:
    """Some times; then it is said that it failed, and nothing goes out for ever."""
    dealing = offered(a=1)
    for loss in range(MOST_LOSSES):
        deal = dealing.deal(1)
        assert deal
        settled = end(dealing, deal, {})
        assert bool(settled) == (loss == MOST_LOSSES - 1)
    assert settled[0].outcome.reason is Reason.CRASHED
    assert not dealing.waiting
    assert dealing.deal(1) is None


@pytest.mark.parametrize("reason", [Reason.DEAD_HOST, Reason.RATE_LIMITED])
def test_a_host_that_was_given_up(reason: Reason) -> None:
    """When a shard gave a host up without trying all, nothing more of it goes out."""
    dealing = offered(dead=300, alive=10)
    deal = dealing.deal(1)
    assert deal
    victim = next(one for one in deal.tasks if "dead" in one.row.url)
    settled = end(dealing, deal, good(deal) | {victim.number: Outcome(victim.row, Status.FAILED, reason)})
    assert len(settled) + dealing.waiting >= 300
    assert not dealing.waiting or "dead:80" not in hosts_of(dealing.deal(1) or deal)
    (given_up,) = dealing.offer(task(5_000, "dead"))
    assert given_up.outcome.reason is reason


def test_one_url_that_failed_tells_nothing_of_its_host() -> None:
    """Only what was not even tried says that a host was given up."""
    dealing = offered(a=1)
    deal = dealing.deal(1)
    assert deal
    tried = Outcome(deal.tasks[0].row, Status.FAILED, Reason.RATE_LIMITED, attempts=1, http_status=429)
    end(dealing, deal, {deal.tasks[0].number: tried})
    assert dealing.offer(task(7, "a")) == []


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_none_is_lost_and_none_twice(seed: int, workers: int) -> None:
    """Whatever comes back, and in whatever order, each task is settled once, and hosts stay apart."""
    dice = random.Random(seed)
    dealing = ShardPlanner()
    settled: Counter[int] = Counter()
    coming = [task(number, dice.choice("aaaaabbcdefgh")) for number in range(dice.randrange(1, 1_500))]
    out: list[Deal] = []
    while coming or out or dealing.waiting:
        for _ in range(min(len(coming), dice.randrange(400))):
            settled.update(one.task.number for one in dealing.offer(coming.pop()))
        if dice.random() < 0.6 and (deal := dealing.deal(workers)):
            out.append(deal)
        places = Counter(host for deal in out for host in deal.hosts)
        assert all(count <= max(deal.parts.get(host, 1) for deal in out) for host, count in places.items())
        if out and dice.random() < 0.6:
            deal = out.pop(dice.randrange(len(out)))
            told = {number: one for number, one in good(deal).items() if dice.random() < 0.9}
            settled.update(one.task.number for one in end(dealing, deal, told))
    assert set(settled.values()) <= {1}
    assert settled.total() == max(settled, default=-1) + 1
