"""All that a category has to offer, from one source after the other, as `--source` says.

The second source is asked when it is clear what the first could not deliver: its offer is made only when
nothing of the first is under way any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from .archive_offer import ArchiveOffer, ReadThrough, Wish
from .candidates import candidates
from .models import Annotation, Candidate, Category, Outcome, Source
from .offers import Offer, UrlOffer
from .store import Store, counts_saved, how_many
from .verdicts import holds


@dataclass(frozen=True)
class Known:
    """What a category has and knows when its books are opened.

    Attributes
    ----------
    annotations
        What its archive of boxes holds, by image code.
    outcomes
        What earlier runs found.
    standing
        The image codes that have an image; kept up to date by the owner.
    """

    annotations: Mapping[str, Annotation]
    outcomes: Collection[Outcome]
    standing: Collection[str]


class Offering:
    """The candidates of a category.

    Parameters
    ----------
    is_idle
        Whether nothing that was offered is under way.
    """

    def __init__(
        self, category: Category, store: Store, known: Known, *, is_idle: Callable[[], bool]
    ) -> None:
        self._category, self._store, self._known, self._is_idle = category, store, known, is_idle
        self._by_saved = counts_saved(category, store.settings)
        self._limit = -1 if self._by_saved else how_many(category, store.settings)
        self._offered: set[str] = set()
        self._coming = deque(SOURCES[store.settings.source])
        self._offer: Offer = self._coming.popleft()(self)

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
        return isinstance(self._offer, UrlOffer)

    def close(self, *, finished: bool) -> None:
        """Let go of the sources; if the work is not `finished`, a later run goes on where this one ends."""
        self._offer.close(finished=finished)

    def from_table(self) -> Offer:
        """Offer the rows of the URL table."""
        settings, table = self._store.settings, self._store.table
        only_annotated = settings.with_annotation
        rows = candidates(self._category, table, self._known.annotations, only_annotated=only_annotated)
        return UrlOffer(rows, self._limit)

    def from_archive(self) -> Offer:
        """Offer what the category's tar holds or, where URLs are counted, what they could not deliver."""
        feeds, code = self._store.feeds, self._category.code
        assert feeds is not None  # noqa: S101  # there are, if the settings want them
        among = frozenset(self._offered.difference(self._known.standing))
        wish = Wish(
            feeds.address(code),
            self._store.settings.with_annotation,
            self._limit,
            among if self._offered and self._limit >= 0 else None,
        )
        note = self._store.category(self._category).archive_note
        offer = ArchiveOffer(wish, lambda: feeds.open(code), self._known.annotations, note)
        if ReadThrough.load(note).covers(wish) and not self._has_open_rows(wish):
            offer.close(finished=False)  # nothing to be had that was not had before
        return offer

    def _has_open_rows(self, wish: Wish) -> bool:
        """Whether earlier runs left images of the tar that are to be judged again."""
        return any(
            outcome.row.url.startswith(f"{wish.address}#") and not holds(outcome, self._store.settings)
            for outcome in self._known.outcomes
        )


SOURCES: dict[Source, tuple[Callable[[Offering], Offer], ...]] = {
    Source.URLS: (Offering.from_table,),
    Source.ARCHIVE: (Offering.from_archive,),
    Source.BOTH: (Offering.from_table, Offering.from_archive),
}
