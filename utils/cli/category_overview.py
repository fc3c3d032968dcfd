"""The rows that `--find` lists: categories with their URLs, boxes and place in the hierarchy.

Without a URL table or annotations, the column is empty and a message says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from ..annotations import archives, box_counts
from ..catalog import categories, hierarchy, names
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..sources.url_table import UrlTable
from .listing import Row
from .messages import open_url_table


class CategoryOverview:
    """All categories of the user's table.

    Parameters
    ----------
    notify
        Called with messages about missing files and slow operations.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self.categories = categories.read(settings.ncode_data)
        self.hierarchy = hierarchy.load()
        self._known = {category.code: category for category in self.categories}
        self._annotations_dir = settings.annotations_dir
        self._notify = notify
        self._keep = not settings.dry_run  # whether the URL index and the box counts may be saved
        self._table: UrlTable | None = None
        try:
            self._table = open_url_table(settings.url_data, notify, keep=self._keep)
        except InputError as error:
            notify(f"URLs are not counted. {error}")

    def image_count(self, code: str) -> int:
        """Return the number of URLs of a category, or 0 if there is no URL table."""
        return self._table.count(code) if self._table else 0

    def rows(self, listed: Collection[Category], reasons: Mapping[str, str]) -> list[Row]:
        """Return the rows of some categories; `reasons` gives the column `match` by code."""
        counts = self._known_box_counts([category.code for category in listed])
        return [
            Row(
                code=category.code,
                name=category.name,
                urls=self._table.count(category.code) if self._table else None,
                annotated=None if counts is None else counts.get(category.code, 0),
                subcategories=sum(
                    code in self._known for code in self.hierarchy.descendants([category.code])
                ),
                path=tuple(self._short_name(code) for code in self.hierarchy.path(category.code)),
                match=reasons.get(category.code, ""),
                class_name=category.class_name,
            )
            for category in listed
        ]

    def have_subcategories(self, listed: Iterable[Category]) -> bool:
        """Whether any of some categories has subcategories in the table."""
        return any(code in self._known for one in listed for code in self.hierarchy.descendants([one.code]))

    def all_have_boxes(self, codes: Collection[str]) -> bool:
        """Whether each of some categories is known to have images with bounding boxes."""
        if not self._annotations_dir.is_dir():
            return False
        counts = self._box_counts(codes)
        return all(counts.get(code, 0) for code in codes)

    def _short_name(self, code: str) -> str:
        name = self._known[code].name if code in self._known else self.hierarchy.name(code)
        return names.synonyms(name)[0]

    def _known_box_counts(self, codes: Collection[str]) -> dict[str, int] | None:
        """Return the number of images with boxes by code, or None without annotations."""
        folder = self._annotations_dir
        if not folder.is_dir():
            self._notify(f"Images with boxes are not counted: the folder {folder} does not exist.")
            return None
        counts = self._box_counts(codes)
        if not counts and not archives.has_archives(folder):
            self._notify(f"Images with boxes are not counted: {folder} contains no archives of boxes.")
            return None
        return counts

    def _box_counts(self, codes: Collection[str]) -> dict[str, int]:
        def notify(number: int) -> None:
            self._notify(f"Counting the images with boxes in {number:,} archives (only this once) ...")

        return box_counts.count(self._annotations_dir, codes, on_slow=notify, save=self._keep)
