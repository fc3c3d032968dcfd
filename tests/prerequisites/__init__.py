"""Tests of `utils.prerequisites`."""
