"""Exports read by datumaro, in a virtual environment of its own."""
