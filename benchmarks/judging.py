"""Images against the truth, which only the web knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .contestants import Saved
from .links import Link
from .pictures import picture_file
from .scenarios import Scenario


@dataclass(frozen=True)
class Verdict:
    """What became of a scenario's URLs.

    Attributes
    ----------
    images
        Files that are the picture behind their URL, whole.
    junk
        All other files that were saved as images.
    lost
        Pictures that could be had, and were not saved.
    """

    images: int
    junk: int
    lost: int


def judge(scenario: Scenario, saved: Iterable[Saved], pictures: Path, *, re_encoded: bool) -> Verdict:
    """Compare files with the pictures behind their URLs; re-encoded ones are right if theirs came whole."""
    links = {link.number: link for link in scenario.links}
    right: set[int] = set()
    junk = 0
    for one in saved:
        link = links.get(one.number)
        if link and one.number not in right and _is_right(link, one.file, pictures, re_encoded=re_encoded):
            right.add(one.number)
        else:
            junk += 1
    lost = sum(link.fate.lives and link.number not in right for link in scenario.links)
    return Verdict(len(right), junk, lost)


def _is_right(link: Link, file: Path, pictures: Path, *, re_encoded: bool) -> bool:
    if re_encoded:
        return link.fate.is_whole
    return file.read_bytes() == picture_file(pictures, link.picture).read_bytes()
