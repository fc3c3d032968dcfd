"""Exports for training tools: split, conversion, one module for each format."""
