"""A network that is gone for a while costs time, and no URL; hosts that die are told from it."""

from __future__ import annotations

from collections.abc import Callable

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project
from tests.simulation import Ask, Reply, Simulation, make_task
from utils.reasons import Reason
from utils.scheduler.outage import MAX_OUTAGE
from utils.scheduler.schedule import Schedule

GOOD = Reply(seconds=0.5, reason=None, http_status=200)
REFUSED = Reply(seconds=0.01, reason=Reason.CONNECTION_REFUSED, http_status=0)
NO_NAME = Reply(seconds=0.05, reason=Reason.DNS_ERROR, http_status=0)


class World:
    """A web that is gone between two times of the simulation's clock."""

    def __init__(self, gone: range, reply: Reply = REFUSED) -> None:
        self.schedule = Schedule(batch_size=64, retries=2)
        self.simulation = Simulation(self.schedule, self.answer)
        self.gone = gone
        self.reply = reply

    def answer(self, _ask: Ask) -> Reply:
        """Answer as it is at that time."""
        return self.reply if self.gone.start <= self.simulation.now < self.gone.stop else GOOD

    def run(self, hosts: int, urls: int) -> dict[str, int]:
        """Offer so many URLs of each host, go to the end, and count the reasons."""
        for host in range(hosts):
            self.simulation.offer(f"h{host}", range(host * urls, (host + 1) * urls))
        self.simulation.run()
        return dict(self.simulation.reasons())


def test_a_short_outage_costs_no_url() -> None:
    """Half a minute without network, in the middle: everything waits, is done again, and arrives."""
    for reply in (REFUSED, NO_NAME):
        assert World(range(103, 133), reply).run(hosts=40, urls=40) == {"": 1600}


def test_an_outage_costs_few_requests() -> None:
    """While the network is gone only a probe goes out now and then."""
    world = World(range(103, 133))
    world.run(hosts=40, urls=40)
    failed = len(world.simulation.asked) - 1600
    assert failed < 64 + 40 + 40


def test_a_long_outage_ends() -> None:
    """After a minute the run goes on as if the hosts were dead, and it ends."""
    world = World(range(103, 10**9))
    reasons = world.run(hosts=40, urls=40)
    assert sum(reasons.values()) == 1600
    assert set(reasons) == {"", "connection_refused", "dead_host"}
    assert world.simulation.now < 103 + MAX_OUTAGE + 120


def test_dead_hosts_are_no_outage() -> None:
    """Hosts that never answered may fail by the dozen: nobody waits for them."""
    schedule = Schedule(batch_size=64, retries=2)
    outages = []

    def answer(ask: Ask) -> Reply:
        outages.append(schedule.in_outage(simulation.now))
        return GOOD if ask.host.startswith("good") else NO_NAME

    simulation = Simulation(schedule, answer)
    for number in range(50):
        simulation.offer(f"dead{number}", range(number * 10, number * 10 + 2))
    simulation.offer("good", range(1000, 1100))
    simulation.run()
    assert simulation.reasons()[""] == 100
    assert not any(outages)


def test_a_host_that_dies_beside_living_ones_is_no_outage() -> None:
    """What is reached in between shows that the network is there."""
    schedule = Schedule(batch_size=64, retries=2)
    outages = []

    def answer(ask: Ask) -> Reply:
        outages.append(schedule.in_outage(simulation.now))
        return REFUSED if ask.host in "abc" and ask.of_host > 20 else GOOD

    simulation = Simulation(schedule, answer)
    for place, host in enumerate("abcdef"):
        count = 30 if host in "abc" else 3000
        simulation.offer(host, range(place * 10_000, place * 10_000 + count))
    simulation.run()
    assert simulation.reasons()[""] >= 9000
    assert not any(outages)


def test_what_waits_in_an_outage_can_be_dropped() -> None:
    """Tasks that are kept back are dropped and abandoned like any other."""
    schedule = Schedule(batch_size=10, retries=0)
    simulation = Simulation(schedule, lambda ask: GOOD if ask.of_host == 0 else REFUSED)
    for place, host in enumerate("abcd"):
        simulation.offer(host, range(place * 10, place * 10 + 4))
    simulation.run(until=101.5)
    left = schedule.waiting
    assert schedule.in_outage(104.0)
    schedule.cancel([number for number in range(4) if number not in simulation.settled], simulation.now)
    schedule.interrupt()
    assert left > 4
    assert (schedule.waiting, schedule.in_flight) == (0, 0)
    assert schedule.submit(make_task(99), "a") is None


def test_the_screen_says_so(project: Project, make_web: Callable[[], Web]) -> None:
    """When all hosts go away the run waits, says so, and goes on when they are back."""
    project.category("n00000001", "red")
    webs = [make_web() for _ in range(4)]
    for number in range(80):
        web = webs[number % 4]
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.15))
        project.url(f"n00000001_{number}", web.url(f"/{number}"))
    with project.start("--batch_size", "8") as process:
        while sum(len(web.requests) for web in webs) < 20:
            assert process.poll() is None
        for web in webs:
            web.refuse()
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any("network seems to be down" in line for line in lines)
        for web in webs:
            web.accept_again()
        rest = "".join(lines)
        assert process.wait(timeout=60) == 0
    assert "The network is up again." in rest
    assert len(project.images("red")) > 60  # the doors do not close at the same moment
