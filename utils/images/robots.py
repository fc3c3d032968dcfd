"""What a server asks of those who collect images: the X-Robots-Tag header.

Its values are directives separated by commas, each perhaps behind the name of the bot that it is for
(https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag).
"""

from __future__ import annotations

from collections.abc import Iterable

OUR_NAMES = frozenset({"*", "part-of-imagenet"})
REFUSING = frozenset({"noai", "noimageai", "noindex", "noimageindex"})
WITH_VALUES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives that themselves hold a colon, which names no bot."""


def asked_for(values: Iterable[str]) -> bool:
    """Whether any of the header's values tells us, among all or by name, not to use the image."""
    return any(_refuses(value) for value in values)


def _refuses(value: str) -> bool:
    bot = "*"  # a bot's name holds for all directives after it, up to the next name
    for part in value.lower().split(","):
        name, colon, rest = part.partition(":")
        directive = part.strip()
        if colon and name.strip() not in WITH_VALUES and " " not in name.strip():  # else it is half a date
            bot, directive = name.strip(), rest.strip()
        if bot in OUR_NAMES and directive in REFUSING:
            return True
    return False
