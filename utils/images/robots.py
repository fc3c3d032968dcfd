"""The `X-Robots-Tag` response header, by which a server opts out of the use of its images.

Each value holds directives separated by commas, optionally after the name of the bot to which they apply
(https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag).
"""

from __future__ import annotations

from collections.abc import Iterable

OUR_NAMES = frozenset({"*", "part-of-imagenet"})
REFUSING = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
"""`none` means noindex and nofollow."""
WITH_VALUES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives with a colon of their own, which are not names of bots."""


def is_opted_out(values: Iterable[str]) -> bool:
    """Whether any value of the header opts out, for all bots or for this one."""
    for value in values:
        bot = "*"  # a name applies to all directives up to the next name
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            name, directive = name.strip(), part.strip()
            if colon and name not in WITH_VALUES and " " not in name:  # with a space: part of a date
                bot, directive = name, rest.strip()
            if bot in OUR_NAMES and directive in REFUSING:
                return True
    return False
