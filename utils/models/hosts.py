"""What is known of a host beyond one run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LearnedLimit:
    """What a host allowed when it refused requests.

    Attributes
    ----------
    pace
        Requests per second; None if it limits only concurrency.
    concurrency
        Concurrent requests.
    """

    pace: float | None
    concurrency: int
