"""The error that stops a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A program or resource that the benchmark needs is missing or fails."""
