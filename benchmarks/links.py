"""The nouns of the benchmarks' web: an URL, and what becomes of who asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What an URL brings; the values stand in the URLs, and both webs act on them."""

    ALIVE = "alive"
    BUSY = "busy"  # 429 with Retry-After: 1, then the picture
    RECOVERING = "recovering"  # its host answers 503 for a moment, then well
    DRIP = "drip"  # the picture, within 40 s
    CUT = "cut"  # half of the picture, under the length of the whole
    MISSING = "missing"  # 404
    GONE = "gone"  # 410
    PAGE = "page"  # a page for people, under 200
    PLACEHOLDER = "placeholder"  # a redirect to a picture that says that the photo is unavailable
    PARKED = "parked"  # one picture for all URLs of the host
    UNNAMED = "unnamed"  # a host without a name
    BLACKHOLE = "blackhole"  # a host that answers nothing, not even the handshake
    REFUSED = "refused"  # a port where nobody listens

    @property
    def lives(self) -> bool:
        """Whether the picture can be had within the deadline, by who is patient and polite."""
        return self in (Fate.ALIVE, Fate.BUSY, Fate.RECOVERING)

    @property
    def is_whole(self) -> bool:
        """Whether the picture comes whole, sooner or later; a drip is too late for any deadline."""
        return self.lives or self is Fate.DRIP


@dataclass(frozen=True)
class Link:
    """One URL.

    Attributes
    ----------
    number
        Of the link within its scenario; it names the saved image.
    host
        An address of 127.0.0.0/8, or a name that nobody has.
    latency
        Milliseconds before anything is answered.
    picture
        Number of the picture behind it.
    """

    number: int
    fate: Fate
    host: str
    latency: int
    picture: int

    def path(self, run: str) -> str:
        """Spell the path; every run has its own URLs, so that "the first request" means the run's."""
        return f"/{run}/{self.fate.value}/{self.latency}/{self.picture}/{self.number}.jpg"
