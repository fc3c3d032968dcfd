"""All that a category has to offer, from one source after the other, as `--source` says.

The second source is asked when it is clear what the first could not deliver: its offer is made only when
nothing of the first is under way any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..models.images import Annotation
from ..models.rows import Candidate, Category
from ..models.settings import ImageSource
from ..models.tasks import Outcome
from ..pipeline.context import RunContext, counts_saved
from ..pipeline.known_outcomes import holds
from .base import Source, UrlTableSource
from .row_filter import candidates, known_good_first
from .tar_source import TarProgress, TarRequest, TarSource, is_member


@dataclass(frozen=True)
class Known:
    """What a category has and knows when its books are opened.

    Attributes
    ----------
    annotations
        What its archive of boxes holds, by image code.
    outcomes
        Gives what is known by now of all that was considered.
    standing
        The image codes that have an image; kept up to date by the owner.
    """

    annotations: Mapping[str, Annotation]
    outcomes: Callable[[], Iterable[Outcome]]
    standing: Collection[str]


class SourceChain:
    """The candidates of a category.

    Parameters
    ----------
    is_idle
        Whether nothing that was offered is under way.
    """

    def __init__(
        self, category: Category, store: RunContext, known: Known, *, is_idle: Callable[[], bool]
    ) -> None:
        self._category, self._store, self._known, self._is_idle = category, store, known, is_idle
        self._by_saved = counts_saved(category, store.settings)
        self._limit = -1 if self._by_saved else category.how_many
        self._offered: set[str] = set()
        self._coming = deque(SOURCES[store.settings.source])
        self._offer: Source = self._coming.popleft()(self)

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""
        return self._offer.exhausted and not self._coming

    @property
    def problem(self) -> str:
        """Why not everything could be had that there is, in a sentence; empty if it could."""
        return self._offer.problem

    def next(self) -> Candidate | None:
        """Give the next candidate; None if there is none at present."""
        candidate = self._offer.next()
        if candidate is None and self._offer.exhausted and self._coming and self._is_idle():
            self._offer = self._coming.popleft()(self)
            candidate = self._offer.next()
        if candidate is not None:
            self._offered.add(candidate.row.image_code)
        return candidate

    def end_early(self) -> bool:
        """Turn to no other source any more; says whether all that would have come can be told at once."""
        self._coming.clear()
        if self._store.feeds:
            self._store.feeds.start_no_more()
        return isinstance(self._offer, UrlTableSource)

    def close(self, *, finished: bool) -> None:
        """Let go of the sources; if the work is not `finished`, a later run goes on where this one ends."""
        self._offer.close(finished=finished)
        if finished and self._store.feeds and not self.problem:
            self._store.feeds.clear(self._category.code)

    def from_table(self) -> Source:
        """Offer the rows of the URL table."""
        if self._by_saved:
            return UrlTableSource(known_good_first(self._rows, self._known.outcomes()), self._limit)
        return UrlTableSource(self._rows(), self._limit)

    def _rows(self) -> Iterator[Candidate]:
        table, only_annotated = self._store.table, self._store.settings.with_annotation
        return candidates(self._category, table, self._known.annotations, only_annotated=only_annotated)

    def from_archive(self) -> Source:
        """Offer what the category's tar holds or, where URLs are counted, what they could not deliver."""
        feeds, code, known = self._store.feeds, self._category.code, self._known
        assert feeds is not None  # noqa: S101  # there are, if the settings want them
        wish = self._wish(feeds.address(code))
        note = self._store.category(self._category).archive_note
        offer = TarSource(
            wish,
            lambda: feeds.open(code),
            annotations=known.annotations,
            outcomes=known.outcomes,
            note=note,
        )
        if self._brings_nothing(wish, TarProgress.load(note)):
            offer.close(finished=False)
        return offer

    def _wish(self, address: str) -> TarRequest:
        if self._offered and self._limit >= 0:  # these URLs were counted
            return TarRequest(address, among=frozenset(self._offered.difference(self._known.standing)))
        annotated = self._store.settings.with_annotation
        return TarRequest(address, self._limit, frozenset(self._known.annotations) if annotated else None)

    def _brings_nothing(self, wish: TarRequest, read: TarProgress) -> bool:
        """Whether all that a tar has to offer was had before, and nothing of it is to be judged again."""
        members = [one for one in self._known.outcomes() if is_member(one.row, wish.address)]
        wanted = [one for one in members if wish.among is None or one.row.image_code in wish.among]
        known = {one.row.image_code for one in members}.union(self._known.standing)
        return read.covers(wish, known) and all(holds(one, self._store.settings) for one in wanted)


SOURCES: dict[ImageSource, tuple[Callable[[SourceChain], Source], ...]] = {
    ImageSource.URLS: (SourceChain.from_table,),
    ImageSource.ARCHIVE: (SourceChain.from_archive,),
    ImageSource.BOTH: (SourceChain.from_table, SourceChain.from_archive),
}
