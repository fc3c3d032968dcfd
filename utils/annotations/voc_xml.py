"""Keeps ImageNet's annotations: XML -> Annotation -> XML, one image or a whole category's archive.

This module alone knows the layout of the XML (Pascal VOC's, but 0-based); `voc_archive` knows where the
files come from, `boxes` how to fit them to a picture. Odd boxes are kept as they were drawn, what is broken
is left out and counted; nothing in an archive stops a run. An XML that declares a document type is not even
parsed: entities are born nowhere else.
"""

from __future__ import annotations

import functools
import html
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ..models.images import Annotation, Box, Picture
from ..tar_reader import READ_ERRORS
from .archives import XmlMember, find, members

MAX_BOXES = 1_000
"""Of one image; the most that a real one has is 31."""

_IMPOSSIBLE_SIDE = 65_535
"""A few real files say this: -1 in sixteen bits."""

_MAX_COORDINATE = 10_000_000
# What no XML can hold, or would not come back from one as it was written.
_NOT_FOR_XML = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Texts that are written as they are, and numbers that need no rounding.
_WORDS, _DIGITS = "[!-%'-;=?-~](?:[ -%'-;=?-~]*[!-%'-;=?-~])?", r"\d{1,5}"

_LAYOUT = """\
<annotation>
	<folder>{folder}</folder>
	<filename>{filename}</filename>
	<source>
		<database>ImageNet database</database>
	</source>
	<size>
		<width>{width}</width>
		<height>{height}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
{objects}</annotation>"""

_OBJECT_LAYOUT = """\
	<object>
		<name>{label}</name>
		<pose>{pose}</pose>
		<truncated>{box.truncated}</truncated>
		<difficult>{box.difficult}</difficult>
		<bndbox>
			<xmin>{box.xmin}</xmin>
			<ymin>{box.ymin}</ymin>
			<xmax>{box.xmax}</xmax>
			<ymax>{box.ymax}</ymax>
		</bndbox>
	</object>
"""


def _pattern(layout: str, number: str, text: str, objects: str = "") -> str:
    """Make a pattern of a layout: its places hold whole numbers, but for those of texts and objects."""
    kinds = dict.fromkeys(("label", "pose", "folder", "filename"), text) | {"objects": objects}
    fixed, places = re.split(r"{[\w.]+}", layout), re.findall(r"{([\w.]+)}", layout)
    return "".join(
        re.escape(before) + (kinds.get(place, number) if place else "")
        for before, place in zip(fixed, [*places, ""], strict=True)
    )


@functools.cache
def _our_object() -> re.Pattern[str]:
    return re.compile(_pattern(_OBJECT_LAYOUT, f"({_DIGITS})", f"({_WORDS})"))


@functools.cache
def _our_xml() -> re.Pattern[str]:
    objects = f"((?:{_pattern(_OBJECT_LAYOUT, _DIGITS, _WORDS)})+)"
    return re.compile(_pattern(_LAYOUT, f"({_DIGITS})", _WORDS, objects))


@dataclass(frozen=True)
class ArchiveContent:
    """What a category's archive holds.

    Attributes
    ----------
    annotations
        By image code; labels are wnids, sizes and boxes as the archive has them.
    problem
        One sentence if anything was amiss, else empty.
    not_understood
        XML files that no annotation could be made of.
    dropped
        Boxes left out because they have no name or no numbers.
    """

    annotations: dict[str, Annotation]
    problem: str = ""
    not_understood: int = 0
    dropped: int = 0


def read(folder: Path, code: str) -> ArchiveContent:
    """Read all annotations of a category from `<code>.tar.gz`, `<code>.tar` or the folder `<code>`.

    Whatever is wrong with them, what could be read is returned, and `problem` says the rest.
    """
    path = find(folder, code)
    if path is None:
        return ArchiveContent({}, f"no bounding boxes, for {folder} has no archive of {code}.")
    tally = _Tally()
    damage = ""
    try:
        for member in members(path):
            tally.take(member)
    except READ_ERRORS as error:
        damage = str(error) or type(error).__name__
    return tally.content(path, damage)


def read_back(data: bytes, image_code: str) -> Annotation | None:
    """Read one XML; None if it is not an annotation with at least one box."""
    return _parse(data, image_code).annotation


def to_xml(annotation: Annotation, *, folder: str, filename: str, picture: Picture) -> bytes:
    """Write an annotation as ImageNet does, in ASCII: what is beyond becomes a character reference.

    Parameters
    ----------
    annotation
        Fitted to the picture, with the labels that shall stand there.
    folder, filename
        Where the picture lies; the file's name with its extension.
    picture
        Its size is written.
    """
    objects = [
        _OBJECT_LAYOUT.format(label=_clean(box.label), pose=_clean(box.pose), box=box)
        for box in annotation.boxes
    ]
    return _LAYOUT.format(
        folder=_clean(folder),
        filename=_clean(filename),
        width=picture.width,
        height=picture.height,
        objects="".join(objects),
    ).encode("ascii", "xmlcharrefreplace")


def _clean(text: str) -> str:
    return html.escape(_plain(text), quote=False)


def _plain(text: str) -> str:
    return _NOT_FOR_XML.sub("", text).strip()


class _Tally:
    """Collects what an archive's members hold."""

    def __init__(self) -> None:
        self._annotations: dict[str, Annotation] = {}
        self._not_understood = 0
        self._dropped = 0

    def take(self, member: XmlMember) -> None:
        if member.image_code in self._annotations:
            return
        parsed = _parse(member.data, member.image_code)
        self._dropped += parsed.dropped
        if parsed.annotation is None:
            self._not_understood += 1
        else:
            self._annotations[member.image_code] = parsed.annotation

    def content(self, path: Path, damage: str) -> ArchiveContent:
        return ArchiveContent(
            annotations=self._annotations,
            problem=self._problem(path, damage),
            not_understood=self._not_understood,
            dropped=self._dropped,
        )

    def _problem(self, path: Path, damage: str) -> str:
        found = f"{len(self._annotations):,} annotations"
        if not self._annotations and not damage and not self._not_understood:
            return f"{path} holds no annotations."
        complaints = {
            f"it cannot be read beyond {found} ({damage})": damage,
            f"{self._not_understood:,} XML files in it were not understood": self._not_understood,
            f"{self._dropped:,} boxes in it have no name or no numbers": self._dropped,
        }
        said = [words for words, amiss in complaints.items() if amiss]
        return f"{path}: {', '.join(said)}." if said else ""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What one XML says."""

    annotation: Annotation | None
    dropped: int = 0


def _of_ours(data: bytes, image_code: str) -> Annotation | None:
    """Read an XML as ImageNet and `to_xml` write it, in a fourth of the time; None if it is another."""
    found = _our_xml().fullmatch(data.decode("latin-1"))  # letters beyond ASCII do not match
    if found is None:
        return None
    boxes = [
        Box(sys.intern(label), int(x), int(y), int(right), int(below), sys.intern(pose), int(cut), int(hard))
        for label, pose, cut, hard, x, y, right, below in _our_object().findall(found[3])[:MAX_BOXES]
    ]
    return Annotation(image_code, *_possible(int(found[1]), int(found[2])), tuple(boxes))


def _parse(data: bytes, image_code: str) -> _Parsed:
    usual = _of_ours(data, image_code)
    return _Parsed(usual) if usual else _parse_any(data, image_code)


def _parse_any(data: bytes, image_code: str) -> _Parsed:
    # A zero byte is how UTF-16 would hide the letters of a DOCTYPE; UTF-8 has none.
    if b"<!DOCTYPE" in data or b"\0" in data:
        return _Parsed(None)
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two: an encoding nobody knows
        return _Parsed(None)
    drawn = [_box(element) for element in root.findall("object")[:MAX_BOXES]]
    boxes = tuple([box for box in drawn if box])  # as drawn, even if reversed: `fit` mends them, and counts
    return _Parsed(
        Annotation(image_code, *_size(root.find("size")), boxes) if boxes else None,
        dropped=len(drawn) - len(boxes),
    )


def _size(element: ElementTree.Element | None) -> tuple[int, int]:
    """Return width and height, both 0 if either is none that a picture can have."""
    texts = _texts(element)
    return _possible(_number(texts.get("width")) or 0, _number(texts.get("height")) or 0)


def _possible(width: int, height: int) -> tuple[int, int]:
    is_possible = min(width, height) > 0 and max(width, height) < _IMPOSSIBLE_SIDE
    return (width, height) if is_possible else (0, 0)


def _box(element: ElementTree.Element) -> Box | None:
    texts, corners = _texts(element), _texts(element.find("bndbox"))
    label = _plain(texts.get("name", ""))
    xmin, ymin = _number(corners.get("xmin")), _number(corners.get("ymin"))
    xmax, ymax = _number(corners.get("xmax")), _number(corners.get("ymax"))
    if not label or xmin is None or ymin is None or xmax is None or ymax is None:
        return None
    return Box(
        label=sys.intern(label),
        xmin=xmin,
        ymin=ymin,
        xmax=xmax,
        ymax=ymax,
        pose=sys.intern(_plain(texts.get("pose", "")) or "Unspecified"),
        truncated=_number(texts.get("truncated")) or 0,
        difficult=_number(texts.get("difficult")) or 0,
    )


def _texts(element: ElementTree.Element | None) -> dict[str, str]:
    return {child.tag: child.text or "" for child in element} if element is not None else {}


def _number(text: str | None) -> int | None:
    """Round a number to a whole one; None if it is none, or beyond any picture."""
    try:
        number = round(float(text or ""))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= _MAX_COORDINATE else None
