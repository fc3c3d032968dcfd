"""A task in the schedule: its attempts so far, whether to retry it, and its outcome."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ..models.tasks import ImageTask, Outcome, Redirect, RequestTarget
from ..reasons import Reason, RetryPolicy, Status
from .host_state import MAX_PAUSE, HostState

GIVEN_UP = {
    Reason.DEAD_HOST: Reason.DEAD_HOST.meaning,
    Reason.RATE_LIMITED: "The host keeps asking for fewer requests; the next run tries again.",
}
TOO_LONG_PAUSE = "The host asks to wait {:.0f} s, longer than this run waits; the next run tries again."
TIMEOUTS = frozenset({Reason.TIMEOUT, Reason.CONNECT_TIMEOUT})
RETRY_DELAY = 1.0
"""Seconds until a failed URL is tried again, give or take half; doubled by each further attempt."""
SLOW_BODY_RETRIES, SLOW_BODY_RETRY_DELAY = 1, 0.4
"""For bodies that arrived too slowly: they delay the end of a run, and a retry seldom succeeds."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A finished task."""

    task: ImageTask
    outcome: Outcome


@dataclass(slots=True, eq=False)
class ScheduledTask:
    """A task with its history.

    Attributes
    ----------
    task
        The next request: address and redirects change when redirects are followed.
    host
        The host of the next request.
    fallback
        The other address of the image, used if no connection to the first one can be made.
    attempts, seconds
        All attempts, and the time they took.
    fallback_from
        The number of attempts that were made before the fallback was taken.
    starts, started
        The number of started requests, and the time of the last one.
    hangs_at, is_hanging
        When its request starts to count as hanging (None if none is running), and whether it does.
    crashes, losses
        The number of times that it crashed its worker, and that its worker died for an unknown cause.
    origin
        Task and host as they were before redirects; None if none was followed.
    last
        The outcome of the last attempt at this host.
    refused_with
        The HTTP status of the last refusal; 0 if there was none.
    cancelled
        Whether it must not be started any more; queues drop it when they reach it.
    """

    task: ImageTask
    host: HostState
    fallback: RequestTarget | None = None
    attempts: int = 0
    fallback_from: int = 0
    seconds: float = 0.0
    starts: int = 0
    started: float = 0.0
    hangs_at: float | None = None
    is_hanging: bool = False
    crashes: int = 0
    losses: int = 0
    origin: tuple[ImageTask, HostState] | None = None
    last: Outcome | None = None
    refused_with: int = 0
    cancelled: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether the last attempt timed out, so that the next one may take as long."""
        return self.last is not None and self.last.reason in TIMEOUTS

    def add_attempt(self, outcome: Outcome) -> Outcome:
        """Add an attempt to the history; returns the outcome with the totals of all attempts."""
        history = self.task.redirect_history
        self.attempts += outcome.attempts
        self.seconds += history.seconds + outcome.seconds
        status = outcome.http_status or history.http_status
        self.last = outcome
        if (outcome.attempts, outcome.seconds, outcome.http_status) != (self.attempts, self.seconds, status):
            self.last = replace(outcome, attempts=self.attempts, seconds=self.seconds, http_status=status)
        return self.last

    def add_refusal(self, outcome: Outcome) -> None:
        """Add a refusal to the history, which is no attempt."""
        self.seconds += self.task.redirect_history.seconds + outcome.seconds
        self.refused_with = outcome.http_status

    def should_retry(self, outcome: Outcome, retries: int) -> bool:
        """Whether another attempt is allowed after this outcome, with so many retries."""
        if outcome.retry_policy is not RetryPolicy.TEMPORARY or self.task.timed_out_before:
            return False
        allowed = min(retries, SLOW_BODY_RETRIES) if outcome.too_slow else retries
        return self.attempts - self.fallback_from <= allowed

    def retry_at(self, outcome: Outcome, now: float, rng: random.Random) -> float:
        """Return the time of the next attempt."""
        first = SLOW_BODY_RETRY_DELAY if outcome.too_slow else RETRY_DELAY
        delay: float = min(first * 2 ** (self.attempts - self.fallback_from - 1), MAX_PAUSE)
        return now + delay * rng.uniform(0.5, 1.5)

    def use_fallback(self, host: HostState) -> None:
        """Switch to the fallback address, which is at this host."""
        self.rewind()
        if self.fallback:
            self.task = replace(self.task, address=self.fallback.address, host=self.fallback.host)
        self.host, self.fallback, self.last = host, None, None
        self.fallback_from = self.attempts

    def follow_redirect(self, redirect: Redirect, host: HostState) -> None:
        """Continue at the target of a redirect, which is at this host."""
        target = redirect.target
        self.origin = self.origin or (self.task, self.host)
        self.task = replace(
            self.task, address=target.address, host=target.host, redirect_history=redirect.history
        )
        self.host = host

    def rewind(self) -> None:
        """Forget redirects: the next attempt starts at the first address."""
        if self.origin:
            (self.task, self.host), self.origin = self.origin, None

    def end(self, status: Status, reason: Reason, description: str) -> Outcome:
        """Return the outcome of a task that ended without a further attempt."""
        return replace(
            self.last
            or Outcome(
                self.task.row,
                status,
                http_status=self.refused_with or self.task.redirect_history.http_status,
            ),
            status=status,
            reason=reason,
            description=description,
            attempts=self.attempts,
            seconds=self.seconds,
        )

    def host_given_up(self) -> Outcome:
        """Return the outcome of a task whose host was given up: its own last failure, if it had one."""
        reason = self.host.given_up or Reason.DEAD_HOST
        return self.last or self.end(Status.FAILED, reason, GIVEN_UP[reason])
