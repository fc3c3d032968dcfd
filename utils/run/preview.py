"""What a run would do, without doing anything: the answer to `--dry_run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..annotations import voc
from ..models import Annotation, Candidate, Category, Lasting, Outcome, Settings, Source, Status
from ..results import journal
from ..storage import CategoryFolder
from ..tables.url_table import UrlTable
from .candidates import candidates
from .store import how_many


@dataclass(frozen=True)
class Preview:
    """One category's numbers.

    Attributes
    ----------
    urls
        Rows of the URL table.
    candidates
        Rows that come into question: all, or those with an annotation.
    present, given_up
        Of these, images that are there, and URLs that earlier runs found dead for good.
    to_try
        URLs that would be tried, at most.
    problem
        What is wrong with its annotations; empty if nothing is.
    """

    category: Category
    urls: int
    candidates: int
    present: int
    given_up: int
    to_try: int
    problem: str

    def line(self) -> str:
        """Say it in one line."""
        which = (
            f"{self.candidates} of {self.urls} URLs with boxes"
            if self.candidates != self.urls
            else f"{self.urls} URLs"
        )
        parts = [which, f"{self.to_try} to try"]
        parts += [f"{self.present} already there"] if self.present else []
        parts += [f"{self.given_up} dead for good"] if self.given_up else []
        return f"{self.category.folder} ({self.category.code}): {', '.join(parts)}"


def preview(category: Category, table: UrlTable, folder: CategoryFolder, settings: Settings) -> Preview:
    """Reckon what a run would do for a category."""
    content = voc.read(settings.annotations_dir, category.code)
    known = _known(folder)
    offered = _offered(category, table, content.annotations, settings)
    present = [one for one in offered if _stands(known, one)]
    gone = [one for one in offered if _is_gone(known, one, settings)]
    limit = how_many(category, settings)
    considered = offered if limit < 0 or settings.fill else offered[:limit]
    to_try = [one for one in considered if not (_stands(known, one) or _is_gone(known, one, settings))]
    if settings.fill and 0 <= limit <= len(present):
        to_try = []
    return Preview(
        category,
        urls=table.count(category.code) if offered else 0,
        candidates=len(offered),
        present=len(present) if offered else sum(outcome.status.stands for outcome in known.values()),
        given_up=len(gone),
        to_try=len(to_try),
        problem=content.problem,
    )


def _known(folder: CategoryFolder) -> dict[str, Outcome]:
    if not folder.journal.exists():
        return {}
    return {outcome.row.key: outcome for outcome in journal.standing(folder.journal)}


def _offered(
    category: Category, table: UrlTable, annotations: Mapping[str, Annotation], settings: Settings
) -> list[Candidate]:
    only_annotated = settings.with_annotation
    if settings.source is Source.ARCHIVE:
        return []
    return list(candidates(category, table, annotations, only_annotated=only_annotated))


def _stands(known: dict[str, Outcome], candidate: Candidate) -> bool:
    outcome = known.get(candidate.row.key)
    return outcome is not None and outcome.status.stands


def _is_gone(known: dict[str, Outcome], candidate: Candidate, settings: Settings) -> bool:
    if candidate.refusal or settings.retry_failed:
        return candidate.refusal is not None
    outcome = known.get(candidate.row.key)
    return outcome is not None and outcome.status is Status.FAILED and outcome.lasting is Lasting.FOR_GOOD
