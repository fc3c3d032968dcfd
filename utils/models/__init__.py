"""Data that travels between modules."""
