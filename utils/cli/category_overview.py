"""All categories of the user's table with what can be told of each: URLs, boxes, place in the hierarchy.

What is not there to be counted (no URL table, no annotations) costs its column, and a sentence.
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


class Catalogue:
    """The user's categories.

    Parameters
    ----------
    tell
        Told in a sentence what is missing, and what takes long.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self.everything = categories.read(settings.ncode_data)
        self.tree = hierarchy.load()
        self._known = {category.code: category for category in self.everything}
        self._annotations = settings.annotations_dir
        self._tell = tell
        self._keep = not settings.dry_run
        self._table = self._opened(settings)

    def images(self, code: str) -> int:
        """Say how many images of a category are listed, as far as that is known."""
        return self._table.count(code) if self._table else 0

    def rows(self, listed: Iterable[Category], why: Mapping[str, str]) -> list[Row]:
        """Say what is known of categories; `why` says what made each be listed, by code."""
        listed = list(listed)
        annotated = self._annotated([category.code for category in listed])
        return [
            Row(
                code=category.code,
                name=category.name,
                urls=self._table.count(category.code) if self._table else None,
                annotated=None if annotated is None else annotated.get(category.code, 0),
                subcategories=sum(code in self._known for code in self.tree.descendants([category.code])),
                path=tuple(self._short_name(code) for code in self.tree.path(category.code)),
                match=why.get(category.code, ""),
            )
            for category in listed
        ]

    def any_below(self, listed: Iterable[Category]) -> bool:
        """Say whether some of the table's categories lie below any of these."""
        return any(code in self._known for one in listed for code in self.tree.descendants([one.code]))

    def all_boxed(self, codes: Collection[str]) -> bool:
        """Say whether each of some categories has images with bounding boxes, as far as that is known."""
        if not self._annotations.is_dir():
            return False
        counts = self._counted(codes)
        return all(counts.get(code, 0) for code in codes)

    def _short_name(self, code: str) -> str:
        name = self._known[code].name if code in self._known else self.tree.name(code)
        return names.synonyms(name)[0]

    def _opened(self, settings: Settings) -> UrlTable | None:
        try:
            return open_url_table(settings.url_data, self._tell, keep=self._keep)
        except InputError as error:
            self._tell(f"URLs are not counted. {error}")
            return None

    def _annotated(self, codes: list[str]) -> dict[str, int] | None:
        folder = self._annotations
        if not folder.is_dir():
            self._tell(f"Images with boxes are not counted: the folder {folder} is not there.")
            return None
        counts = self._counted(codes)
        if counts or archives.any_in(folder):
            return counts
        self._tell(f"Images with boxes are not counted: no archive of boxes lies in {folder}.")
        return None

    def _counted(self, codes: Collection[str]) -> dict[str, int]:
        return box_counts.count(self._annotations, codes, self._tell_of_counting, keep=self._keep)

    def _tell_of_counting(self, archives: int) -> None:
        self._tell(f"Counting the images with boxes in {archives:,} archives, only this once ...")
