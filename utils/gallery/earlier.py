"""What of an earlier page still holds: categories whose files look as they did then need not be read again.

So a run into a folder of a thousand categories reads only those that it has touched. An image or XML that was
changed where it stands, its folder unchanged, is seen by the next run that is about its category.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ..models import Category, Status
from ..results.summary import Summary
from ..storage import CategoryFolder
from .figures import Figures, Shown
from .owned import is_ours
from .pictures import Album

LAYOUT = 1
"""Changes with what is written of a category, so that no other layout is taken for this one."""
_CATEGORY = re.compile(r'\{"stamp":\[[\d,]*\],"folder":("(?:[^"\\]|\\.)*"),')
_COMMON = '"total":'
_END = "</script>"


def stamp_of(folder: CategoryFolder) -> list[int]:
    """Say what a category's files look like: another run, and every file that comes or goes, changes that."""
    journal = folder.journal.stat()
    folders = (
        path.stat().st_mtime_ns if path.is_dir() else 0 for path in (folder.images, folder.annotations)
    )
    return [LAYOUT, journal.st_size, journal.st_mtime_ns, *folders]


class Earlier:
    """An earlier page; one that is damaged, or none of ours, tells nothing.

    Attributes
    ----------
    labels
        The names of its labels, by their numbers.
    """

    def __init__(self, page: Path) -> None:
        self.labels: list[str] = []
        self._lines: dict[str, str] = {}
        try:
            if is_ours(page):
                self._read(page)
        except (OSError, ValueError, KeyError):
            self._lines.clear()

    def album(self, category: Category, stamp: list[int]) -> Album | None:
        """Give a category as the page has it, if its files still have this stamp."""
        line = self._lines.pop(category.folder, "")
        if not line.startswith(f'{{"stamp":{json.dumps(stamp, separators=(",", ":"))},'):
            return None
        try:
            return self._album(category, json.loads(line), stamp)
        except (ValueError, KeyError, TypeError):
            return None

    def _read(self, page: Path) -> None:
        with page.open(encoding="utf-8") as file:
            for line in file:
                if found := _CATEGORY.match(line):
                    self._lines[json.loads(found[1])] = line.rstrip(",\n")
                elif line.startswith(_COMMON):
                    self.labels = [str(name) for name in json.loads(f"{{{line}")["labels"]]
                elif line.startswith(_END):
                    return

    def _album(self, category: Category, record: dict[str, Any], stamp: list[int]) -> Album:
        summary = Summary(category.folder, category.code)
        summary.statuses = Counter({Status(word): int(n) for word, n in dict(record["statuses"]).items()})
        summary.reasons = Counter({str(word): int(n) for word, n in record["reasons"]})
        images = [self._shown(Shown(*image)) for image in record["images"]]
        return Album(Figures.of(category, summary, images), images, stamp)

    def _shown(self, image: Shown) -> Shown:
        """Check an image, for somebody may have changed the page.

        Raises
        ------
        ValueError
            If it is not as we write them.
        """
        labels, rest = image.boxes[::5], len(image.boxes) % 5
        if (
            rest
            or min(image.width, image.height) < 1
            or not all(0 <= one < len(self.labels) for one in labels)
        ):
            raise ValueError(image.file)
        return image
