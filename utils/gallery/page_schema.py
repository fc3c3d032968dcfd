"""An image as the page's script is given it, and the form that it must hold to."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from ..models.images import Picture

LARGEST = 2**31 - 1
"""Of all numbers but checksums; what counts them has 32 bits."""
CHECKSUM_BYTES = 6
"""So few that it costs the page little, and JavaScript takes it for a whole number; enough for some million
pictures."""
_FILE = re.compile(r"(?:[\w.~-]|%[0-9A-F]{2})+", re.ASCII)


class Shown(NamedTuple):
    """An image as the page's script is given it.

    Attributes
    ----------
    file
        Its name, as a URL wants it.
    width, height, bytes
        Its size.
    url
        Where it came from.
    boxes
        For each box the number of its label, xmin, ymin, xmax and ymax: 0-based and inclusive.
    checksum
        The same for images of the same bytes.
    """

    file: str
    width: int
    height: int
    bytes: int
    url: str
    boxes: list[int]
    checksum: int


def checksum(picture: Picture) -> int:
    """Shorten a picture's checksum."""
    text = picture.sha256.encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=CHECKSUM_BYTES).digest(), "big")


def is_possible(picture: Picture) -> bool:
    """Whether a picture can have this size; a journal that was damaged may say anything."""
    return all(0 < number <= LARGEST for number in (picture.width, picture.height, picture.bytes))


def checked(image: Shown, labels: int) -> Shown:
    """Give an image back that is as we write them; somebody may have changed the page.

    Parameters
    ----------
    labels
        How many there are.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not (_has_types(image) and _FILE.fullmatch(image.file) and _has_ranges(image, labels)):
        raise ValueError(str(image.file)[:100])
    return image


def _has_types(image: Shown) -> bool:
    numbers = (image.width, image.height, image.bytes, image.checksum)
    return (
        type(image.file) is type(image.url) is str
        and type(image.boxes) is list
        and {*map(type, numbers), *map(type, image.boxes)} == {int}  # True is none
    )


def _has_ranges(image: Shown, labels: int) -> bool:
    labels_used, sides = image.boxes[::5] or [0], (image.width, image.height)
    return (
        min(sides) > 0
        and max(*sides, image.bytes, *image.boxes) <= LARGEST
        and min(image.bytes, image.checksum, *labels_used) >= 0
        and image.checksum < 1 << (8 * CHECKSUM_BYTES)
        and len(image.boxes) % 5 == 0
        and min(image.boxes, default=0) >= -LARGEST
        and (not image.boxes or max(labels_used) < labels)
    )
