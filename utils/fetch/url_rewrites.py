"""Where an image lies today, if its old address is known to have moved.

One table; each row says what moved where, and when that was last seen to hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..models.tasks import RequestTarget
from ..urls import host_of, request_url


@dataclass(frozen=True)
class Move:
    """A host's images that moved.

    Attributes
    ----------
    old
        Matches the whole of a moved URL.
    new
        The address today, with the groups of `old`.
    seen
        The year in which it was last reported to work.
    """

    old: re.Pattern[str]
    new: str
    seen: int


MOVES = (
    # Flickr: farm3.static.flickr.com/2348/2392903754_04ec8ab8b3.jpg and the like
    Move(
        re.compile(
            r"https?://(?:farm\d+\.)?static\.?flickr\.com(?::80)?/(\d+/\d+_[0-9a-f]+(?:_\w)?\.(?:jpg|png|gif))",
            re.IGNORECASE,
        ),
        r"https://live.staticflickr.com/\1",
        seen=2025,
    ),
)


def routes(url: str) -> list[RequestTarget]:
    """Give the ways to an image, the best first; at least one, and the URL itself last."""
    addresses = [move.old.sub(move.new, url) for move in MOVES if move.old.fullmatch(url)]
    return [RequestTarget(request_url(address), host_of(address)) for address in [*addresses, url]]
