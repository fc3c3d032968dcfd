"""Tests of `utils.catalog`."""
