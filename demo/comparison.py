"""Compares a result folder with the demo's photos."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .photos import Behaviour, Photo

UNDECIDED = frozenset({"skipped", "not_attempted"})


@dataclass(frozen=True)
class Comparison:
    """Numbers of images of one category folder; `decided` counts URLs.

    Attributes
    ----------
    decided
        URLs that were saved or failed. The other rows of the report were not needed, or not attempted.
    alive
        Decided URLs that deliver a picture which matches the request.
    boxed
        Saved images with an XML file.
    junk
        Saved files that differ from the picture of their URL, or whose URL is dead.
    missed
        Pictures of alive URLs that were not saved.
    """

    folder: Path
    decided: int
    alive: int
    saved: int
    boxed: int
    junk: int
    missed: int

    @property
    def is_right(self) -> bool:
        """Whether images were saved, none of them wrong, and none is missing."""
        return self.saved > 0 and not self.junk and not self.missed


def compare(result: Path, photos: tuple[Photo, ...]) -> list[Comparison]:
    """Compare every category of a result folder that has a report."""
    by_code = {photo.code: photo for photo in photos}
    return [_compare(report, by_code) for report in sorted(result.glob("*/*_download_report.csv"))]


def rows(report: Path) -> Iterator[dict[str, str]]:
    """Read the rows of a report."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _compare(report: Path, photos: Mapping[str, Photo]) -> Comparison:
    decided = [row for row in rows(report) if row["status"] not in UNDECIDED]
    wanted = {row["image_code"] for row in decided if _is_wanted(row, photos)}
    images = {image.stem: image.read_bytes() for image in (report.parent / "Images").iterdir()}
    return Comparison(
        folder=report.parent,
        decided=len(decided),
        alive=len(wanted),
        saved=len(images),
        boxed=sum(xml.stem in images for xml in (report.parent / "Annotation").glob("*.xml")),
        junk=sum(not _is_right(body, photos.get(code)) for code, body in images.items()),
        missed=len(wanted - images.keys()),
    )


def _is_wanted(row: Mapping[str, str], photos: Mapping[str, Photo]) -> bool:
    photo = photos[row["image_code"]]
    # If boxes were requested, a picture with another aspect ratio is rejected rightly.
    mismatched = photo.behaviour is Behaviour.OTHER_SHAPE and row["reason"] == "annotation_mismatch"
    return photo.behaviour.is_alive and not mismatched


def _is_right(body: bytes, photo: Photo | None) -> bool:
    return photo is not None and photo.behaviour.is_alive and body == photo.served
