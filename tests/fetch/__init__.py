"""Tests of `utils.fetch`."""
