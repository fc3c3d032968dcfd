"""Tests of `utils.models`."""
