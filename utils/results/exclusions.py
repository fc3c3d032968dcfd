"""`excluded.txt` in the result folder: the images that the user does not want.

A line holds an image code or a file name, with or without a folder before it, and after a blank a note. Lines
that begin with `#` are comments. Images of ImageNet are excluded from all categories; a photo of the user's
own only from the category of the folder before it, if there is one.
"""

from __future__ import annotations

import errno
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from ..catalog.user_table import decode
from ..errors import InputError
from ..files import open_file
from ..models.images import EXTENSIONS
from ..models.tasks import Outcome
from ..reasons import Reason, Rejection, Status
from ..urls import IMAGE_CODE
from .paths import CategoryFolder

EXCLUDED_NAME = "excluded.txt"
NO_LONGER = "It is not listed in excluded.txt any more; it is downloaded again when it is needed."
MAX_BYTES = 32_000_000
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""Errors for a path without a file; whether the result folder can be used is checked later."""
MAX_SHOWN = 60
"""Characters of an invalid line in a message."""
_CODE_NAME = rf"(?:\S*[/\\])?(?i:{IMAGE_CODE.pattern})(?:\.\w+)?"
_IMAGE_NAME = rf".+?(?i:{'|'.join(map(re.escape, sorted(EXTENSIONS)))})"  # may contain blanks
_OTHER_NAME = r"\S+\.\w+"
_LINE = re.compile(rf"(?P<name>(?:{_CODE_NAME}|{_IMAGE_NAME}|{_OTHER_NAME})(?=\s|$))\s*(?P<note>.*)")


@dataclass(frozen=True)
class Exclusions:
    """The images listed in `excluded.txt`.

    Attributes
    ----------
    rejections
        The rejection of each image of ImageNet, by image code.
    own
        The names of own photos, each with the category folder before it ("" if there is none).
    digest
        Changes with the file.
    found
        The image codes and own photos that the methods were asked about and that are listed.
    """

    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    own: frozenset[tuple[str, str]] = frozenset()
    digest: str = ""
    found: set[str | tuple[str, str]] = field(default_factory=set)

    def reject(self, image_code: str) -> Rejection | None:
        """Return why an image of ImageNet is excluded, or None if it is not."""
        rejection = self.rejections.get(image_code)
        if rejection:
            self.found.add(image_code)
        return rejection

    def apply(self, outcome: Outcome) -> Outcome:
        """Turn an outcome of an earlier run into `excluded` if the image is listed now, and only then."""
        rejection = self.reject(outcome.row.image_code)
        if rejection:
            return outcome.without_image(Status.FAILED, rejection.reason, rejection.sentence)
        if outcome.reason is Reason.EXCLUDED:
            return outcome.without_image(Status.NOT_ATTEMPTED, Reason.INTERRUPTED, NO_LONGER)
        return outcome

    def excludes_own(self, folder: str, name: str) -> bool:
        """Whether an own photo in the folder of a category is excluded."""
        if not self.own:
            return False
        normalized = _normalize(name)
        listed = self.own & {("", normalized), (_normalize(folder), normalized)}
        self.found.update(listed)
        return bool(listed)


def read(root: Path) -> Exclusions:
    """Read `excluded.txt` in a result folder; without file or folder, nothing is excluded.

    Raises
    ------
    InputError
        If it cannot be read, or has an invalid line.
    """
    path = root / EXCLUDED_NAME
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if error.errno in NOT_THERE:
            return Exclusions()
        why = "it is a folder" if path.is_dir() else error.strerror
        raise InputError(
            f"{path} cannot be read ({why}). It must be a text file with an image code or file name in each "
            "line; move it away if you exclude no images."
        ) from error
    decoded = decode(data) if len(data) <= MAX_BYTES else None
    if decoded is None or "\0" in decoded.text:
        raise InputError(
            f"{path} is not a text file. Save it as UTF-8, with an image code or file name in each line."
        )
    return _parse(path, decoded.text, hashlib.sha256(data).hexdigest())


def _parse(path: Path, text: str, digest: str) -> Exclusions:
    rejections: dict[str, Rejection] = {}
    own = set()
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            shown = line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
            raise InputError(
                f"{path}, line {number}: {shown!r} begins with neither an image code nor a file name. Write "
                "e.g. n02391049_7 or n02391049_7.jpg, and a note after a blank; comments begin with #."
            )
        named = PureWindowsPath(match["name"])  # takes slashes, too
        stem = named.name.partition(".")[0]
        codes = [code for code in (stem, stem.lower()) if IMAGE_CODE.fullmatch(code)]
        if codes:
            note = f": {match['note']}" if match["note"] else ""
            rejections.setdefault(codes[0], Rejection(Reason.EXCLUDED, f"listed in {EXCLUDED_NAME}{note}"))
        else:
            folders = [part for part in named.parent.parts if part != CategoryFolder.IMAGES]
            own.add((_normalize(folders[-1]) if folders else "", _normalize(named.name)))
    return Exclusions(rejections, frozenset(own), digest)


def _normalize(name: str) -> str:
    """Compose letters and accents, which some systems store separately."""
    return unicodedata.normalize("NFC", name)
