"""Exports read back by the tools that they are for: `make test-readers` installs these first."""
