"""Tests of `utils.images`."""
