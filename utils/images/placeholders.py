"""Detects placeholders: pictures that a host sends in place of a removed image.

Known placeholders are listed here. Others are detected by repetition: three or more different URLs for which
one host returns the same bytes, if these are at least a tenth of the images from that host. (On a host with
millions of photos, three equal ones can be repeated uploads.)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from ..models.tasks import Outcome, Response
from ..reasons import Reason, Rejection, Status

FINAL_URLS = (
    # Flickr redirected to these with status 200 until about 2018.
    re.compile(r"yimg\.com/.*photo_unavailable", re.IGNORECASE),
    re.compile(r"/photo_unavailable[^/]*\.(?:png|gif|jpg)$", re.IGNORECASE),
    re.compile(r"//i?\.?imgur\.com/removed\.png", re.IGNORECASE),
)
KNOWN_MD5 = {
    2051: "880a7a58e05d3e83797f27573bb6d35c",  # Flickr, "photo unavailable"
    503: "d835884373f4d6c8f24742ceabe74946",  # imgur, removed.png
}
"""MD5 of known placeholders by their size in bytes."""

MIN_URLS, MIN_SHARE = 3, 0.1
KNOWN_PLACEHOLDER = Rejection(Reason.PLACEHOLDER, 'A picture that says "no longer available".')
RETRACTED_DESCRIPTION = "Its host sent the same picture for several other URLs."
RETRACTED_MESSAGE = "removed: placeholder pictures (the same file from several URLs)"
"""Printed after the number of retracted images."""


def reject_response(response: Response) -> Rejection | None:
    """Reject the response if it is a known placeholder."""
    md5 = KNOWN_MD5.get(len(response.data))
    if md5 and hashlib.md5(response.data, usedforsecurity=False).hexdigest() == md5:
        return KNOWN_PLACEHOLDER
    return reject_url(response.final_url)


def reject_url(url: str) -> Rejection | None:
    """Reject the URL if it is a known address of placeholders."""
    return KNOWN_PLACEHOLDER if any(pattern.search(url) for pattern in FINAL_URLS) else None


@dataclass(frozen=True, slots=True)
class ContentKey:
    """Identifies the same bytes from the same host."""

    host: str
    sha256: str


class DuplicateTracker:
    """Counts the URLs for which each host sent the same bytes."""

    def __init__(self) -> None:
        self._urls: dict[ContentKey, set[int]] = {}
        self._first_url: dict[int, int] = {}
        self._images: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count a saved image; other outcomes, and images from an unknown host, are ignored."""
        if outcome.picture is None or not outcome.final_host:
            return
        key = ContentKey(outcome.final_host, outcome.picture.sha256)
        self._images[key.host] += 1
        url = hash(outcome.row.url)
        if key in self._urls:
            self._urls[key].add(url)
        # Most images occur once: for these, two hashes are kept in place of a key and a set.
        elif (first := self._first_url.setdefault(hash(key), url)) != url:
            self._urls[key] = {first, url}

    def placeholders(self) -> set[ContentKey]:
        """Return the keys of all placeholders detected so far."""
        return {
            key
            for key, urls in self._urls.items()
            if len(urls) >= MIN_URLS and len(urls) >= MIN_SHARE * self._images[key.host]
        }

    def discard(self, keys: set[ContentKey]) -> None:
        """Remove images that have been retracted from the counts."""
        for key in keys:
            self._images[key.host] -= len(self._urls.pop(key))


def content_key(outcome: Outcome) -> ContentKey:
    """Return the key of an image."""
    return ContentKey(outcome.final_host, outcome.picture.sha256 if outcome.picture else "")


def is_placeholder(outcome: Outcome, keys: set[ContentKey]) -> bool:
    """Whether the outcome is a saved image with one of these keys."""
    return outcome.status.is_saved and outcome.picture is not None and content_key(outcome) in keys


def retracted(outcome: Outcome) -> Outcome:
    """Turn the outcome of a saved image into that of a placeholder."""
    return outcome.without_image(Status.FAILED, Reason.PLACEHOLDER, RETRACTED_DESCRIPTION)
