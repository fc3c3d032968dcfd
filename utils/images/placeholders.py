"""Pictures that say "there is no picture here any more": known ones, and those that give themselves away.

The known ones are in tables, with their source. The general rule: three or more different URLs answered by
one host with the same bytes, which make up at least a tenth of that host's good answers. (On a host with
millions of photos three equal ones can be re-uploads.)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace

from ..models.enums import Status
from ..models.tasks import Outcome, Response
from ..reasons import Reason, Rejection

FINAL_URLS = (
    # Flickr redirected to it until about 2018, with 200
    re.compile(r"yimg\.com/.*photo_unavailable", re.IGNORECASE),
    re.compile(r"/photo_unavailable[^/]*\.(?:png|gif|jpg)$", re.IGNORECASE),
    re.compile(r"//i?\.?imgur\.com/removed\.png", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """A placeholder by its size in bytes and MD5, and whose it is."""

    size: int
    md5: str
    source: str


KNOWN_PICTURES = {
    known.size: known
    for known in (
        KnownPicture(2051, "880a7a58e05d3e83797f27573bb6d35c", "Flickr, photo unavailable"),
        KnownPicture(503, "d835884373f4d6c8f24742ceabe74946", "imgur, removed.png"),
    )
}
FEWEST_URLS, SMALLEST_SHARE = 3, 0.1
NO_LONGER_THERE = Rejection(Reason.PLACEHOLDER, 'A picture that says "no longer available".')
TAKEN_BACK = "Its host sent the same picture for several other URLs."
TAKEN_BACK_MANY = "removed: placeholder pictures (the same file from several URLs)"


def rejection(body: Response) -> Rejection | None:
    """Refuse a body that is known to be a placeholder."""
    known = KNOWN_PICTURES.get(len(body.data))
    is_known = known and hashlib.md5(body.data, usedforsecurity=False).hexdigest() == known.md5
    return NO_LONGER_THERE if is_known else refusal_of_address(body.final_url)


def refusal_of_address(url: str) -> Rejection | None:
    """Refuse what is known to be the address of a placeholder."""
    return NO_LONGER_THERE if any(pattern.search(url) for pattern in FINAL_URLS) else None


@dataclass(frozen=True, slots=True)
class ContentKey:
    """The same bytes from the same host."""

    host: str
    sha256: str


class DuplicateTracker:
    """Remembers which bytes which host sent, and finds the placeholders among them."""

    def __init__(self) -> None:
        self._urls: dict[ContentKey, set[int]] = {}
        self._once: dict[int, int] = {}
        self._good: Counter[str] = Counter()

    def note(self, outcome: Outcome) -> None:
        """Take an image that stands into account."""
        if outcome.picture is None or not outcome.answered_by:
            return
        sighting = ContentKey(outcome.answered_by, outcome.picture.sha256)
        self._good[sighting.host] += 1
        url = hash(outcome.row.url)
        if sighting in self._urls:
            self._urls[sighting].add(url)
        # Nearly all images are seen once: hashes keep them small in memory.
        elif (first := self._once.setdefault(hash(sighting), url)) != url:
            self._urls[sighting] = {first, url}

    def placeholders(self) -> set[ContentKey]:
        """Say which bytes are placeholders, as far as is known now."""
        return {
            sighting
            for sighting, urls in self._urls.items()
            if len(urls) >= FEWEST_URLS and len(urls) >= SMALLEST_SHARE * self._good[sighting.host]
        }

    def forget(self, found: set[ContentKey]) -> None:
        """Leave out of account what has been taken back."""
        for sighting in found:
            self._good[sighting.host] -= len(self._urls.pop(sighting))


def sighting(outcome: Outcome) -> ContentKey:
    """Say which bytes of which host an image has."""
    return ContentKey(outcome.answered_by, outcome.picture.sha256 if outcome.picture else "")


def is_sighting(outcome: Outcome, found: set[ContentKey]) -> bool:
    """Whether an image that stands is one of the placeholders found."""
    if not outcome.status.is_saved or outcome.picture is None:
        return False
    return sighting(outcome) in found


def taken_back(outcome: Outcome) -> Outcome:
    """Make of an image that stood one that was found to be a placeholder."""
    return replace(
        outcome, status=Status.FAILED, reason=Reason.PLACEHOLDER, description=TAKEN_BACK, file="", boxes=None
    )
