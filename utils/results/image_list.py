"""`--images FILE`: a list of images, by their codes or as a manifest.

A text file has an image in each line, with or without extension and folder; what follows after a blank, comma
or semicolon is ignored, so that lists of ILSVRC and Kaggle can be used as they are. A table with the column
`image_code` is a manifest, also if it was saved by a spreadsheet.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..catalog.user_table import decode
from ..copies.members import parse_stem
from ..errors import InputError
from ..fetch.locations import is_url
from ..models.rows import Category
from ..text import spreadsheet_cell
from ..urls import LISTED_CODE
from .manifest import COLUMNS

CODE_COLUMN = COLUMNS[0]
SEPARATORS = ",;\t"
MAX_SHOWN = 60
"""Characters of an invalid line in a message."""
_HEADER = re.compile(r"\W*image[ _]?(?:id|code)?s?\b", re.IGNORECASE)
_AFTER_NAME = re.compile(r"[\s,;]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image of the list; of an image in a manifest more is known than its code.

    Attributes
    ----------
    category
        The folder of its category, or the wnid; empty if the list does not tell it.
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

    path: Path
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
        raise InputError(f"--images {path}: it cannot be read ({_why(error)}).") from error
    decoded = decode(data)
    if decoded is None or "\0" in decoded.text:
        raise InputError(
            f"--images {path} is not a text file. Give image codes, one a line, or a manifest.csv."
        )
    text = decoded.text
    header = next(iter(text.splitlines()), "")
    separator = max(SEPARATORS, key=header.count)
    columns = [name.strip(' "').casefold() for name in header.split(separator)]
    is_manifest = CODE_COLUMN in columns and len(columns) > 1
    images = tuple(_manifest(path, text, separator) if is_manifest else _codes(path, text))
    if not images:
        raise InputError(f"--images {path} lists no image. Give image codes, one a line, or a manifest.csv.")
    return ImageList(path, images, is_manifest, hashlib.sha256(data).hexdigest())


def by_category(
    images: Sequence[ListedImage], everything: Sequence[Category], labels: Mapping[str, str]
) -> tuple[dict[str, dict[str, ListedImage]], list[ListedImage]]:
    """Group images by the wnid of their category.

    Parameters
    ----------
    everything
        All categories; images of others are in no group.
    labels
        The wnids of validation images, whose codes do not tell them.

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


def _manifest(path: Path, text: str, separator: str) -> Iterator[ListedImage]:
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    table.fieldnames = [name.strip().casefold() for name in table.fieldnames or ()]
    try:
        for row in table:
            cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
            if any(cells.values()):
                yield _listed(cells)
    except (csv.Error, ValueError) as error:
        raise InputError(
            f"{path}, line {table.line_num}: {error}. Give a manifest.csv as a run wrote it, as "
            "spreadsheets may change its numbers."
        ) from error


def _listed(cells: Mapping[str, str]) -> ListedImage:
    """Return the image in a row of a manifest; raises ValueError if a cell is invalid."""
    image_code, _ = parse_stem(cells["image_code"])
    if not image_code:
        raise ValueError(f"{cells['image_code'][:MAX_SHOWN]!r} is not an image code")
    if cells["sha256"] and not _SHA256.fullmatch(cells["sha256"]):
        raise ValueError(f"{cells['sha256'][:MAX_SHOWN]!r} is not a SHA-256")
    return ListedImage(
        image_code=image_code,
        category=cells["category"],
        url=cells["url"] if is_url(cells["url"]) and "#" not in cells["url"] else "",
        sha256=cells["sha256"],
        phash=int(cells["phash"], 16) if cells["phash"] else None,
        width=int(cells["width"] or 0),
        height=int(cells["height"] or 0),
    )


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
