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


_WIKIMEDIA = r"(https?://upload\.wikimedia\.org/\w+/[\w-]+)"
_OTHER_WIDTH = r"(?!(?:20|40|60|120|250|330|500|960|1280|1920|3840)px)\d+"
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
    # Flickr until 2006, the server's number in the host: photos12.flickr.com/18756827_7d8d8432df.jpg
    UrlRewrite(
        re.compile(
            r"https?://photos(\d+)\.flickr\.com(?::80)?/(\d+_[0-9a-f]+(?:_\w)?\.(?:jpg|png|gif))",
            re.IGNORECASE,
        ),
        r"https://live.staticflickr.com/\1/\2",
        checked=2025,
    ),
    # Wikimedia makes thumbnails of these widths only; the original is one folder up, without "thumb".
    UrlRewrite(
        re.compile(
            rf"{_WIKIMEDIA}/thumb(/(?:archive/)?\w/\w\w/[^/?]+\.(?:jpe?g|png|gif|webp|tiff?))/{_OTHER_WIDTH}px-[^/?]+",
            re.IGNORECASE,
        ),
        r"\1\2",
        checked=2026,
    ),
    # The original of other thumbnails, of drawings for example, is no image in one of our formats.
    UrlRewrite(
        re.compile(
            rf"({_WIKIMEDIA}/thumb/(?:archive/)?\w/\w\w/[^/?]+\.svg)/{_OTHER_WIDTH}(px-[^/?]+)", re.IGNORECASE
        ),
        r"\1/500\3",
        checked=2026,
    ),
)


def targets(url: str) -> list[RequestTarget]:
    """Return the addresses of an image in the order to try them; the last one is the URL itself."""
    rewritten = [one.pattern.sub(one.replacement, url) for one in REWRITES if one.pattern.fullmatch(url)]
    return [RequestTarget(request_url(address), host_of(address)) for address in [*rewritten, url]]
