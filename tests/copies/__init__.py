"""Tests of `utils.copies`."""
