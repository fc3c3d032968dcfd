"""Tests of the gallery page and the dataset card."""
