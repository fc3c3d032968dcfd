"""Images by their URLs in the URL table.

The candidates of a category are its own rows, in the table's order. If only annotated images are requested,
rows of other synsets follow for which the category's archive contains boxes.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.settings import Settings
from ..models.tasks import Outcome
from ..reasons import Reason, Rejection, Status
from ..text import pluralize
from ..urls import rejection
from .base import POSITION_OFFSET, CandidateStream, ListedStream, Request, Source, SourceContext
from .url_table import UrlTable

LISTED_POSITION = POSITION_OFFSET - 2**40
"""Added to the positions of rows that only a manifest has."""
DUPLICATE = Rejection(Reason.DUPLICATE_IMAGE_CODE, "An earlier row of the category has the same image code.")


class UrlSource(Source):
    """The URL table as a source."""

    name: ClassVar[str] = "urls"
    many_hosts: ClassVar[bool] = True
    distributable: ClassVar[bool] = True

    def __init__(self, table: UrlTable, *, only_annotated: bool) -> None:
        self._table = table
        self._only_annotated = only_annotated

    @classmethod
    def origin(cls, settings: Settings) -> str:  # noqa: ARG003
        """Return a constant."""
        return "their URLs"

    @classmethod
    @contextlib.contextmanager
    def open(cls, context: SourceContext) -> Iterator[UrlSource]:
        """Open the source; the table is open already."""
        yield cls(context.table, only_annotated=context.settings.with_annotation)

    def describe(self, category: Category) -> str:
        """Count the category's URLs."""
        return pluralize(self._table.count(category.code), "URL")

    def nothing_found(self) -> str:
        """Return a sentence that names the table."""
        return f"No URL was found in {self._table.path}."

    def expected(self, category: Category) -> int:
        """Count the rows that will be considered."""
        count = self._table.count(category.code)
        return count if category.how_many < 0 else min(category.how_many, count)

    def stream(self, request: Request) -> CandidateStream:
        """Return the rows of a category; if images saved are counted, images known to exist come first."""
        rows = _annotated_rows if self._only_annotated else _all_rows
        found = rows(request.category, self._table, request.annotations)
        if request.only is not None:
            found = _requested(found, request, self._table)
        if request.count_saved:
            found = _known_first(found, request.outcomes())
        return ListedStream(found, request.limit)


class RowFilter:
    """Rejects invalid and duplicate rows, over all rows of a category."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._taken: set[str] = set()

    def check(self, row: UrlRow, annotations: Mapping[str, Annotation]) -> Candidate:
        """Return the next row as a candidate, with the reason if it cannot be tried."""
        if repeat := self._seen[row.image_code]:
            row = replace(row, repeat=repeat)
        self._seen[row.image_code] += 1
        why = rejection(row)
        if why is None and row.image_code in self._taken:
            why = DUPLICATE
        if why is None:
            self._taken.add(row.image_code)
        return Candidate(row, why, annotations.get(row.image_code))


def _all_rows(
    category: Category, table: UrlTable, annotations: Mapping[str, Annotation]
) -> Iterator[Candidate]:
    row_filter = RowFilter()
    return (row_filter.check(row, annotations) for row in table.rows(category.code))


def _requested(found: Iterable[Candidate], request: Request, table: UrlTable) -> Iterator[Candidate]:
    """Yield the requested images: of the category, of other synsets, and those with URLs in the request."""
    only, row_filter = request.only or frozenset(), RowFilter()
    yielded = set()
    for candidate in found:
        if candidate.row.image_code in only:
            yielded.add(candidate.row.image_code)
            yield candidate
    for row in table.rows_of([one for one in only - yielded if not one.startswith(request.category.code)]):
        yielded.add(row.image_code)
        yield row_filter.check(row, request.annotations)
    for number, image_code in enumerate(sorted(request.urls.keys() & only - yielded)):
        row = UrlRow(LISTED_POSITION + number, image_code, request.urls[image_code])
        yield row_filter.check(row, request.annotations)


def _annotated_rows(
    category: Category, table: UrlTable, annotations: Mapping[str, Annotation]
) -> Iterator[Candidate]:
    row_filter = RowFilter()
    own = set()
    for row in table.rows(category.code):
        candidate = row_filter.check(row, annotations)
        own.add(row.image_code)
        if candidate.annotation:
            yield candidate
    for row in table.rows_of(annotations.keys() - own):
        yield row_filter.check(row, annotations)


def _known_first(candidates: Iterable[Candidate], outcomes: Iterable[Outcome]) -> Iterator[Candidate]:
    """Yield first the images that an earlier run saved and that have been deleted or damaged since."""
    lost = {one.row.key for one in outcomes if one.status is Status.NOT_ATTEMPTED and one.picture}
    if not lost:
        yield from candidates
        return
    everything = list(candidates)
    yield from (one for one in everything if one.row.key in lost)
    yield from (one for one in everything if one.row.key not in lost)
