"""Validation of downloaded bytes: formats, structure, placeholders, opt-out."""
