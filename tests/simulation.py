"""A made-up web with a made-up clock, on which a `Schedule` is driven until nothing is left to do."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome, Redirect, RedirectHistory, RequestTarget
from utils.reasons import Reason, Status
from utils.scheduler.schedule import Schedule
from utils.scheduler.scheduled_task import TaskResult

CONNECT_TIMEOUT = 5.0
MOST_TURNS = 200_000


@dataclass(frozen=True)
class Ask:
    """One request of the made-up web: for which task, when, and the how-manieth of its task and host."""

    task: ImageTask
    host: str
    at: float
    of_task: int
    of_host: int


@dataclass(frozen=True)
class Reply:
    """What comes of a request, and after how many seconds; `leads_to` makes it a redirect to a host."""

    seconds: float = 0.1
    reason: Reason | None = None
    http_status: int = 200
    retry_after: float | None = None
    from_proxy: bool = False
    too_slow: bool = False
    leads_to: str = ""


GOOD = Reply()
NOT_FOUND = Reply(reason=Reason.HTTP_STATUS, http_status=404)
ERROR_500 = Reply(reason=Reason.HTTP_STATUS, http_status=500)
UNAVAILABLE = Reply(reason=Reason.HTTP_STATUS, http_status=503)
TOO_MANY = Reply(reason=Reason.RATE_LIMITED, http_status=429)
REFUSED = Reply(seconds=0.01, reason=Reason.CONNECTION_REFUSED, http_status=0)
NO_NAME = Reply(seconds=0.05, reason=Reason.DNS_ERROR, http_status=0)
BAD_TLS = Reply(reason=Reason.TLS_ERROR, http_status=0)
BLACKHOLE = Reply(seconds=CONNECT_TIMEOUT, reason=Reason.CONNECT_TIMEOUT, http_status=0)
SILENT = Reply(seconds=10.0, reason=Reason.TIMEOUT, http_status=0)
RESET = Reply(seconds=0.05, reason=Reason.CONNECTION_ERROR, http_status=0)
CUT = Reply(reason=Reason.TRUNCATED)
DRIP = Reply(seconds=2.0, reason=Reason.TIMEOUT, too_slow=True)
Web = Callable[[Ask], Reply]


def make_task(number: int) -> ImageTask:
    """Make a task of its own number."""
    code = f"n00000001_{number}"
    return ImageTask(number, "thing", UrlRow(number, code, f"http://host/{number}.jpg"))


def make_outcome(task: ImageTask, reply: Reply) -> Outcome:
    """Say what a worker would say of a reply."""
    return Outcome(
        row=task.row,
        status=Status.FAILED if reply.reason else Status.DOWNLOADED,
        reason=reply.reason,
        http_status=reply.http_status,
        attempts=1,
        seconds=reply.seconds,
        retry_after=reply.retry_after,
        from_proxy=reply.from_proxy,
        too_slow=reply.too_slow,
    )


class Simulation:
    """Drives a schedule; its clock only goes to where something ends or the schedule asks to be woken.

    Attributes
    ----------
    now, most_in_flight
        The clock, and the most tasks that were in flight at once.
    settled
        The outcome of every task that has ended, by number; a second one is an error at once.
    asked
        Every request, in order.
    most_at_once
        By host.
    """

    def __init__(self, schedule: Schedule, web: Web) -> None:
        self.schedule = schedule
        self.web = web
        self.now = 100.0
        self.asked: list[Ask] = []
        self.settled: dict[int, Outcome] = {}
        self.most_in_flight = 0
        self.most_at_once: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        self._homes: dict[int, str] = {}
        self._hosts: dict[int, str] = {}  # whom a task asks, or asked last
        self._tries: Counter[int] = Counter()
        self._tries_of_host: Counter[str] = Counter()
        self._ends: list[tuple[float, int]] = []  # when which request ends
        self._replies: dict[int, Reply] = {}
        self._requests: dict[int, int] = {}  # by task, the number of its request

    def offer(self, host: str, numbers: range) -> None:
        """Offer tasks of a host."""
        for number in numbers:
            self._homes[number] = self._hosts[number] = host
            settled = self.schedule.submit(make_task(number), host)
            self._note([settled] if settled else [])

    def run(self, until: float = float("inf")) -> None:
        """Go on until nothing is left, or until a time."""
        for _ in range(MOST_TURNS):
            self._note(self.schedule.poll(self.now))
            self._start()
            at = min(
                filter(None, (self._ends[0][0] if self._ends else None, self.schedule.next_wakeup())),
                default=None,
            )
            if at is None or at > until:
                self.now = max(self.now, min(until, at or self.now))
                return
            assert at > self.now or self._ends[0][0] <= self.now, "woken for nothing"
            self.now = max(self.now, at)
            self._end()
        raise AssertionError(f"no end in sight at {self.now}")

    @property
    def in_flight(self) -> list[int]:
        """Tasks whose requests are under way."""
        return list(self._requests)

    def tries(self, number: int) -> int:
        """Say how often a task was started."""
        return self._tries[number]

    def reasons(self) -> Counter[str]:
        """Count the settled tasks by reason, "" for the good ones."""
        return Counter(outcome.reason_word for outcome in self.settled.values())

    def starts(self) -> dict[str, list[float]]:
        """Give the times of the requests by host."""
        times = defaultdict(list)
        for ask in self.asked:
            times[ask.host].append(ask.at)
        return times

    def lose(self, numbers: list[int], culprit: int | None) -> None:
        """Let the worker of some tasks die."""
        for number in numbers:
            self._land(number)
        self._note(self.schedule.recover_lost(numbers, culprit=culprit, now=self.now))

    def _start(self) -> None:
        for task in self.schedule.start_ready(self.now):
            host = task.address if task.redirect_history.count else self._homes[task.number]
            self._hosts[task.number] = host
            ask = Ask(task, host, self.now, self._tries[task.number], self._tries_of_host[host])
            self._tries[task.number] += 1
            self._tries_of_host[host] += 1
            self.asked.append(ask)
            reply = self._replies[task.number] = self.web(ask)
            self._requests[task.number] = len(self.asked)
            heapq.heappush(self._ends, (self.now + reply.seconds, len(self.asked)))
            self.under_way[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self.under_way[host])
        self.most_in_flight = max(self.most_in_flight, self.schedule.in_flight)
        assert self.schedule.in_flight == self.under_way.total()

    def _end(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            request = heapq.heappop(self._ends)[1]
            task = self.asked[request - 1].task
            if self._requests.get(task.number) == request:  # else its worker has died
                reply = self._land(task.number)
                self._note(self._tell(task, reply))

    def _tell(self, task: ImageTask, reply: Reply) -> list[TaskResult]:
        if reply.leads_to:
            history = RedirectHistory(
                task.redirect_history.count + 1,
                task.redirect_history.seconds + reply.seconds,
                http_status=302,
            )
            redirect = Redirect(RequestTarget(reply.leads_to, reply.leads_to), history)
            return self.schedule.redirect(task.number, redirect, self.now)
        outcome = make_outcome(make_task(task.number), reply)
        return self.schedule.finish(task.number, outcome, self.now)

    def _land(self, number: int) -> Reply:
        self.under_way[self._hosts[number]] -= 1
        del self._requests[number]
        return self._replies.pop(number)

    def _note(self, settled: list[TaskResult]) -> None:
        for one in settled:
            assert one.task.number not in self.settled, "settled twice"
            assert one.outcome.row == one.task.row
            self.settled[one.task.number] = one.outcome


def simulate(
    web: Web, offers: dict[str, int], *, batch_size: int = 64, retries: int = 2, seed: int = 1
) -> Simulation:
    """Run a made-up web to its end: so many tasks of each host, numbered from 0 in order."""
    schedule = Schedule(batch_size=batch_size, retries=retries, rng=random.Random(seed))
    simulation = Simulation(schedule, web)
    first = 0
    for host, count in offers.items():
        simulation.offer(host, range(first, first + count))
        first += count
    simulation.run()
    assert (schedule.in_flight, schedule.waiting) == (0, 0)
    assert sorted(simulation.settled) == list(range(first))
    return simulation


def after(reply: Reply, seconds: float) -> Reply:
    """Give a reply that takes its time."""
    return replace(reply, seconds=seconds)
