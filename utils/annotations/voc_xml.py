"""Reads and writes annotations as XML in the layout of ImageNet: Pascal VOC, but with 0-based coordinates.

Invalid files and boxes are left out and counted; boxes outside of the image are kept for `geometry.fit`.
Files with a document type declaration are rejected before parsing, because only these can define entities.
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
from ..text import pluralize
from .archives import find_archive, iter_xml_files

MAX_BOXES = 1_000
"""Boxes of one image; real annotations have up to 31."""

_INVALID_SIDE = 65_535
"""Some real files state this size: -1 in sixteen bits."""

_MAX_COORDINATE = 10_000_000
# Characters that XML cannot contain, or that parsers normalize.
_NOT_IN_XML = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Texts that need no escaping or stripping, and numbers that need no rounding.
_PLAIN_TEXT, _PLAIN_NUMBER = "[!-%'-;=?-~](?:[ -%'-;=?-~]*[!-%'-;=?-~])?", r"\d{1,5}"

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


@dataclass(frozen=True)
class ArchiveContent:
    """The annotations of a category.

    Attributes
    ----------
    annotations
        By image code; labels are wnids, sizes and boxes are as in the archive.
    problem
        A sentence about anything that could not be read; empty if there is nothing.
    is_missing
        Whether the category has no archive.
    """

    annotations: dict[str, Annotation]
    problem: str = ""
    is_missing: bool = False


def read_archive(folder: Path, code: str) -> ArchiveContent:
    """Read all annotations of a category from `<code>.tar.gz`, `<code>.tar` or the folder `<code>`.

    Of a damaged archive, all readable annotations are returned.
    """
    path = find_archive(folder, code)
    if path is None:
        return ArchiveContent({}, f"no bounding boxes: {folder} has no archive of {code}.", is_missing=True)
    annotations: dict[str, Annotation] = {}
    invalid_files = invalid_boxes = 0
    damage = ""
    try:
        for file in iter_xml_files(path):
            if file.image_code not in annotations:
                annotation, invalid = _parse(file.data, file.image_code)
                invalid_boxes += invalid
                if annotation is None:
                    invalid_files += 1
                else:
                    annotations[file.image_code] = annotation
    except READ_ERRORS as error:
        damage = str(error) or type(error).__name__
    if not annotations and not invalid_files and not damage:
        return ArchiveContent({}, f"{path} contains no annotations.")
    problems = {
        f"only {pluralize(len(annotations), 'annotation')} could be read ({damage})": damage,
        f"{pluralize(invalid_files, 'invalid XML file')} left out": invalid_files,
        f"{pluralize(invalid_boxes, 'box')} without name or numbers left out": invalid_boxes,
    }
    problem = ", ".join(text for text, is_true in problems.items() if is_true)
    return ArchiveContent(annotations, f"{path}: {problem}." if problem else "")


def parse(data: bytes, image_code: str) -> Annotation | None:
    """Parse the XML of one image; None if it is not an annotation with at least one box."""
    return _parse(data, image_code)[0]


def to_xml(annotation: Annotation, *, folder: str, filename: str, picture: Picture) -> bytes:
    """Write an annotation in the layout of ImageNet, in ASCII with character references.

    Parameters
    ----------
    annotation
        Fitted to the image, and with the labels to write.
    folder, filename
        The folder and file name of the image, with its extension.
    picture
        The image, whose size is written.
    """
    objects = [
        _OBJECT_LAYOUT.format(label=_escape(box.label), pose=_escape(box.pose), box=box)
        for box in annotation.boxes
    ]
    return _LAYOUT.format(
        folder=_escape(folder),
        filename=_escape(filename),
        width=picture.width,
        height=picture.height,
        objects="".join(objects),
    ).encode("ascii", "xmlcharrefreplace")


def _escape(text: str) -> str:
    return html.escape(_normalize(text), quote=False)


def _normalize(text: str) -> str:
    return _NOT_IN_XML.sub("", text).strip()


def _parse(data: bytes, image_code: str) -> tuple[Annotation | None, int]:
    """Return the annotation, if there is one, and the number of invalid boxes."""
    annotation = _parse_layout(data, image_code)
    return (annotation, 0) if annotation else _parse_xml(data, image_code)


def _parse_layout(data: bytes, image_code: str) -> Annotation | None:
    """Parse the exact layout of ImageNet and `to_xml`, four times faster than `_parse_xml`; else None."""
    file_pattern, object_pattern = _layout_patterns()
    match = file_pattern.fullmatch(data.decode("latin-1"))  # characters beyond ASCII do not match
    if match is None:
        return None
    boxes = [
        Box(sys.intern(label), int(x), int(y), int(right), int(bottom), sys.intern(pose), int(cut), int(hard))
        for label, pose, cut, hard, x, y, right, bottom in object_pattern.findall(match[3])[:MAX_BOXES]
    ]
    return Annotation(image_code, *_valid_size(int(match[1]), int(match[2])), tuple(boxes))


def _parse_xml(data: bytes, image_code: str) -> tuple[Annotation | None, int]:
    # In UTF-16, which has zero bytes, DOCTYPE would not be found.
    if b"<!DOCTYPE" in data or b"\0" in data:
        return None, 0
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two: an unknown encoding
        return None, 0
    elements = root.findall("object")[:MAX_BOXES]
    boxes = tuple([box for box in map(_parse_box, elements) if box])
    size = _child_texts(root.find("size"))
    width, height = _parse_number(size.get("width")) or 0, _parse_number(size.get("height")) or 0
    annotation = Annotation(image_code, *_valid_size(width, height), boxes) if boxes else None
    return annotation, len(elements) - len(boxes)


def _parse_box(element: ElementTree.Element) -> Box | None:
    texts, corners = _child_texts(element), _child_texts(element.find("bndbox"))
    label = _normalize(texts.get("name", ""))
    xmin, ymin = _parse_number(corners.get("xmin")), _parse_number(corners.get("ymin"))
    xmax, ymax = _parse_number(corners.get("xmax")), _parse_number(corners.get("ymax"))
    if not label or xmin is None or ymin is None or xmax is None or ymax is None:
        return None
    return Box(
        label=sys.intern(label),
        xmin=xmin,
        ymin=ymin,
        xmax=xmax,
        ymax=ymax,
        pose=sys.intern(_normalize(texts.get("pose", "")) or "Unspecified"),
        truncated=_parse_number(texts.get("truncated")) or 0,
        difficult=_parse_number(texts.get("difficult")) or 0,
    )


def _valid_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height, or twice 0 if no image can have this size."""
    is_valid = min(width, height) > 0 and max(width, height) < _INVALID_SIDE
    return (width, height) if is_valid else (0, 0)


def _child_texts(element: ElementTree.Element | None) -> dict[str, str]:
    return {child.tag: child.text or "" for child in element} if element is not None else {}


def _parse_number(text: str | None) -> int | None:
    """Round a number; None if it is not a number, or larger than the coordinates of any image."""
    try:
        number = round(float(text or ""))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= _MAX_COORDINATE else None


@functools.cache
def _layout_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return patterns for a file, and for one object in it."""
    objects = f"((?:{_to_regex(_OBJECT_LAYOUT, _PLAIN_NUMBER, _PLAIN_TEXT)})+)"
    file_pattern = _to_regex(_LAYOUT, f"({_PLAIN_NUMBER})", _PLAIN_TEXT, objects)
    object_pattern = _to_regex(_OBJECT_LAYOUT, f"({_PLAIN_NUMBER})", f"({_PLAIN_TEXT})")
    return re.compile(file_pattern), re.compile(object_pattern)


def _to_regex(layout: str, number: str, text: str, objects: str = "") -> str:
    """Turn a layout into a regular expression, with `number`, `text` and `objects` for its fields."""
    kinds = dict.fromkeys(("label", "pose", "folder", "filename"), text) | {"objects": objects}
    literals, fields = re.split(r"{[\w.]+}", layout), re.findall(r"{([\w.]+)}", layout)
    return "".join(
        re.escape(literal) + (kinds.get(field, number) if field else "")
        for literal, field in zip(literals, [*fields, ""], strict=True)
    )
