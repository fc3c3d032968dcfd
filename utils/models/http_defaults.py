"""Who asks, as servers are told, and how much is taken from them at most."""

from __future__ import annotations

USER_AGENT = "part-of-imagenet/0.1 (fetches images that ImageNet lists; honours X-Robots-Tag: noai)"
"""Spelled as servers are told."""
MAX_IMAGE_BYTES = 20_000_000
"""Larger images are neither downloaded nor read from an archive."""
