"""A task on its way through the schedule: what it has been through, and how that ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..models.enums import Status
from ..models.tasks import ImageTask, Outcome, Redirect, RequestTarget
from ..reasons import Reason
from .host_state import LONGEST_REST, HostState, asks_for_less, waits_too_long

GIVEN_UP = {
    Reason.DEAD_HOST: "Its host does not answer anyone.",
    Reason.RATE_LIMITED: "Its host asks for fewer requests, again and again; the next run tries it.",
}


SLOW = frozenset({Reason.TIMEOUT, Reason.CONNECT_TIMEOUT})


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of a task."""

    task: ImageTask
    outcome: Outcome


@dataclass(slots=True, eq=False)
class ScheduledTask:
    """A task with its history.

    Attributes
    ----------
    task
        As it is to be done next: its address and trail change with redirects.
    host
        Whose turn it takes.
    fallback
        The way to take if no connection to that host comes about.
    attempts_elsewhere
        How many of the attempts were made before the fallback was taken.
    starts, started
        How often a request was started, and when the last was.
    hangs_from, hangs
        When its request will count as hanging; whether it does.
    crashes, losses
        How often it killed its worker, and how often it was lost with one for no known cause.
    last
        What came of the last attempt at this host.
    dropped
        Whether it is not to be done any more; queues forget it when they come to it.
    """

    task: ImageTask
    host: HostState
    fallback: RequestTarget | None = None
    attempts: int = 0
    attempts_elsewhere: int = 0
    seconds: float = 0.0
    starts: int = 0
    started: float = 0.0
    hangs_from: float | None = None
    hangs: bool = False
    crashes: int = 0
    losses: int = 0
    last: Outcome | None = None
    dropped: bool = False
    _first: ImageTask = field(init=False)
    _home: HostState = field(init=False)

    def __post_init__(self) -> None:
        self._first, self._home = self.task, self.host

    @property
    def hosts(self) -> tuple[HostState, HostState]:
        """Whose records it holds: of the host whose turn it takes, and of the one where it begins."""
        return self.host, self._home

    @property
    def attempts_here(self) -> int:
        """How many of the attempts were made at its present host."""
        return self.attempts - self.attempts_elsewhere

    @property
    def may_be_slow(self) -> bool:
        """Whether its next try may take all the time that a try has; the sooner it begins, the better."""
        return self.last is not None and self.last.reason in SLOW

    def take(self, outcome: Outcome) -> Outcome:
        """Add an attempt to the history; returns the outcome with the sums of all attempts."""
        trail = self.task.trail
        self.attempts += outcome.attempts
        self.seconds += trail.seconds + outcome.seconds
        status = outcome.http_status or trail.http_status
        self.last = outcome
        if (outcome.attempts, outcome.seconds, outcome.http_status) != (self.attempts, self.seconds, status):
            self.last = replace(outcome, attempts=self.attempts, seconds=self.seconds, http_status=status)
        if asks_for_less(outcome) and waits_too_long(outcome):
            words = (
                f"The host asks to wait {outcome.retry_after:.0f} s; {LONGEST_REST:.0f} s are waited at most."
            )
            self.last = replace(self.last, reason=Reason.RATE_LIMITED, description=words)
        return self.last

    def turn_to(self, host: HostState) -> None:
        """Take the fallback, whose host is given."""
        if self.fallback:
            self._first = replace(self._first, address=self.fallback.address, host=self.fallback.host)
        self._home, self.fallback, self.last = host, None, None
        self.attempts_elsewhere = self.attempts
        self.begin_again()

    def follow(self, redirect: Redirect, host: HostState) -> None:
        """Go on where a redirect leads; it is that host's turn now."""
        route = redirect.route
        self.task = replace(self.task, address=route.address, host=route.host, trail=redirect.trail)
        self.host = host

    def begin_again(self) -> None:
        """Forget the redirects: the next try begins at the beginning."""
        self.task, self.host = self._first, self._home

    def ended(self, status: Status, reason: Reason, description: str) -> Outcome:
        """Make the outcome of an end that no attempt brought about."""
        return replace(
            self.last or Outcome(self.task.row, status, http_status=self.task.trail.http_status),
            status=status,
            reason=reason,
            description=description,
            attempts=self.attempts,
            seconds=self.seconds,
        )

    def given_up(self) -> Outcome:
        """Make the outcome of a task whose host has been given up: its own failure, if it had one."""
        reason = self.host.given_up or Reason.DEAD_HOST
        return self.last or self.ended(Status.FAILED, reason, GIVEN_UP[reason])

    def crashed(self) -> Outcome:
        """Make the outcome of an image that kills who fetches or judges it."""
        return self.ended(Status.FAILED, Reason.CRASHED, "The process that worked on it died of it, twice.")
