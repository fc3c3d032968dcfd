"""Whether a failed URL is tried again, and when."""

from __future__ import annotations

import random

from ..models.tasks import Outcome
from ..reasons import Reason, RetryPolicy
from .host_state import LONGEST_REST, asks_for_less, waits_too_long
from .scheduled_task import ScheduledTask

FIRST_RETRY = 1.0
"""Seconds until a failed URL is tried again, give or take half; doubled by each further try."""
RETRIES_OF_WHAT_DRIPS, SOON = 1, 0.4
"""One more, and after so many seconds: each holds up the end of a run, and hardly ever brings anything."""


def may_help(entry: ScheduledTask, outcome: Outcome, retries: int) -> bool:
    """Say whether a task is to be tried again after this outcome, where so many retries are allowed."""
    passing = outcome.retry_policy is RetryPolicy.TEMPORARY and outcome.reason is not Reason.DISK_ERROR
    most = min(retries, RETRIES_OF_WHAT_DRIPS) if outcome.dripped else retries
    return passing and not waits_too_long(outcome) and entry.attempts_here <= most


def due(entry: ScheduledTask, outcome: Outcome, now: float, dice: random.Random) -> float:
    """Say at what time a task is to be tried again."""
    if asks_for_less(outcome) and entry.host.rest_until > now:
        return entry.host.rest_until
    first = SOON if outcome.dripped else FIRST_RETRY
    wait: float = min(first * 2 ** (entry.attempts_here - 1), LONGEST_REST)
    return now + wait * dice.uniform(0.5, 1.5)
