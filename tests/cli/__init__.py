"""Tests of `utils.cli`."""
