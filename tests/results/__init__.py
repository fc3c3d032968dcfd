"""Tests of `utils.results`."""
