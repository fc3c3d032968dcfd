"""Tests that README.md and docs/ agree with the code."""
