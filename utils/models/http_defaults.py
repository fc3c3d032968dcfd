"""The User-Agent, and the limit of a response."""

from __future__ import annotations

USER_AGENT = "part-of-imagenet/0.1 (fetches images that ImageNet lists; honours X-Robots-Tag: noai)"
MAX_IMAGE_BYTES = 20_000_000
"""Larger images are neither downloaded nor read from an archive."""
