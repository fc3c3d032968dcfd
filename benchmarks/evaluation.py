"""Compares saved images with the pictures that the server sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .downloaders import SavedImage
from .pictures import picture_file
from .scenarios import Link, Scenario


@dataclass(frozen=True)
class Evaluation:
    """Numbers of images after a run.

    Attributes
    ----------
    images
        Saved files that are the complete picture of their URL.
    junk
        Other files that were saved as images.
    lost
        Pictures of alive URLs that were not saved.
    """

    images: int
    junk: int
    lost: int


def evaluate(
    scenario: Scenario, saved: Iterable[SavedImage], pictures: Path, *, re_encoded: bool
) -> Evaluation:
    """Compare files with the pictures of their URLs.

    Parameters
    ----------
    pictures
        The folder of the pictures.
    re_encoded
        Whether the downloader changes the bytes; then an image is right if its URL delivers a complete
        picture.
    """
    links = {link.number: link for link in scenario.links}
    right: set[int] = set()
    junk = 0
    for image in saved:
        link = links.get(image.number)
        is_duplicate = image.number in right
        if link and not is_duplicate and _is_right(link, image.file, pictures, re_encoded=re_encoded):
            right.add(image.number)
        else:
            junk += 1
    lost = sum(link.behaviour.is_alive and link.number not in right for link in scenario.links)
    return Evaluation(len(right), junk, lost)


def _is_right(link: Link, file: Path, pictures: Path, *, re_encoded: bool) -> bool:
    if re_encoded:
        return link.behaviour.is_complete
    return file.read_bytes() == picture_file(pictures, link.picture).read_bytes()
