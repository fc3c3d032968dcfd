"""What a run would do, without doing anything: the answer to `--dry_run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..annotations import voc_xml
from ..errors import wrap_os_errors
from ..models.images import Annotation
from ..models.rows import Candidate, Category
from ..models.settings import ImageSource, Settings
from ..models.tasks import Outcome
from ..results.journal import Journal
from ..results.paths import CategoryFolder
from ..results.reconcile import CategoryStore, RowsOf, reconcile
from ..sources.row_filter import candidates
from ..sources.url_table import UrlTable
from .context import counts_saved
from .known_outcomes import holds


@dataclass(frozen=True)
class Preview:
    """One category's numbers.

    Attributes
    ----------
    urls
        Rows of the URL table.
    candidates
        Rows that come into question: all, or those with an annotation.
    considered
        How many of these a run would look at: the first so many where URLs are counted.
    present, given_up
        Of those considered, images that are there, and URLs that earlier runs found dead for good.
    to_try
        Of those considered, URLs that would be tried, at most.
    elsewhere
        Images that are there, and belong to none of those considered: beyond them, or out of a tar.
    problem
        What is wrong with its annotations; empty if nothing is.
    """

    category: Category
    source: ImageSource
    urls: int
    candidates: int
    considered: int
    present: int
    given_up: int
    to_try: int
    elsewhere: int
    problem: str

    @property
    def there(self) -> int:
        """How many images are there, whatever they belong to."""
        return self.present + self.elsewhere

    def lines(self) -> list[str]:
        """Say it: in one line, if it has anything to try."""
        name = f"{self.category.folder} ({self.category.code}): "
        which = f"{self._urls()}{_tar(self.source)}"
        if self.source is ImageSource.ARCHIVE:
            return [name + ", ".join(["its tar", *self._besides()]), *filter(None, [self.problem])]
        if not self.candidates:
            besides = ", ".join([which, *self._besides()])
            return [name + (f"{besides}; {self.problem}" if self.problem and self.urls else besides)]
        return [name + ", ".join([which, *self._parts(), *self._besides()]), *filter(None, [self.problem])]

    def _urls(self) -> str:
        boxed = self.candidates != self.urls
        which = f"{self.urls} URL{'' if self.urls == 1 else 's'}"
        if self.considered < self.candidates:
            boxes = f" with boxes ({which})" if boxed else " URLs"
            return f"the first {self.considered} of {self.candidates}{boxes}"
        return f"{self.candidates} of {which} with boxes" if boxed else which

    def _parts(self) -> list[str]:
        """Give the numbers that add up to those considered."""
        unneeded = self.considered - self.to_try - self.present - self.given_up
        return [
            f"{self.to_try} to try",
            *([f"{self.present} already there"] if self.present else []),
            *([f"{self.given_up} dead for good"] if self.given_up else []),
            *([f"{unneeded} not needed"] if unneeded else []),
        ]

    def _besides(self) -> list[str]:
        more = "more " if self.present else ""
        return [f"{self.elsewhere} {more}image{'s' * (self.elsewhere > 1)} there"] if self.elsewhere else []


def preview(category: Category, table: UrlTable, folder: CategoryFolder, settings: Settings) -> Preview:
    """Reckon what a run would do for a category."""
    content = voc_xml.read_archive(settings.annotations_dir, category.code)
    known = _known(folder, table.rows_of)
    offered = _offered(category, table, content.annotations, settings)
    limit = category.how_many
    considered = offered[:limit] if limit >= 0 and not settings.fill else offered
    standing = {one.row.image_code: one for one in known.values() if one.status.is_saved}
    present = {one.row.image_code for one in considered if not one.rejection} & standing.keys()
    others = [one for one in considered if one.rejection or one.row.image_code not in present]
    gone = [one for one in others if one.rejection or _is_gone(known.get(one.row.key), settings)]
    filled = counts_saved(category, settings) and _reached(standing, content.annotations, settings) >= limit
    return Preview(
        category,
        settings.source,
        urls=table.count(category.code),
        candidates=len(offered),
        considered=len(considered),
        present=len(present),
        given_up=len(gone),
        to_try=0 if filled else len(others) - len(gone),
        elsewhere=len(standing) - len(present),
        problem=content.problem if settings.annotations_dir.is_dir() else "",
    )


def _tar(source: ImageSource) -> str:
    return " and its tar" if source is ImageSource.BOTH else ""


def _known(folder: CategoryFolder, rows_of: RowsOf) -> dict[str, Outcome]:
    """Find what is known of every URL, as a run would: images may be gone, or without a line."""
    with wrap_os_errors(folder.path):
        shelf = CategoryStore(folder, Journal(folder.journal, read_only=True), dry=True)
        if folder.images.is_dir():
            return reconcile(shelf, rows_of)
        return {one.row.key: one for one in shelf.journal.standing() if not one.status.is_saved}


def _offered(
    category: Category, table: UrlTable, annotations: Mapping[str, Annotation], settings: Settings
) -> list[Candidate]:
    only_annotated = settings.with_annotation
    if settings.source is ImageSource.ARCHIVE:
        return []
    return list(candidates(category, table, annotations, only_annotated=only_annotated))


def _reached(
    standing: Mapping[str, Outcome], annotations: Mapping[str, Annotation], settings: Settings
) -> int:
    """Count the images there of the kind that is wanted."""
    if not settings.with_annotation:
        return len(standing)
    return sum(one.boxes is not None or code in annotations for code, one in standing.items())


def _is_gone(known: Outcome | None, settings: Settings) -> bool:
    return known is not None and not known.status.is_saved and holds(known, settings)
