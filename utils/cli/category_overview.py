"""The rows that `--find` lists: categories with their URLs, boxes and place in the hierarchy.

Without a URL table or annotations, the column is empty and a message says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from ..annotations import archives, box_counts
from ..catalog import categories, hierarchy, names, search, selection
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
        self.categories = selection.read(settings)
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

    @property
    def has_url_table(self) -> bool:
        """Whether the numbers of URLs are known."""
        return self._table is not None

    def below(self, text: str) -> list[Category]:
        """Return the categories below one given by name or code, or those of a lexicographer file.

        Raises
        ------
        InputError
            If there is no such category, or several.
        """
        codes = self.hierarchy.of_lexname(text)
        if not codes:
            shipped = (Category(one.code, one.name, folder="") for one in categories.load_synsets())
            unlisted = [category for category in shipped if category.code not in self._known]
            top = search.find_named([*self.categories, *unlisted], [text], flag="--below")
            codes = self.hierarchy.descendants([category.code for category in top])
        wanted = set(codes)
        return [category for category in self.categories if category.code in wanted]

    def boxed(self, codes: Collection[str]) -> set[str]:
        """Return those of some categories that have images with bounding boxes.

        Raises
        ------
        InputError
            If there are no archives of boxes.
        """
        if not self._annotations_dir.is_dir() or not archives.has_archives(self._annotations_dir):
            raise InputError(
                f"--boxed needs the archives of boxes, and {self._annotations_dir} has none. Run "
                "`python download_imagenet_prerequisites.py`, or name their folder with --annotations_dir."
            )
        return {code for code, count in self._box_counts(codes).items() if count}

    def rows(
        self, listed: Collection[Category], reasons: Mapping[str, str], headings: Mapping[str, str]
    ) -> list[Row]:
        """Return the rows of some categories.

        Parameters
        ----------
        reasons
            The column `match` by code.
        headings
            The heading of the group by code.
        """
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
                heading=headings.get(category.code, ""),
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
            once = ", only this once" if self._keep and box_counts.can_save(self._annotations_dir) else ""
            self._notify(f"Counting the images with boxes in {number:,} archives{once} ...")

        return box_counts.count(self._annotations_dir, codes, on_slow=notify, save=self._keep)
