"""The demo's photos, and what the server of each URL does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .pictures import Drawing, Kind


class Behaviour(Enum):
    """The response to a URL."""

    ALIVE = "the picture"
    OTHER_SCALE = "the picture at another scale"
    OTHER_SHAPE = "the picture with another aspect ratio"
    BUSY = "429 with Retry-After, then the picture"
    UNAVAILABLE = "503, then the picture"
    NOT_FOUND = "404"
    GONE = "410"
    PLACEHOLDER = "a redirect to a placeholder picture"
    PAGE = "a web page with status 200"
    PARKED = "the same picture for all URLs of the host"
    CUT = "a truncated body"
    RESET = "a reset connection"
    HANG = "no response"
    REFUSED = "a refused connection"
    NO_NAME = "a host name that does not resolve"

    @property
    def is_alive(self) -> bool:
        """Whether the URL delivers its picture."""
        return self in (
            Behaviour.ALIVE,
            Behaviour.OTHER_SCALE,
            Behaviour.OTHER_SHAPE,
            Behaviour.BUSY,
            Behaviour.UNAVAILABLE,
        )


@dataclass(frozen=True)
class Photo:
    """One row of the URL list with its picture.

    Attributes
    ----------
    code
        Image code, `<wnid>_<number>`.
    drawing
        The picture on which the boxes were drawn.
    served
        The bytes that the URL delivers if it is alive.
    annotated
        Whether the annotation archives contain its boxes.
    """

    code: str
    kind: Kind
    behaviour: Behaviour
    url: str
    drawing: Drawing
    served: bytes
    annotated: bool
