"""`.gallery.jsonl`: the data of this run for the page and the card of the next one.

The file has a line for each category (see `CategoryPage.record`), a line with the history of runs and the
stamps of the categories, and the checksum of all these lines. A category whose stamp has not changed is not
read from its folder again, so that a run into a folder of a thousand categories reads only those that it
downloaded. A damaged file is ignored, and everything is read from the folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ..files import atomic_file, open_file
from ..models.rows import Category
from ..results.exclusions import Exclusions
from ..results.paths import CategoryFolder
from .category_page import CategoryPage
from .run_history import RunHistory

LAYOUT = b"gallery 2"
"""Part of the checksum; changes with the layout of the file."""
MAX_IMAGES = 250_000
"""Images kept on the page and in the state file: browsers take seconds to read a larger page."""

Stamp: TypeAlias = list[int | str]


def stamp_of(folder: CategoryFolder, excluded: Exclusions) -> Stamp:
    """Return values that change with every run, every file added to a folder or removed, and `excluded.txt`.

    An image or XML file edited in place does not change them; the next run that downloads its category
    detects that.
    """
    times = (path.stat().st_mtime_ns if path.is_dir() else 0 for path in (folder.images, folder.annotations))
    try:
        journal = folder.journal.stat()
    except FileNotFoundError:  # a folder of own photos only
        return [*times, excluded.digest]
    return [journal.st_size, journal.st_mtime_ns, *times, excluded.digest]


class GalleryState:
    """The state of the last run, and the state to write for the next one.

    Attributes
    ----------
    history
        The runs so far; None if the file does not exist or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.history: RunHistory | None = None
        self._path = path
        self._known: dict[str, tuple[Stamp, bytes]] = {}
        self._lines: list[bytes] = []
        self._stamps: list[tuple[str, Stamp]] = []
        self._images = 0
        try:
            with open_file(path) as file:
                lines = file.readlines()
        except OSError:
            return
        if len(lines) > 1 and lines.pop() == _checksum(lines):
            index = json.loads(lines.pop())
            self.history = RunHistory.from_record(index["history"])
            self._known = {
                folder: (seen, line) for (folder, seen), line in zip(index["stamps"], lines, strict=True)
            }

    def unchanged(self, category: Category, stamp: Stamp) -> CategoryPage | None:
        """Return an unchanged category from the last run, and keep it; None if its stamp has changed."""
        seen, line = self._known.pop(category.folder, ([], b""))
        if seen != stamp:
            return None
        page = CategoryPage.from_record(category, json.loads(line))
        self._keep(page, stamp, line)
        return page

    def keep(self, page: CategoryPage, stamp: Stamp) -> None:
        """Keep a category for the next run, if there is room."""
        self._keep(page, stamp, _line(page.record()))

    def _keep(self, page: CategoryPage, stamp: Stamp, line: bytes) -> None:
        if self._images + len(page.images) <= MAX_IMAGES:
            self._images += len(page.images)
            self._lines.append(line)
            self._stamps.append((page.stats.folder, stamp))

    def write(self, history: RunHistory) -> None:
        """Replace the file by the categories kept and the history.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        lines = [*self._lines, _line({"history": history.record(), "stamps": self._stamps})]
        with atomic_file(self._path) as file:
            file.writelines(lines)
            file.write(_checksum(lines))


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _checksum(lines: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16, person=LAYOUT)
    for line in lines:
        digest.update(line)
    return digest.hexdigest().encode()
