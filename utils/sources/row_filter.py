"""Which URLs a category has to offer, in the order in which they are considered.

First come the category's own rows, in the table's order; where images are counted, those that are known to
be good come before them. Where only annotated images are wanted, those of
other synsets follow for which the category's archive holds boxes; they stand in the table under their own
wnid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from .. import urls
from ..models.enums import Status
from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.tasks import Outcome
from ..reasons import Reason, Rejection
from .url_table import UrlTable

DUPLICATE = Rejection(Reason.DUPLICATE_IMAGE_CODE, "An earlier row of the category has the same image code.")


def candidates(
    category: Category, table: UrlTable, annotations: Mapping[str, Annotation], *, only_annotated: bool
) -> Iterator[Candidate]:
    """Yield what a category has to offer.

    Parameters
    ----------
    annotations
        Of the category's archive, by image code.
    only_annotated
        Whether images without an annotation are left out, and those of other synsets come in.
    """
    row_filter = RowFilter()
    own = set()
    for row in table.rows(category.code):
        candidate = row_filter.check(row, annotations)
        own.add(row.image_code)
        if candidate.annotation or not only_annotated:
            yield candidate
    if only_annotated:
        for row in table.rows_of(annotations.keys() - own):
            yield row_filter.check(row, annotations)


def known_good_first(
    offered: Callable[[], Iterator[Candidate]], outcomes: Iterable[Outcome]
) -> Iterator[Candidate]:
    """Yield at first those that had an image once, which was deleted or spoilt, then all others."""
    lost = {one.row.key for one in outcomes if one.status is Status.NOT_ATTEMPTED and one.picture}
    if lost:
        yield from (one for one in offered() if one.row.key in lost)
    yield from (one for one in offered() if one.row.key not in lost)


class RowFilter:
    """Tells rows that can be tried from those that cannot, over all rows of a category."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._repeats: Counter[str] = Counter()
        self._taken: set[str] = set()

    def check(self, row: UrlRow, annotations: Mapping[str, Annotation]) -> Candidate:
        """Make a candidate of the next row, with the reason if it cannot be tried."""
        if row.image_code in self._seen:
            self._repeats[row.image_code] += 1
            row = replace(row, repeat=self._repeats[row.image_code])
        self._seen.add(row.image_code)
        rejection = urls.rejection(row)
        if rejection is None and row.image_code in self._taken:
            rejection = DUPLICATE
        if rejection is None:
            self._taken.add(row.image_code)
        return Candidate(row, rejection, annotations.get(row.image_code))
