"""Dataclasses that are passed between modules."""
