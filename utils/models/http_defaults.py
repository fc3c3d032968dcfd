"""The User-Agent, and the limit of a response."""

from __future__ import annotations

HOME_PAGE = "https://part-of-imagenet.example/"
"""Where operators of hosts find out who sends the requests: the address at which the project is published, as
in `pyproject.toml`."""
USER_AGENT = f"part-of-imagenet/0.1 (+{HOME_PAGE}; honours X-Robots-Tag: noai)"
"""Some hosts refuse robots whose User-Agent has neither a URL nor an e-mail address."""
MAX_IMAGE_BYTES = 20_000_000
"""Larger images are neither downloaded nor read from an archive."""
