"""The nouns of the demo's world: a photograph that ImageNet collected, and what became of its URL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .pictures import Drawing, Kind


class Fate(Enum):
    """What an URL brings today."""

    ALIVE = "the picture"
    OTHER_SCALE = "the picture at another scale"
    OTHER_SHAPE = "the picture in another shape"
    BUSY = "429 with Retry-After, then the picture"
    UNAVAILABLE = "503, then the picture"
    NOT_FOUND = "404"
    GONE = "410"
    PLACEHOLDER = "a redirect to a picture that says that the photo is unavailable"
    PAGE = "a page in place of the picture"
    PARKED = "a host that has one picture for all"
    CUT = "a body cut short"
    RESET = "a connection reset"
    HANG = "silence"
    REFUSED = "a port where nobody listens"
    NO_NAME = "a host without a name"

    @property
    def lives(self) -> bool:
        """Whether the picture can still be had."""
        return self in (Fate.ALIVE, Fate.OTHER_SCALE, Fate.OTHER_SHAPE, Fate.BUSY, Fate.UNAVAILABLE)


@dataclass(frozen=True)
class Photo:
    """One row of the URL list, and what is behind it.

    Attributes
    ----------
    code
        ImageNet's name of the image, `<wnid>_<number>`.
    drawing
        The picture as ImageNet saw it.
    served
        The picture as its URL brings it, if it lives.
    annotated
        Whether ImageNet has boxes for it.
    """

    code: str
    kind: Kind
    fate: Fate
    url: str
    drawing: Drawing
    served: bytes
    annotated: bool
