"""Measurements and a comparison with other downloaders, on a local web server. Linux only."""
