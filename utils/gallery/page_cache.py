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

from ..models.enums import Status
from ..models.rows import Category
from ..results.paths import CategoryFolder
from ..results.statistics import Summary
from .category_stats import CategoryStats
from .ownership import is_ours
from .page_data import CategoryPage
from .page_schema import LARGEST, Shown, checked

LAYOUT = 2
"""Changes with what is written of a category, so that no other layout is taken for this one."""
_CATEGORY = re.compile(r'\{"stamp":\[[\d,]*\],"folder":("(?:[^"\\]|\\.)*"),')
_COMMON = '"total":'
_END = "</script>"
_NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What comes of reading whatever somebody may have made of a page."""


def _refuse(constant: str) -> None:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise ValueError(constant)


_parse = json.JSONDecoder(parse_constant=_refuse).decode


def stamp_of(folder: CategoryFolder) -> list[int]:
    """Say what a category's files look like: another run, and every file that comes or goes, changes that."""
    journal = folder.journal.stat()
    folders = (
        path.stat().st_mtime_ns if path.is_dir() else 0 for path in (folder.images, folder.annotations)
    )
    return [LAYOUT, journal.st_size, journal.st_mtime_ns, *folders]


def last_run_of(stamp: list[int]) -> int:
    """Say when a run was last about a category, in nanoseconds of the file system's clock."""
    return stamp[2]


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
        except _NOT_OURS:
            self.labels = []
            self._lines.clear()

    def album(self, category: Category, stamp: list[int]) -> CategoryPage | None:
        """Give a category as the page has it, if its files still have this stamp."""
        line = self._lines.pop(category.folder, "")
        if not line.startswith(f'{{"stamp":{json.dumps(stamp, separators=(",", ":"))},'):
            return None
        try:
            return self._album(category, _parse(line), stamp)
        except _NOT_OURS:
            return None

    def _read(self, page: Path) -> None:
        with page.open(encoding="utf-8") as file:
            for line in file:
                if found := _CATEGORY.match(line):
                    self._lines[_parse(found[1])] = line.rstrip(",\n")
                elif line.startswith(_COMMON):
                    self.labels = _names(_parse(f"{{{line.rstrip()}")["labels"])
                elif line.startswith(_END):
                    return

    def _album(self, category: Category, record: dict[str, Any], stamp: list[int]) -> CategoryPage:
        summary = Summary(category.folder, category.code)
        summary.statuses = Counter({Status(word): _count(n) for word, n in record["statuses"].items()})
        summary.reasons = Counter({_name(word): _count(n) for word, n in record["reasons"]})
        images = [checked(Shown(*image), len(self.labels)) for image in record["images"]]
        return CategoryPage(CategoryStats.of(category, summary, images), images, stamp)


def _names(values: object) -> list[str]:
    if not isinstance(values, list):
        raise TypeError
    return [_name(value) for value in values]


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:  # True is none
        raise ValueError(str(value)[:100])
    return value
