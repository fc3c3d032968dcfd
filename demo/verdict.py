"""Compares what a run left on disk with the truth of the demo's world."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .photos import Fate, Photo

STANDS = frozenset({"downloaded", "already_present"})
UNDECIDED = frozenset({"skipped", "not_attempted"})


@dataclass(frozen=True)
class Verdict:
    """How a category's folder stands against the truth; all are numbers of images, `decided` of URLs.

    Attributes
    ----------
    decided
        URLs that were saved or failed. The others of a report were not needed, or not attempted.
    living
        Of the URLs decided, those that bring a picture which fits what was asked for.
    boxed
        Saved images that have their boxes beside them.
    junk
        Saved files that are not, to the byte, what the URL of a living picture brings.
    missed
        Living pictures that were decided and not saved.
    """

    folder: Path
    decided: int
    living: int
    saved: int
    boxed: int
    junk: int
    missed: int

    @property
    def is_right(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return self.saved > 0 and not self.junk and not self.missed


def verdicts(result: Path, photos: tuple[Photo, ...]) -> list[Verdict]:
    """Judge every category that has a report below the result folder."""
    truth = {photo.code: photo for photo in photos}
    return [_verdict(report, truth) for report in sorted(result.glob("*/*_download_report.csv"))]


def rows(report: Path) -> Iterator[dict[str, str]]:
    """Read a report as any program would."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _verdict(report: Path, truth: Mapping[str, Photo]) -> Verdict:
    decided = [row for row in rows(report) if row["status"] not in UNDECIDED]
    wanted = {row["image_code"] for row in decided if _is_wanted(row, truth)}
    images = {image.stem: image.read_bytes() for image in (report.parent / "Images").iterdir()}
    return Verdict(
        folder=report.parent,
        decided=len(decided),
        living=len(wanted),
        saved=len(images),
        boxed=sum(xml.stem in images for xml in (report.parent / "Annotation").glob("*.xml")),
        junk=sum(code not in truth or body != _truly(truth[code]) for code, body in images.items()),
        missed=len(wanted - images.keys()),
    )


def _is_wanted(row: Mapping[str, str], truth: Mapping[str, Photo]) -> bool:
    photo = truth[row["image_code"]]
    # In another shape it fits no boxes, and is refused where boxes were asked for: rightly so.
    mismatched = photo.fate is Fate.OTHER_SHAPE and row["reason"] == "annotation_mismatch"
    return photo.fate.lives and not mismatched


def _truly(photo: Photo) -> bytes:
    return photo.served if photo.fate.lives else b""
