"""Photos of the user's own: images in `Images/` under names that are no image codes.

They are only read. The results of their validation are kept in a file in the category's folder, so that an
unchanged photo is decoded once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import wrap_os_errors
from ..files import open_file, read_json, write_atomic
from ..models.images import Picture
from ..reasons import Rejection
from ..urls import IMAGE_CODE
from .exclusions import Exclusions
from .paths import CategoryFolder
from .reconcile import validate_file

UPRIGHT = 1
"""The EXIF orientation of an image that is not turned."""
_EXIF_ORIENTATION = 0x0112
MANY = 200
"""From this number of new photos on, validating takes long enough for a message."""
_LEFTOVERS = re.compile(
    r"\..*|.*~|#.*#|.*\.(?:bak|swp)|(?:eh)?thumbs\.db|desktop\.ini|icon\r|@eadir", re.IGNORECASE | re.DOTALL
)
"""Names of files that operating systems, file servers and editors leave behind."""


@dataclass(frozen=True, slots=True)
class OwnImage:
    """A valid photo.

    Attributes
    ----------
    orientation
        Its EXIF orientation, from 1 to 8.
    """

    path: Path
    picture: Picture
    orientation: int


_PICTURE = ("format", "width", "height", "bytes", "sha256")
_Records: TypeAlias = dict[str, tuple[list[int], OwnImage | str]]
"""Size and modification time of files by their names, each with the photo, or why it is not one."""


@dataclass(frozen=True)
class OwnImages:
    """The own photos of a category, by name.

    Attributes
    ----------
    invalid
        The other files, relative to the result folder, each with the reason.
    """

    valid: tuple[OwnImage, ...] = ()
    invalid: tuple[str, ...] = ()


def read(
    folder: CategoryFolder, excluded: Exclusions, print_line: Callable[[str], None] = lambda _line: None
) -> OwnImages:
    """Find and validate the own photos of a category, except those that are excluded.

    Parameters
    ----------
    print_line
        Called with a message if the validation takes long.

    Raises
    ------
    DiskError, FolderError
        If the folder cannot be read.
    """
    folder.check()
    valid: list[OwnImage] = []
    invalid: list[str] = []
    with wrap_os_errors(folder.images):
        entries = [one for one in files(folder) if not excluded.excludes_own(folder.path.name, one.name)]
    if not entries:
        return OwnImages()
    with _Cache(folder) as cache:
        new = len(entries) - len(cache)
        if new >= MANY:
            print_line(f"{folder.path.name}: validating {new:,} own photos (only once) ...")
        for entry in sorted(entries, key=lambda entry: entry.name):
            image = cache.validate(entry)
            if isinstance(image, OwnImage):
                valid.append(image)
            else:
                invalid.append(f"{folder.path.name}/{folder.IMAGES}/{entry.name} ({image})")
    return OwnImages(tuple(valid), tuple(invalid))


def files(folder: CategoryFolder) -> Iterator[os.DirEntry[str]]:
    """Yield the files in `Images/` that may be own photos.

    Raises
    ------
    OSError
        If the folder exists and cannot be read.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(folder.images) as entries:
        for entry in entries:
            stem = entry.name.rpartition(".")[0] or entry.name
            is_own = not IMAGE_CODE.fullmatch(stem) and not _LEFTOVERS.fullmatch(entry.name)
            if is_own and entry.is_file(follow_symlinks=False):
                yield entry


class _Cache:
    """Validates files whose size or modification time is not that of an earlier validation."""

    def __init__(self, folder: CategoryFolder) -> None:
        self._path = folder.own_images
        self._known: _Records = {}
        self._seen: _Records = {}
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, OverflowError):
            loaded = read_json(self._path)  # if it is damaged, it is written anew
            self._known = {
                name: (stamp, _decode(folder.images / name, found)) for name, stamp, found in loaded
            }

    def __len__(self) -> int:
        return len(self._known)

    def __enter__(self) -> _Cache:
        return self

    def __exit__(self, *error: object) -> None:
        """Keep what was found, also if an exception stops the validation."""
        if self._seen != self._known:
            records = [(name, stamp, _encode(found)) for name, (stamp, found) in self._seen.items()]
            with contextlib.suppress(OSError):  # then they are validated again
                write_atomic(self._path, json.dumps(records).encode())

    def validate(self, entry: os.DirEntry[str]) -> OwnImage | str:
        """Return the photo in a file, or why it is not a valid image."""
        try:
            status = entry.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            seen, found = self._known.get(entry.name, ([], ""))
            if seen != stamp:
                found = _validate(Path(entry.path))
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        except MemoryError:
            return "there is not enough memory to decode it"
        self._seen[entry.name] = (stamp, found)
        return found


def _validate(path: Path) -> OwnImage | str:
    picture = validate_file(path)
    return (
        picture.description if isinstance(picture, Rejection) else OwnImage(path, picture, _orientation(path))
    )


def _encode(found: OwnImage | str) -> str | list[object]:
    if isinstance(found, str):
        return found
    return [*(getattr(found.picture, name) for name in _PICTURE), found.orientation]


def _decode(path: Path, found: str | list[Any]) -> OwnImage | str:
    if isinstance(found, str):
        return found
    *values, orientation = found
    picture = Picture.from_record(dict(zip(_PICTURE, values, strict=True)))
    return OwnImage(path, picture, int(orientation))


def _orientation(path: Path) -> int:
    """Read the EXIF orientation of a valid image."""
    from PIL import Image  # imported late: most folders hold no own photos

    try:
        with warnings.catch_warnings(), open_file(path) as file, Image.open(file) as image:
            warnings.simplefilter("ignore")  # about unusual metadata
            return int(image.getexif().get(_EXIF_ORIENTATION, UPRIGHT))
    except MemoryError:
        raise
    except Exception:  # Pillow raises any exception for metadata that it cannot read
        return UPRIGHT
