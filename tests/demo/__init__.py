"""Tests of the demo and its web servers."""
