"""A simulated web with a simulated clock, on which a `Schedule` runs until all tasks are done."""

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
MAX_TURNS = 200_000


@dataclass(frozen=True)
class Request:
    """One request to the simulated web; `of_task` and `of_host` count earlier ones of its task and host."""

    task: ImageTask
    host: str
    at: float
    of_task: int
    of_host: int


@dataclass(frozen=True)
class Reply:
    """The result of a request after some seconds; `redirect_to` names the host that a redirect leads to."""

    seconds: float = 0.1
    reason: Reason | None = None
    http_status: int = 200
    retry_after: float | None = None
    from_proxy: bool = False
    too_slow: bool = False
    redirect_to: str = ""


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
SLOW_BODY = Reply(seconds=2.0, reason=Reason.TIMEOUT, too_slow=True)
Web = Callable[[Request], Reply]


def make_task(number: int) -> ImageTask:
    """Return a task with its own row."""
    code = f"n00000001_{number}"
    return ImageTask(number, "thing", UrlRow(number, code, f"http://host/{number}.jpg"))


def make_outcome(task: ImageTask, reply: Reply) -> Outcome:
    """Return the outcome that a worker would report."""
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
    """Runs a schedule; the clock jumps to the next end of a request or wake-up of the schedule.

    Attributes
    ----------
    now
        The clock.
    outcomes
        By task number; a second outcome of a task is an error.
    requests
        All requests in order.
    most_in_flight, most_at_once
        The largest number of concurrent tasks, in all and by host.
    """

    def __init__(self, schedule: Schedule, web: Web) -> None:
        self.schedule = schedule
        self.web = web
        self.now = 100.0
        self.requests: list[Request] = []
        self.outcomes: dict[int, Outcome] = {}
        self.most_in_flight = 0
        self.most_at_once: Counter[str] = Counter()
        self._concurrent: Counter[str] = Counter()
        self._first_hosts: dict[int, str] = {}
        self._hosts: dict[int, str] = {}  # of the last request of a task
        self._starts: Counter[int] = Counter()
        self._starts_of_host: Counter[str] = Counter()
        self._ends: list[tuple[float, int]] = []  # time and index of a request
        self._replies: dict[int, Reply] = {}
        self._running: dict[int, int] = {}  # by task, the index of its request

    def submit(self, host: str, numbers: range, *, timed_out_before: bool = False) -> None:
        """Submit tasks of a host."""
        for number in numbers:
            self._first_hosts[number] = self._hosts[number] = host
            task = replace(make_task(number), timed_out_before=timed_out_before)
            result = self.schedule.submit(task, host)
            self._add([result] if result else [])

    def run(self, until: float = float("inf")) -> None:
        """Run until nothing is left to do, or until a time."""
        for _ in range(MAX_TURNS):
            self._add(self.schedule.poll(self.now))
            self._start()
            times = (self._ends[0][0] if self._ends else None, self.schedule.next_wakeup())
            at = min((time for time in times if time is not None), default=None)
            if at is None or at > until:
                self.now = max(self.now, min(until, at or self.now))
                return
            assert at > self.now or self._ends[0][0] <= self.now, "woken for nothing"
            self.now = max(self.now, at)
            self._end()
        raise AssertionError(f"no end in sight at {self.now}")

    @property
    def in_flight(self) -> list[int]:
        """The tasks with running requests."""
        return list(self._running)

    def starts(self, number: int) -> int:
        """Return how often a task was started."""
        return self._starts[number]

    def reasons(self) -> Counter[str]:
        """Count the outcomes by reason, "" for good ones."""
        return Counter(outcome.reason_word for outcome in self.outcomes.values())

    def request_times(self) -> dict[str, list[float]]:
        """Return the times of the requests by host."""
        times = defaultdict(list)
        for request in self.requests:
            times[request.host].append(request.at)
        return times

    def lose(self, numbers: list[int], culprit: int | None) -> None:
        """Let the worker of some tasks die."""
        for number in numbers:
            self._remove(number)
        self._add(self.schedule.recover_lost(numbers, culprit=culprit, now=self.now))

    def _start(self) -> None:
        for task in self.schedule.start_ready(self.now):
            host = task.address if task.redirect_history.count else self._first_hosts[task.number]
            self._hosts[task.number] = host
            request = Request(task, host, self.now, self._starts[task.number], self._starts_of_host[host])
            self._starts[task.number] += 1
            self._starts_of_host[host] += 1
            self.requests.append(request)
            reply = self._replies[task.number] = self.web(request)
            self._running[task.number] = len(self.requests)
            heapq.heappush(self._ends, (self.now + reply.seconds, len(self.requests)))
            self._concurrent[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self._concurrent[host])
        self.most_in_flight = max(self.most_in_flight, self.schedule.in_flight)
        assert self.schedule.in_flight == self._concurrent.total()

    def _end(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            index = heapq.heappop(self._ends)[1]
            task = self.requests[index - 1].task
            if self._running.get(task.number) == index:  # else its worker has died
                self._add(self._finish(task, self._remove(task.number)))

    def _finish(self, task: ImageTask, reply: Reply) -> list[TaskResult]:
        if reply.redirect_to:
            seconds = task.redirect_history.seconds + reply.seconds
            history = RedirectHistory(task.redirect_history.count + 1, seconds, http_status=302)
            redirect = Redirect(RequestTarget(reply.redirect_to, reply.redirect_to), history)
            return self.schedule.redirect(task.number, redirect, self.now)
        outcome = make_outcome(make_task(task.number), reply)
        return self.schedule.finish(task.number, outcome, self.now)

    def _remove(self, number: int) -> Reply:
        self._concurrent[self._hosts[number]] -= 1
        del self._running[number]
        return self._replies.pop(number)

    def _add(self, results: list[TaskResult]) -> None:
        for result in results:
            number = result.task.number
            assert number not in self.outcomes, "ended twice"
            assert result.outcome.row == result.task.row
            self.outcomes[number] = result.outcome


def simulate(
    web: Web, tasks: dict[str, int], *, batch_size: int = 64, retries: int = 2, seed: int = 1
) -> Simulation:
    """Run tasks of hosts to the end: a number for each host, numbered from 0 in order."""
    schedule = Schedule(batch_size=batch_size, retries=retries, rng=random.Random(seed))
    simulation = Simulation(schedule, web)
    first = 0
    for host, count in tasks.items():
        simulation.submit(host, range(first, first + count))
        first += count
    simulation.run()
    assert (schedule.in_flight, schedule.waiting) == (0, 0)
    assert sorted(simulation.outcomes) == list(range(first))
    return simulation


def after(reply: Reply, seconds: float) -> Reply:
    """Return a reply that takes some seconds."""
    return replace(reply, seconds=seconds)
