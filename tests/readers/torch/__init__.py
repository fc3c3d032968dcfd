"""Exports read by tools that need PyTorch, in a virtual environment of their own."""
