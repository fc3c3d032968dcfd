"""Tests of `utils.annotations`."""
