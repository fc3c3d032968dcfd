"""What a run would do, counted by a category job that writes nothing (`--dry_run`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..models.rows import Category
from ..text import pluralize
from .category_job import CategoryJob, Decision
from .context import RunContext


@dataclass(frozen=True)
class DryRun:
    """What a run would do for one category.

    Attributes
    ----------
    origin
        The content of its sources, e.g. `312 URLs and its tar`.
    candidates
        Candidates that are known before anything is downloaded.
    considered
        How many of these a run would consider: the first `how_many`, if URLs tried are counted.
    decisions
        The decisions on those considered.
    elsewhere
        Saved images that belong to none of those considered.
    notices
        Sentences about a problem with its annotations, and about files that the run would change.
    missing_boxes
        A sentence if there is no archive of its boxes, else empty.
    """

    category: Category
    origin: str
    candidates: int
    considered: int
    decisions: Counter[Decision]
    elsewhere: int
    notices: Sequence[str]
    missing_boxes: str

    @property
    def to_try(self) -> int:
        """The maximum number of URLs that would be tried."""
        return self.decisions[Decision.TRY]

    @property
    def saved(self) -> int:
        """The number of images that are saved already."""
        return self.decisions[Decision.SAVED] + self.elsewhere

    def lines(self) -> list[str]:
        """Describe it, in one line if nothing is wrong; missing boxes are left out."""
        counts = self.decisions
        parts = [
            f"the first {self.considered} of {self.origin}"
            if self.considered < self.candidates
            else self.origin,
            f"{self.to_try} to try" if self.candidates else "",
            f"{counts[Decision.SAVED]} already there" if counts[Decision.SAVED] else "",
            f"{counts[Decision.GIVE_UP]} failed permanently" if counts[Decision.GIVE_UP] else "",
            f"{counts[Decision.EXCLUDED]} excluded" if counts[Decision.EXCLUDED] else "",
            f"{counts[Decision.NOT_NEEDED]} not needed" if counts[Decision.NOT_NEEDED] else "",
            self._elsewhere_text(),
        ]
        line = f"{self.category.folder} ({self.category.code}): {', '.join(filter(None, parts))}"
        return [line, *self.notices]

    def _elsewhere_text(self) -> str:
        if not self.elsewhere:
            return ""
        more = "more " if self.decisions[Decision.SAVED] else ""
        return f"{self.elsewhere} {more}image{'s' * (self.elsewhere > 1)} there"


def dry_run(category: Category, context: RunContext) -> DryRun:
    """Count what a run would do for a category.

    Raises
    ------
    DiskError, FolderError
        If its folder cannot be read.
    """
    settings = context.settings
    content = context.read_annotations(category)
    notices = [content.problem] if content.problem and not content.is_missing else []
    job = CategoryJob(
        category,
        context,
        lambda *_: None,
        annotations=content.annotations,
        read_only=True,
        on_notice=notices.append,
    )
    candidates, decisions, elsewhere = job.count_decisions()
    origin = " and ".join(source.describe(category) for source in context.sources)
    if (listed := context.listed.codes(category.code)) is not None:
        origin = pluralize(len(listed), "listed image")
    if settings.with_annotation and any(source.listable for source in context.sources):
        origin = f"{candidates} of {origin} with boxes"
    return DryRun(
        category,
        origin,
        candidates,
        considered=sum(decisions.values()),
        decisions=decisions,
        elsewhere=elsewhere,
        notices=notices,
        missing_boxes=content.problem if content.is_missing else "",
    )
