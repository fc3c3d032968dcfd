"""Tests of `utils.sources`."""
