"""Tests of `utils.cluster`."""
