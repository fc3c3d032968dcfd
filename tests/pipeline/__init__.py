"""Tests of `utils.pipeline`."""
