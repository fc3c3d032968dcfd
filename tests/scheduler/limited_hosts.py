"""Simulated hosts that limit requests: by rate, window, concurrency, or with bans."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field, replace

from tests.scheduler.simulation import GOOD, TOO_MANY, Reply, Request


@dataclass
class Rounds:
    """Counts refusals, and rounds of them: a refused request that was sent after the last refusal came in."""

    refused: int = 0
    rounds: int = 0
    last_at: float = 0.0  # when the last round of refusals came in

    def add(self, at: float, seconds: float) -> None:
        """Count a refused request that was sent at a time and took so long."""
        self.refused += 1
        if at >= self.last_at:
            self.rounds += 1
            self.last_at = at + seconds


@dataclass
class Host:
    """Accepts everything; `seconds` is the mean duration of a request."""

    seconds: float = 0.08
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 0.0
    rounds: Rounds = field(default_factory=Rounds)
    with_retry_after: bool = False

    def __call__(self, request: Request) -> Reply:
        """Answer a request, which arrives after half of its duration."""
        seconds = self.seconds * self.rng.uniform(0.8, 1.2)
        self.now = max(self.now, request.at + seconds / 2)
        wait = self.refuse(self.now)
        if wait is None:
            return replace(GOOD, seconds=seconds)
        self.rounds.add(request.at, seconds)
        retry_after = float(math.ceil(wait)) if self.with_retry_after else None
        return replace(TOO_MANY, seconds=seconds, retry_after=retry_after)

    def refuse(self, at: float) -> float | None:
        """Return None for a request that is accepted, else the seconds until one would be."""
        return None


@dataclass
class Bucket(Host):
    """Allows `rate` requests a second, and `burst` at once."""

    rate: float = 1.0
    burst: float = 1.0
    level: float = math.inf
    at: float = 0.0

    def refuse(self, at: float) -> float | None:
        """See `Host`."""
        self.level = min(self.burst, self.level + self.rate * (at - self.at))
        self.at = at
        if self.level < 1:
            return (1 - self.level) / self.rate
        self.level -= 1
        return None


@dataclass
class Window(Host):
    """Allows `count` requests in a window of `length` seconds, which is fixed or slides."""

    count: int = 10
    length: float = 10.0
    slides: bool = False
    times: deque[float] = field(default_factory=deque)

    def refuse(self, at: float) -> float | None:
        """See `Host`."""
        begin = at - self.length if self.slides else self.length * (at // self.length)
        while self.times and self.times[0] < begin:
            self.times.popleft()
        if len(self.times) >= self.count:
            return (self.times[0] if self.slides else begin) + self.length - at
        self.times.append(at)
        return None


@dataclass
class Ban(Bucket):
    """Bans for `length` seconds what exceeds the rate; `is_prolonged` by requests during the ban."""

    length: float = 10.0
    is_prolonged: bool = True
    until: float = 0.0
    bans: int = 0

    def refuse(self, at: float) -> float | None:
        """See `Host`."""
        if at < self.until:
            if self.is_prolonged:
                self.until = at + self.length
            return self.until - at
        wait = super().refuse(at)
        if wait is not None:
            self.bans += 1
            self.until = at + self.length
        return wait


@dataclass
class Concurrency(Host):
    """Allows `limit` requests at once."""

    limit: int = 3
    ends: deque[float] = field(default_factory=deque)

    def refuse(self, at: float) -> float | None:
        """See `Host`."""
        while self.ends and self.ends[0] <= at:
            self.ends.popleft()
        if len(self.ends) >= self.limit:
            return self.ends[0] - at
        self.ends.append(at + self.seconds / 2)
        return None
