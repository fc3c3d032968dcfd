"""Exports of the result folder in formats of training tools."""
