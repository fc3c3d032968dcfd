"""`--images FILE`: a list of images, by their codes or as a manifest.

A text file has an image in each line, with or without extension and folder; what follows after a blank, comma
or semicolon is ignored, so that lists of ILSVRC and Kaggle can be used as they are. A table with the columns
`image_code` and `sha256` is a manifest, also if it was saved by a spreadsheet. With a table that has no
checksums, images are not compared.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..catalog.user_table import decode
from ..copies.members import parse_stem
from ..errors import InputError
from ..fetch.locations import is_url
from ..models.rows import Category
from ..text import spreadsheet_cell
from ..urls import LISTED_CODE
from .manifest import COLUMNS

CODE_COLUMN, CHECKSUM_COLUMN = "image_code", "sha256"
LAST_COLUMN = COLUMNS[-1]
"""Often empty; spreadsheets omit empty cells at the end of rows."""
SEPARATORS = ",;\t"
MAX_SHOWN = 60
"""Characters of an invalid line in a message."""
_HEADER = re.compile(r"\W*image[ _]?(?:id|code)?s?\b", re.IGNORECASE)
_AFTER_NAME = re.compile(r"[\s,;]")
_CELLS = {
    "sha256": (re.compile(r"[0-9a-fA-F]{64}"), "a SHA-256"),
    "phash": (re.compile(r"([0-9a-fA-F]{16})?"), "a hash of 16 hexadecimal digits"),
    "width": (re.compile(r"[0-9]{0,6}"), "a number of pixels"),
    "height": (re.compile(r"[0-9]{0,6}"), "a number of pixels"),
}
"""The valid cells of some columns, and what they are."""


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image of the list; of an image in a manifest more is known than its code.

    Attributes
    ----------
    category
        The folder of its category, or the wnid; empty if the list does not state it.
    phash
        The perceptual hash; None if it has none.
    """

    image_code: str
    category: str = ""
    url: str = ""
    sha256: str = ""
    phash: int | None = None
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class ImageList:
    """The images of a list.

    Attributes
    ----------
    digest
        Changes with the file.
    """

    images: tuple[ListedImage, ...]
    is_manifest: bool
    digest: str


def read(path: Path) -> ImageList:
    """Read a list.

    Raises
    ------
    InputError
        If it cannot be read, is empty or has an invalid line.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error  # ValueError for a NUL in the path
        raise InputError(f"--images {path}: it cannot be read ({why}).") from error
    decoded = decode(data)
    if decoded is None or "\0" in decoded.text:
        raise InputError(
            f"--images {path} is not a text file. Give image codes, one a line, or a manifest.csv."
        )
    text = decoded.text
    header = next(iter(text.splitlines()), "")
    separator = max(SEPARATORS, key=header.count)
    columns = [name.strip(' "').casefold() for name in header.split(separator)]
    is_table = CODE_COLUMN in columns and len(columns) > 1
    images = tuple(_table(path, text, separator) if is_table else _codes(path, text))
    if not images:
        raise InputError(f"--images {path} lists no image. Give image codes, one a line, or a manifest.csv.")
    is_manifest = is_table and CHECKSUM_COLUMN in columns
    return ImageList(images, is_manifest, hashlib.sha256(data).hexdigest())


def by_category(
    images: Sequence[ListedImage], everything: Sequence[Category], labels: Mapping[str, str]
) -> tuple[dict[str, dict[str, ListedImage]], list[ListedImage]]:
    """Group images by the wnid of their category.

    Parameters
    ----------
    everything
        All categories; images of others are in no group.
    labels
        The wnids of validation images, which their codes do not contain.

    Returns
    -------
    tuple
        The images of each category by image code, and those whose category is not known.
    """
    codes = {category.code for category in everything}
    folders = {spreadsheet_cell(category.folder): category.code for category in everything}
    groups: dict[str, dict[str, ListedImage]] = {}
    unknown = []
    for image in images:
        named = folders.get(image.category, image.category)
        code = named if named in codes else labels.get(image.image_code, image.image_code[:9])
        if code in codes:
            groups.setdefault(code, {})[image.image_code] = image
        else:
            unknown.append(image)
    return groups, unknown


def _codes(path: Path, text: str) -> Iterator[ListedImage]:
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#") or (number == 1 and _HEADER.match(line)):
            continue
        image = _parse_name(line)
        if image is None:
            shown = line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
            raise InputError(
                f"{path}, line {number}: {shown!r} begins with no image code. Write e.g. n02391049_7 or "
                "train/n02391049/n02391049_7.JPEG; comments begin with #."
            )
        yield image


def _parse_name(line: str) -> ListedImage | None:
    """Find the image code at the beginning of a line, or after a folder, whose name may have blanks."""
    for text in (_AFTER_NAME.split(line.strip('"'))[0], line.strip('"')):
        base = _AFTER_NAME.split(re.split(r"[/\\]", text)[-1])[0]
        image_code, code = parse_stem(base.strip('"').partition(".")[0])
        if image_code:
            return ListedImage(image_code, "" if LISTED_CODE.fullmatch(image_code) else code)
    return None


def _table(path: Path, text: str, separator: str) -> Iterable[ListedImage]:
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    table.fieldnames = [name.strip().casefold() for name in table.fieldnames or ()]
    listed: dict[tuple[str, str], ListedImage] = {}
    try:
        for row in table:
            if any(cell and cell.strip() for name, cell in row.items() if name):
                _add(_listed(row), listed)
    except (csv.Error, ValueError) as error:
        raise InputError(
            f"{path}, line {table.line_num}: {error}. Give a manifest.csv as a run wrote it, as "
            "spreadsheets may change its numbers."
        ) from error
    return listed.values()


def _add(image: ListedImage, listed: dict[tuple[str, str], ListedImage]) -> None:
    """Add an image by its category and code; raises ValueError if another one has both."""
    if listed.setdefault((image.category, image.image_code), image) != image:
        raise ValueError(f"{image.image_code} is listed before, with other values")


def _listed(row: Mapping[str, str | None]) -> ListedImage:
    """Return the image in a row of a table; raises ValueError if a cell is invalid or missing."""
    if any(cell is None for name, cell in row.items() if name != LAST_COLUMN):
        raise ValueError("the row has fewer cells than the header; the end of the file may be missing")
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    image_code, _ = parse_stem(cells[CODE_COLUMN])
    if not image_code:
        raise ValueError(f"{cells[CODE_COLUMN][:MAX_SHOWN]!r} is not an image code")
    for name, (valid, what) in _CELLS.items():
        if name in row and not valid.fullmatch(cells[name]):
            raise ValueError(f"{cells[name][:MAX_SHOWN]!r} is not {what}")
    is_in_tar, _ = parse_stem(PurePosixPath(cells["url"].partition("#")[2]).stem)
    return ListedImage(
        image_code=image_code,
        category=cells["category"],
        url=cells["url"] if is_url(cells["url"]) and not is_in_tar else "",
        sha256=cells["sha256"].lower(),
        phash=int(cells["phash"], 16) if cells["phash"] else None,
        width=int(cells["width"] or 0),
        height=int(cells["height"] or 0),
    )
