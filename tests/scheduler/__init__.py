"""Tests of `utils.scheduler`."""
