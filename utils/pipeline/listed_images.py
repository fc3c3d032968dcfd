"""The images that `--images` lists: whether a picture is the listed one, and how many are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from ..annotations import geometry
from ..errors import wrap_os_errors
from ..export.fingerprints import MAX_DISTANCE
from ..files import read_bytes
from ..models.rows import UrlRow
from ..models.tasks import Outcome
from ..reasons import Reason, Status
from ..results.image_list import ListedImage
from ..results.known_outcomes import list_flag, not_needed
from ..urls import LISTED_CODE

DIFFERENT = "It is another picture than the one in the manifest."
MISSING = "No source has the listed image."
POSITION = 2**46
"""Of the rows of images that no source has, after all others of a report."""


class Match(str, Enum):
    """The result for one listed image."""

    IDENTICAL = "identical"
    SAME_PICTURE = "same_picture"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True)
class ListedImages:
    """The listed images of a run.

    Attributes
    ----------
    of_category
        By the wnid of their category, then by image code.
    unknown
        The image codes whose category is not known; no source is asked for them.
    is_manifest
        Whether pictures are compared with the list.
    digest
        See `ImageList`.
    """

    of_category: Mapping[str, Mapping[str, ListedImage]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    is_manifest: bool = False
    digest: str = ""

    @property
    def has_urls(self) -> bool:
        """Whether the list tells URLs."""
        return any(one.url for images in self.of_category.values() for one in images.values())

    def __bool__(self) -> bool:
        return bool(self.of_category)

    def codes(self, code: str) -> frozenset[str] | None:
        """Return the image codes that a category is limited to; None for no limit."""
        return frozenset(self.of_category[code]) if code in self.of_category else None

    def check(self, code: str, outcome: Outcome, path: Path) -> Outcome:
        """Return the outcome of a valid image of a category, a failure if it is not the listed picture.

        Raises
        ------
        DiskError, FolderError
            If its file, at `path`, cannot be read.
        """
        listed = self.of_category.get(code, {}).get(outcome.row.image_code)
        if listed is None or is_listed(listed, outcome, path):
            return outcome
        failed = outcome.without_image(Status.FAILED, Reason.NOT_AS_LISTED, DIFFERENT)
        return replace(failed, decided_by=list_flag(self.digest), staged="")

    def other_codes(self) -> list[str]:
        """Return the wnids in the codes of listed images that are not those of their categories."""
        codes = {one for images in self.of_category.values() for one in images if LISTED_CODE.fullmatch(one)}
        return sorted({image_code[:9] for image_code in codes} - self.of_category.keys())

    def missing(self, code: str, known: Iterable[Outcome]) -> list[Outcome]:
        """Return changes to the rows without URL, those of listed images that no source has.

        Parameters
        ----------
        known
            The last outcome of every URL of the category.
        """
        outcomes = list(known)
        before = {one.row.image_code: one for one in outcomes if one.row.position >= POSITION}
        found = {one.row.image_code for one in outcomes if one.row.position < POSITION}
        flag = list_flag(self.digest)
        absent = [
            Outcome(
                UrlRow(POSITION + number, image_code, ""),
                Status.FAILED,
                Reason.NOT_AS_LISTED,
                MISSING,
                decided_by=flag,
            )
            for number, image_code in enumerate(sorted(self.of_category.get(code, {}).keys() - found))
            if image_code not in before or before[image_code].decided_by != flag
        ]
        changed = [
            one for one in before.values() if one.row.image_code in found and one.reason is not Reason.FILLED
        ]
        return absent + [not_needed(one) for one in changed]

    def matches(self, code: str, outcomes: Iterable[Outcome]) -> dict[str, Match]:
        """Return the result of each listed image of a category after the run, by image code."""
        listed = self.of_category.get(code, {})
        found = dict.fromkeys(listed, Match.MISSING)
        for outcome in outcomes:
            image = listed.get(outcome.row.image_code)
            if image is None or outcome.picture is None:
                continue
            if outcome.status.is_saved:
                is_same = image.sha256 in ("", outcome.picture.sha256)
                found[image.image_code] = Match.IDENTICAL if is_same else Match.SAME_PICTURE
            elif outcome.reason is Reason.NOT_AS_LISTED and found[image.image_code] is Match.MISSING:
                found[image.image_code] = Match.DIFFERENT
        return found


def is_listed(listed: ListedImage, outcome: Outcome, path: Path) -> bool:
    """Whether an image in a file is the listed one, or another encoding of its picture.

    Raises
    ------
    DiskError, FolderError
        If the file cannot be read.
    """
    picture = outcome.picture
    if picture is None or listed.sha256 in ("", picture.sha256):
        return True
    if listed.phash is None or not geometry.have_same_shape(
        (listed.width, listed.height), (picture.width, picture.height)
    ):
        return False
    phash = _hash(path) if picture.phash is None else picture.phash
    return bool(phash) and (phash ^ listed.phash).bit_count() <= MAX_DISTANCE


def _hash(path: Path) -> int:
    """Compute the perceptual hash of a file; 0 if it has none."""
    from ..export import image_hash  # imported late: it loads NumPy

    with wrap_os_errors(path):
        return image_hash.compute(read_bytes(path)).hash or 0


def count(matches: Iterable[Match]) -> dict[str, int]:
    """Count the results, in the order of `Match`."""
    counts = Counter(matches)
    return {match.value: counts[match] for match in Match}
