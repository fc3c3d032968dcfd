"""What stops a benchmark; one sentence that says why."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Something without which there is nothing to measure is missing or broken."""
