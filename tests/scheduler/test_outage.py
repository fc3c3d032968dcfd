"""A network outage costs time but no URL, and is told from dead hosts."""

from __future__ import annotations

from collections.abc import Callable

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.machine import wait_until
from tests.project import Project
from tests.scheduler.simulation import Reply, Request, Simulation, make_task
from utils.reasons import Reason
from utils.scheduler.outage import MAX_OUTAGE
from utils.scheduler.schedule import Schedule

GOOD = Reply(seconds=0.5, reason=None, http_status=200)
REFUSED = Reply(seconds=0.01, reason=Reason.CONNECTION_REFUSED, http_status=0)
NO_NAME = Reply(seconds=0.05, reason=Reason.DNS_ERROR, http_status=0)


class SimulatedOutage:
    """A web that is unreachable between two times of the simulation."""

    def __init__(self, gone: range, reply: Reply = REFUSED) -> None:
        self.schedule = Schedule(batch_size=64, retries=2)
        self.simulation = Simulation(self.schedule, self.answer)
        self.gone = gone
        self.reply = reply

    def answer(self, _ask: Request) -> Reply:
        """Return the reply at the current time."""
        return self.reply if self.gone.start <= self.simulation.now < self.gone.stop else GOOD

    def run(self, hosts: int, urls: int) -> dict[str, int]:
        """Submit the URLs, run to the end, and count the reasons."""
        for host in range(hosts):
            self.simulation.submit(f"h{host}", range(host * urls, (host + 1) * urls))
        self.simulation.run()
        return dict(self.simulation.reasons())


def test_short_outage_costs_no_url() -> None:
    """After half a minute without network everything is run again, and saved."""
    for reply in (REFUSED, NO_NAME):
        assert SimulatedOutage(range(103, 133), reply).run(hosts=40, urls=40) == {"": 1600}


def test_outage_costs_few_requests() -> None:
    """Only a probe is sent now and then."""
    world = SimulatedOutage(range(103, 133))
    world.run(hosts=40, urls=40)
    failed = len(world.simulation.requests) - 1600
    assert failed < 64 + 40 + 40


def test_long_outage_ends() -> None:
    """After a minute the hosts count as dead, and the run ends."""
    world = SimulatedOutage(range(103, 10**9))
    reasons = world.run(hosts=40, urls=40)
    assert sum(reasons.values()) == 1600
    assert set(reasons) == {"", "connection_refused", "dead_host"}
    assert world.simulation.now < 103 + MAX_OUTAGE + 120


def test_dead_hosts_are_no_outage() -> None:
    """Hosts that never answered do not make the run wait."""
    schedule = Schedule(batch_size=64, retries=2)
    outages = []

    def answer(request: Request) -> Reply:
        outages.append(schedule.in_outage(simulation.now))
        return GOOD if request.host.startswith("good") else NO_NAME

    simulation = Simulation(schedule, answer)
    for number in range(50):
        simulation.submit(f"dead{number}", range(number * 10, number * 10 + 2))
    simulation.submit("good", range(1000, 1100))
    simulation.run()
    assert simulation.reasons()[""] == 100
    assert not any(outages)


def test_hosts_that_die_beside_others_are_no_outage() -> None:
    """Responses in between show that the network is up."""
    schedule = Schedule(batch_size=64, retries=2)
    outages = []

    def answer(request: Request) -> Reply:
        outages.append(schedule.in_outage(simulation.now))
        return REFUSED if request.host in "abc" and request.of_host > 20 else GOOD

    simulation = Simulation(schedule, answer)
    for place, host in enumerate("abcdef"):
        count = 30 if host in "abc" else 3000
        simulation.submit(host, range(place * 10_000, place * 10_000 + count))
    simulation.run()
    assert simulation.reasons()[""] >= 9000
    assert not any(outages)


def test_tasks_held_in_an_outage_can_be_cancelled() -> None:
    """And interrupted, like any others."""
    schedule = Schedule(batch_size=10, retries=0)
    simulation = Simulation(schedule, lambda request: GOOD if request.of_host == 0 else REFUSED)
    for place, host in enumerate("abcd"):
        simulation.submit(host, range(place * 10, place * 10 + 4))
    simulation.run(until=101.5)
    left = schedule.waiting
    assert schedule.in_outage(104.0)
    schedule.cancel([number for number in range(4) if number not in simulation.outcomes], simulation.now)
    schedule.interrupt()
    assert left > 4
    assert (schedule.waiting, schedule.in_flight) == (0, 0)
    assert schedule.submit(make_task(99), "a") is None


def test_outage_is_reported(project: Project, make_web: Callable[[], Web]) -> None:
    """When all hosts go away the run waits, says so, and continues when they are back."""
    project.category("n00000001", "red")
    webs = [make_web() for _ in range(4)]
    for number in range(80):
        web = webs[number % 4]
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.15))
        project.url(f"n00000001_{number}", web.url(f"/{number}"))
    with project.start("--batch_size", "8") as process:
        wait_until(lambda: sum(len(web.requests) for web in webs) >= 20 or process.poll() is not None)
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
    assert len(project.images("red")) > 60  # the servers do not close at the same moment
