"""`.gallery.jsonl`: what the page and the card of the next run need of this one.

The file has a line for each category (see `CategoryPage.record`), a line with the history of runs and the
stamps of the categories, and the checksum of all these lines. A category whose stamp has not changed is not
read from its folder again, so that a run into a folder of a thousand categories reads only those that it
downloaded. A damaged file is ignored, and everything is read from the folders.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..files import atomic_file
from ..models.rows import Category
from ..results.paths import CategoryFolder
from .category_page import CategoryPage
from .run_history import RunHistory

LAYOUT = b"gallery 1"
"""Part of the checksum; changes with the layout of the file."""
MAX_IMAGES = 250_000
"""Images kept on the page and in the state file: browsers take seconds to read a larger page."""
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def stamp_of(folder: CategoryFolder) -> list[int]:
    """Give sizes and times that change with every run and with every file added to a folder or removed.

    An image or XML file edited in place does not change them; the next run that downloads its category sees
    that.
    """
    journal = folder.journal.stat()
    times = (path.stat().st_mtime_ns if path.is_dir() else 0 for path in (folder.images, folder.annotations))
    return [journal.st_size, journal.st_mtime_ns, *times]


class GalleryState:
    """The state that the run before left, and the one that this run leaves.

    Attributes
    ----------
    history
        The runs so far; None if the file does not exist or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.history: RunHistory | None = None
        self._path = path
        self._known: dict[str, tuple[list[int], str]] = {}
        self._lines: list[str] = []
        self._stamps: list[tuple[str, list[int]]] = []
        self._images = 0
        try:
            content, _, checksum = path.read_bytes().rpartition(b"\n")
        except OSError:
            return
        if checksum == _checksum(content):
            *lines, last = content.decode().split("\n")
            index = json.loads(last)
            self.history = RunHistory.from_record(index["history"])
            self._known = {
                folder: (seen, line) for (folder, seen), line in zip(index["stamps"], lines, strict=True)
            }

    def unchanged(self, category: Category, stamp: list[int]) -> CategoryPage | None:
        """Give a category as the last run left it, and keep it; None if its stamp has changed since."""
        seen, line = self._known.pop(category.folder, ([], ""))
        if seen != stamp:
            return None
        page = CategoryPage.from_record(category, json.loads(line))
        self._keep(page, stamp, line)
        return page

    def keep(self, page: CategoryPage, stamp: list[int]) -> None:
        """Keep a category for the next run, if there is room."""
        self._keep(page, stamp, _to_json(page.record()))

    def _keep(self, page: CategoryPage, stamp: list[int], line: str) -> None:
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
        index = _to_json({"history": history.record(), "stamps": self._stamps})
        content = "\n".join([*self._lines, index]).encode()
        with atomic_file(self._path) as file:
            file.write(content + b"\n" + _checksum(content))


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, person=LAYOUT).hexdigest().encode()
