"""New addresses of images whose hosts have moved: one table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..models.tasks import RequestTarget
from ..urls import host_of, request_url


@dataclass(frozen=True)
class UrlRewrite:
    """A host whose images have moved.

    Attributes
    ----------
    pattern
        Matches the whole of an old URL.
    replacement
        The new URL, with the groups of the pattern.
    checked
        The year in which the new URLs were last known to work.
    """

    pattern: re.Pattern[str]
    replacement: str
    checked: int


REWRITES = (
    # Flickr: farm3.static.flickr.com/2348/2392903754_04ec8ab8b3.jpg and the like
    UrlRewrite(
        re.compile(
            r"https?://(?:farm\d+\.)?static\.?flickr\.com(?::80)?/(\d+/\d+_[0-9a-f]+(?:_\w)?\.(?:jpg|png|gif))",
            re.IGNORECASE,
        ),
        r"https://live.staticflickr.com/\1",
        checked=2025,
    ),
)


def targets(url: str) -> list[RequestTarget]:
    """Return the addresses of an image in the order to try them; the last one is the URL itself."""
    rewritten = [one.pattern.sub(one.replacement, url) for one in REWRITES if one.pattern.fullmatch(url)]
    return [RequestTarget(request_url(address), host_of(address)) for address in [*rewritten, url]]
