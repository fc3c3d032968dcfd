"""Decides which task runs next: the policy of a run, without I/O and without a clock of its own.

The steps of a task: `submit` puts it into the queue of its host. `start_ready` returns the tasks that can
start. `finish`, `redirect` or `recover_lost` takes the result of each, and returns the tasks that are done.
A task with a temporary failure is retried later; one that was redirected waits for the host it leads to.
There are no rounds: every free slot is given to the next task at once. Requests that a host refuses because
there are too many are no attempts; their tasks wait until the host may be asked again, or until the run's
patience with it ends. Tasks whose URL timed out in an earlier run are started after all others.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping

from ..models.hosts import LearnedLimit
from ..models.tasks import ImageTask, Outcome, Redirect, RequestTarget
from ..reasons import INTERRUPTED, NOT_NEEDED, Reason, Status
from .congestion import Congestion
from .crash_isolation import SUSPECT_AFTER, CrashIsolation, find_cause
from .host_queues import HostQueues
from .host_state import ON_DISK, HostState, is_refusal
from .outage import Outage
from .scheduled_task import TOO_LONG_PAUSE, ScheduledTask, TaskResult

DEFAULT_PATIENCE = 15 * 60.0
"""Seconds that a run waits for hosts that refuse requests when nothing else is left to do."""
MAX_PATIENCE_UNKNOWN = 60.0
"""The same for a host that has never delivered an image, at most."""
PATIENCE_INTERVAL = 0.5
"""Seconds between two checks whether anything else is left to do."""
LAST_PROBE = 0.5
"""Seconds before the end of the patience at which a host is probed for the last time."""
MAX_CRASHES = 2
CRASHED = (Status.FAILED, Reason.CRASHED, "The worker process crashed on it twice.")


class Schedule:
    """Keeps the tasks of a run until they are done.

    Parameters
    ----------
    batch_size
        Tasks in flight at once, at most; may be changed at any time.
    retries
        Further attempts after a temporary failure.
    rng
        Randomises the delays before retries.
    parts
        Maps a host's name to the number by which its limits are divided, if other runs use it as well.
    learned
        What earlier runs have learned of hosts that limit requests, by their names.
    patience
        Seconds for which hosts that refuse requests are waited for when nothing else is left to do; at most a
        minute for those that have never delivered an image.
    has_delivered
        Whether a host has delivered an image in an earlier run.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        retries: int,
        rng: random.Random | None = None,
        parts: Callable[[str], int] | None = None,
        learned: Mapping[str, LearnedLimit] | None = None,
        patience: float = DEFAULT_PATIENCE,
        has_delivered: Callable[[str], bool] = lambda _host: False,
    ) -> None:
        self.batch_size = batch_size
        self._retries = retries
        self._rng = rng or random.Random()
        self._queues = HostQueues(parts, learned)
        self._patience = patience
        self._has_delivered = has_delivered
        self._only_refused_since: float | None = None
        self._patience_checked_at = 0.0
        self._patience_ends_at: float | None = None
        self._late: deque[ScheduledTask] = deque()
        self._suspects = CrashIsolation()
        self._outage = Outage()
        self._congestion = Congestion()
        self._last_start = 0.0
        self._tasks: dict[int, ScheduledTask] = {}
        self._running: set[int] = set()

    @property
    def in_flight(self) -> int:
        """The number of running tasks."""
        return len(self._running)

    @property
    def requests_in_flight(self) -> int:
        """The number of running tasks that need a request."""
        return len(self._running) - self._queues.in_flight_at(ON_DISK)

    @property
    def waiting(self) -> int:
        """The number of submitted tasks that are not running."""
        return len(self._tasks) - len(self._running)

    @property
    def held_back(self) -> int:
        """The number of tasks that wait for hosts that limit requests, or for the end of all others."""
        return self._queues.waiting_for_limits + len(self._late)

    def held_back_numbers(self) -> Collection[int]:
        """Return the numbers of these tasks."""
        waiting = [task for host in self._queues.limited.values() for task in host.tasks or ()]
        return {entry.task.number for entry in (*waiting, *self._late) if not entry.cancelled}

    def limited_hosts(self) -> Iterator[HostState]:
        """Yield the hosts that limit requests."""
        yield from self._queues.limited.values()

    def learned_limits(self) -> dict[str, LearnedLimit]:
        """Return what hosts allow that have refused requests, by their names."""
        return {
            host.name: learned
            for host in self._queues.limited.values()
            if host.refused_with and host.rate_limit and (learned := host.rate_limit.learned(host.parts))
        }

    @property
    def concurrency_limit(self) -> int:
        """The batch size, or less if the network is saturated."""
        return self._congestion.allowed(self.batch_size)

    def in_outage(self, now: float) -> bool:
        """Whether the network is down, so that only probes are started."""
        return self._outage.is_confirmed(now)

    def submit(self, task: ImageTask, host: str, fallback: RequestTarget | None = None) -> TaskResult | None:
        """Add a task; returns its result if its host has been given up already.

        Parameters
        ----------
        host
            The host of `task.address`.
        fallback
            The address to use if no connection to the first one can be made; its failures do not count
            against the first host.
        """
        state = self._queues.host(host)
        entry = ScheduledTask(task, state, fallback)
        is_failing = fallback is not None and state.is_failing
        if is_failing and (state.in_flight or any(not one.cancelled for one in state.tasks or ())):
            self._use_fallback(entry)  # one task is enough to probe a failing host
        if entry.host.given_up is Reason.DEAD_HOST:
            self._use_fallback(entry)
        if entry.host.given_up:
            return TaskResult(task, entry.host_given_up())
        self._tasks[task.number] = entry
        if task.timed_out_before:
            self._late.append(entry)
        else:
            self._enqueue(entry)
        return None

    def start_ready(self, now: float) -> list[ImageTask]:
        """Return the tasks that can start now; they count as running."""
        self._last_start = now
        if len(self._queues.hosts) >= self._queues.max_hosts:
            self._queues.forget_hosts(self._tasks.values(), now)
        for entry in self._queues.wake(now):
            self._enqueue(entry, first=entry.timed_out)
        while self._late and self.waiting <= self.held_back:
            self._enqueue(self._late.popleft())
        started: list[ImageTask] = []
        free = self.concurrency_limit - len(self._running)
        if self._outage.ends_at is not None:
            free = self._outage.allowed_starts(free, now)
        while len(started) < free:
            suspect = self._suspects.pop(now) if self._suspects.waiting else None
            one = suspect or self._queues.pop(now)
            if one is None:
                break
            one.started = now
            one.starts += 1
            one.host.record_start(now)
            self._queues.mark_started(one, now)
            self._running.add(one.task.number)
            started.append(one.task)
            self._queues.relist(one.host, now)
        return started

    def finish(self, number: int, outcome: Outcome, now: float) -> list[TaskResult]:
        """Record the outcome of a task's attempt; returns the tasks that are done now, if any."""
        if number not in self._running:
            return []
        entry = self._tasks[number]
        if self._outage.delay(entry, outcome, now):
            self._release(entry)
            self._queues.relist(entry.host, now)
            return []
        results = self.poll(now)  # while it counts as running: `poll` may fail all that wait for its host
        self._release(entry)
        return results + self._handle(entry, outcome, now)

    def redirect(self, number: int, redirect: Redirect, now: float) -> list[TaskResult]:
        """Queue a task whose response was a redirect at the host that it leads to."""
        if number not in self._running:
            return []
        entry = self._tasks[number]
        host, status = entry.host, redirect.history.http_status
        self._outage.record_response()
        results = self.poll(now)
        self._release(entry)
        response = Outcome(entry.task.row, Status.NOT_ATTEMPTED, http_status=status)
        host.record_result(response, started=entry.started, now=now)
        entry.follow_redirect(redirect, self._queues.host(redirect.target.host))
        if entry.host.given_up:
            results.append(self._close(entry, entry.host_given_up()))
        else:
            self._enqueue(entry, first=True)
        self._queues.relist(host, now)
        return results

    def recover_lost(self, numbers: list[int], *, culprit: int | None, now: float) -> list[TaskResult]:
        """Queue the tasks of a dead worker again; `culprit` is the one whose image it was validating."""
        lost = [self._tasks[number] for number in numbers if number in self._running]
        cause = find_cause(lost) if culprit is None else self._tasks.get(culprit)
        results = []
        for entry in lost:
            self._release(entry)
            entry.losses += culprit is None
            entry.crashes += entry is cause
            if entry.crashes >= MAX_CRASHES:
                results.append(self._close(entry, entry.end(*CRASHED)))
            elif entry.host.given_up:
                results.append(self._close(entry, entry.host_given_up()))
            else:
                self._enqueue(entry, first=True)
            self._queues.relist(entry.host, now)
        return results

    def cancel(self, numbers: list[int], now: float) -> list[TaskResult]:
        """Remove tasks that are not needed any more; returns those that were started, as skipped."""
        results = []
        for entry in [self._tasks[number] for number in numbers if number in self._tasks]:
            entry.cancelled = True
            self._release(entry)
            result = self._close(entry, entry.end(*NOT_NEEDED))
            self._queues.relist(entry.host, now)
            if entry.starts:
                results.append(result)
        self._late = deque(entry for entry in self._late if not entry.cancelled)
        return results

    def interrupt(self) -> list[TaskResult]:
        """Remove all tasks; returns them as interrupted."""
        left = list(self._tasks.values())
        for entry in left:
            entry.cancelled = True
            self._release(entry)
        return [self._close(entry, entry.end(*INTERRUPTED)) for entry in left]

    def poll(self, now: float) -> list[TaskResult]:
        """Return the tasks that are done because time has passed: failures that were delayed."""
        results = self._end_patience(now)
        if not self._outage.delayed:
            return results
        is_outage = self._outage.is_confirmed(now)
        for failure in self._outage.pop(now):
            if failure.entry.task.number not in self._tasks:
                continue
            if is_outage:  # the attempt does not count
                self._enqueue(failure.entry, first=True)
                self._queues.relist(failure.entry.host, now)
            else:
                results += self._handle(failure.entry, failure.outcome, now)
        return results

    def next_wakeup(self) -> float | None:
        """Return when a waiting task can start, if that is known; None if only `finish` can change it."""
        if self._outage.ends_at is not None:
            return self._outage.next_wakeup()
        times = [self._queues.next_wakeup()]
        if self._outage.delayed:
            times.append(self._outage.next_wakeup())
        times.append(self._patience_ends_at)
        if self._suspects.waiting:
            times.append(self._suspects.next_wakeup(self._last_start))
        return min((time for time in times if time is not None), default=None)

    def _handle(self, entry: ScheduledTask, outcome: Outcome, now: float) -> list[TaskResult]:
        """Update the host, then retry the task or close it."""
        host = entry.host
        if is_refusal(outcome):
            return self._handle_refusal(entry, outcome, now)
        host.record_result(outcome, started=entry.started, now=now)
        in_flight = len(self._running) + 1
        if not self._congestion.record_result(entry, outcome, now=now, in_flight=in_flight):
            entry.rewind()
            self._enqueue(entry)
            self._queues.relist(host, now)
            return []
        outcome = entry.add_attempt(outcome)
        results = []
        if entry.fallback and outcome.connect_failed:
            self._use_fallback(entry)
            self._enqueue(entry)
        elif host.given_up or not entry.should_retry(outcome, self._retries):
            results.append(self._close(entry, outcome))
        else:
            retry_at = entry.retry_at(outcome, now, self._rng)
            entry.rewind()
            self._queues.push_delayed(entry, retry_at)
        if host.tasks and host.is_failing:
            waiting = [one for one in host.tasks if not one.cancelled]
            host.tasks = None
            for one in waiting:
                self._use_fallback(one)
                self._enqueue(one)
        if host.given_up:
            results += self._fail_waiting(host)
        self._queues.relist(host, now)
        return results

    def _handle_refusal(self, entry: ScheduledTask, outcome: Outcome, now: float) -> list[TaskResult]:
        """Let a task wait until its host may be asked again, unless that takes too long."""
        host, patience = entry.host, self._patience_left(entry.host, now)
        host.record_result(outcome, started=entry.started, now=now, max_pause=patience)
        if host.is_limited:
            self._queues.limited[host.name] = host
        entry.add_refusal(outcome)
        results = []
        if (seconds := outcome.retry_after or 0.0) > patience:
            words = TOO_LONG_PAUSE.format(seconds)
            results.append(self._close(entry, entry.end(Status.FAILED, Reason.RATE_LIMITED, words)))
        elif host.given_up:
            results.append(self._close(entry, entry.host_given_up()))
        else:
            self._enqueue(entry)
        if host.given_up:
            results += self._fail_waiting(host)
        self._queues.relist(host, now)
        return results

    def _patience_with(self, host: HostState) -> float:
        known = host.has_delivered or self._has_delivered(host.name)
        return self._patience if known else min(self._patience, MAX_PATIENCE_UNKNOWN)

    def _patience_left(self, host: HostState, now: float) -> float:
        since = self._only_refused_since
        return self._patience_with(host) - (0.0 if since is None else now - max(since, host.accepted_at))

    def _end_patience(self, now: float) -> list[TaskResult]:
        """Give up the hosts that have been waited for too long while nothing else was left to do."""
        if not self._queues.limited:
            return []
        is_due = self._patience_ends_at is not None and now >= self._patience_ends_at
        if self._running and not is_due and now < self._patience_checked_at + PATIENCE_INTERVAL:
            return []
        self._patience_checked_at, self._patience_ends_at = now, None
        waiting = {host for host in self._queues.limited.values() if host.is_waiting}
        if not self._tasks or not all(entry.host in waiting for entry in self._tasks.values()):
            self._only_refused_since = None
            return []
        if self._only_refused_since is None:
            self._only_refused_since = now
        results = []
        for host in sorted({entry.host for entry in self._tasks.values()}, key=lambda one: one.name):
            ends_at = max(self._only_refused_since, host.accepted_at) + self._patience_with(host)
            if now >= ends_at:
                host.given_up = Reason.RATE_LIMITED
                results += self._fail_waiting(host)
                continue
            if host.rate_limit and now < ends_at - LAST_PROBE:
                host.rate_limit.shorten_pause(ends_at - LAST_PROBE)
                self._queues.relist(host, now)
            self._patience_ends_at = min(ends_at, self._patience_ends_at or ends_at)
        return results

    def _fail_waiting(self, host: HostState) -> list[TaskResult]:
        """Close all tasks that wait for a host that was given up, or switch them to their fallbacks."""
        left = [e for e in self._tasks.values() if e.host is host and e.task.number not in self._running]
        host.tasks, host.wake_at = None, None
        results = []
        for entry in left:
            if entry.fallback and host.is_failing:  # it waits for a retry, which will use the fallback
                self._use_fallback(entry)
            else:
                entry.cancelled = True
                results.append(self._close(entry, entry.host_given_up()))
        self._late = deque(entry for entry in self._late if not entry.cancelled)
        return results

    def _use_fallback(self, entry: ScheduledTask) -> None:
        if entry.fallback:
            entry.use_fallback(self._queues.host(entry.fallback.host))

    def _enqueue(self, entry: ScheduledTask, *, first: bool = False) -> None:
        if entry.losses >= SUSPECT_AFTER:
            self._suspects.waiting.append(entry)
        else:
            self._queues.push(entry, first=first)

    def _release(self, entry: ScheduledTask) -> None:
        """Free the slots of a task, if it is running."""
        if entry.task.number in self._running:
            self._running.discard(entry.task.number)
            self._suspects.running.discard(entry)
            entry.host.in_flight -= 1
            entry.host.hanging -= entry.is_hanging
            entry.is_hanging, entry.hangs_at = False, None

    def _close(self, entry: ScheduledTask, outcome: Outcome) -> TaskResult:
        del self._tasks[entry.task.number]
        return TaskResult(entry.task, outcome)
