"""The numbers of a run by category, derived from journals, and the table of them on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..models.images import BoxCounts
from ..models.tasks import Outcome
from ..reasons import Reason, Status
from ..text import COLUMN_GAP, display_width, format_table, join_names, pluralize, truncate, truncate_middle
from ..urls import VALIDATION_PREFIX
from .own_images import OwnImage, OwnImages

MOST_REASONS, MOST_FILES = 4, 3
MOST_CATEGORIES = 20
"""Categories that are shown one by one."""
WIDEST_NAME, READABLE_NAME, LEAST_NAME = 40, 20, 6
LEAST_REASONS = 18
"""Columns of the terminal; where there are fewer, the table has no reasons."""
REJECTIONS = (
    *(Reason.PLACEHOLDER, Reason.NOT_AN_IMAGE, Reason.TRUNCATED, Reason.CORRUPT),
    *(Reason.TOO_SMALL, Reason.TOO_LARGE, Reason.OPTED_OUT, Reason.ANNOTATION_MISMATCH),
)


@dataclass
class Summary:
    """The numbers of one category, or of several together.

    Attributes
    ----------
    code
        The category's wnid; "" if images of other synsets are not to be counted.
    reasons
        Failures by the word of their reason.
    annotated
        Images with boxes.
    from_other_synsets
        Images whose image code has another wnid than `code`.
    fitted
        How the boxes were fitted.
    mismatched
        Images saved without boxes because none of them fits.
    bytes
        Size of all images.
    own
        Photos of the user's own, which count as nothing else.
    not_images
        Other files in `Images/`, each with the reason.
    """

    name: str
    code: str = ""
    statuses: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    annotated: int = 0
    from_other_synsets: int = 0
    fitted: BoxCounts = field(default_factory=BoxCounts)
    mismatched: int = 0
    bytes: int = 0
    own: int = 0
    not_images: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.status is Status.FAILED:
            self.reasons[outcome.reason_word] += 1
        if outcome.status.is_saved:
            self.annotated += outcome.boxes is not None
            self.from_other_synsets += not outcome.row.image_code.startswith((self.code, VALIDATION_PREFIX))
            self.mismatched += outcome.boxes is None and outcome.fitted is not None
            self.fitted += outcome.fitted or BoxCounts()
            self.bytes += outcome.picture.bytes if outcome.picture else 0

    def counting(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Yield outcomes, and count each of them."""
        for outcome in outcomes:
            self.add(outcome)
            yield outcome

    def counting_own(self, found: OwnImages) -> tuple[OwnImage, ...]:
        """Count own photos, and return them."""
        self.own += len(found.valid)
        self.not_images += found.invalid
        return found.valid

    def include(self, other: Summary) -> None:
        """Add the numbers of another summary."""
        self.statuses += other.statuses
        self.reasons += other.reasons
        self.annotated += other.annotated
        self.from_other_synsets += other.from_other_synsets
        self.fitted += other.fitted
        self.mismatched += other.mismatched
        self.bytes += other.bytes
        self.own += other.own
        self.not_images += other.not_images

    @property
    def images(self) -> int:
        """Images in the category's folder."""
        return sum(count for status, count in self.statuses.items() if status.is_saved)

    @property
    def failure_reasons(self) -> str:
        """The most frequent reasons with their counts, as in `http_404 9, timeout 3`."""
        most = self.reasons.most_common(MOST_REASONS)
        rest = self.reasons.total() - sum(count for _, count in most)
        return ", ".join(f"{word} {count}" for word, count in [*most, *([("other", rest)] if rest else [])])

    def line(self, width: int | None = None) -> str:
        """Return the numbers in one line, shortened to a terminal of this width (None: there is none)."""
        line = f"{self.name}: {self.counts}"
        if width is None or len(line) < width:
            return line
        counts = f": {self._counts('')}"
        return truncate_middle(self.name, max(LEAST_NAME, width - 1 - len(counts))) + counts

    @property
    def counts(self) -> str:
        """The numbers, as in `3 saved, 2 with boxes, 9 failed (http_404 9)`."""
        return self._counts(f" ({self.failure_reasons})" if self.reasons else "")

    def _counts(self, reasons: str) -> str:
        parts = [
            (self.statuses[Status.ALREADY_PRESENT], "already there"),
            (self.annotated, "with boxes"),
            (self.own, "own"),
            (self.statuses[Status.FAILED], f"failed{reasons}"),
            (self.statuses[Status.SKIPPED], "not needed"),
            (self.statuses[Status.NOT_ATTEMPTED], "not attempted"),
        ]
        saved = f"{self.statuses[Status.DOWNLOADED]} saved"
        return ", ".join([saved, *(f"{number} {words}" for number, words in parts if number)])

    def details(self) -> list[str]:
        """Return sentences on rejected images and on boxes, over all runs."""
        sentences = []
        counts_by_word = [(self.reasons[reason.word], reason.word) for reason in REJECTIONS]
        if rejected := [f"{count} {word}" for count, word in counts_by_word if count]:
            sentences.append(f"Rejected images: {', '.join(rejected)}.")
        counts = self.fitted
        if counts != BoxCounts():
            changed = [(counts.scaled, "rescaled"), (counts.mended, "clipped or reordered")]
            how = ", ".join(f"{number} {word}" for number, word in changed if number)
            kept = pluralize(counts.kept + counts.scaled + counts.mended, "box")
            left_out = f", {counts.dropped} left out" if counts.dropped else ""
            sentences.append(f"{kept} kept{f' ({how})' if how else ''}{left_out}.")
        if self.mismatched:
            images = pluralize(self.mismatched, "image")
            sentences.append(f"{images} of another shape than the annotated one; saved without boxes.")
        if number := self.from_other_synsets:
            listed, shows = ("is listed", "shows") if number == 1 else ("are listed", "show")
            sentences.append(
                f"{pluralize(number, 'image')} {listed} under other categories but {shows} this one."
            )
        return sentences + self.left_out()

    def left_out(self) -> list[str]:
        """Return a sentence on the user's own files that are no images, if there are any."""
        if not (number := len(self.not_images)):
            return []
        is_no, it = ("is no image", "is") if number == 1 else ("are no images", "are")
        names = join_names(self.not_images, MOST_FILES)
        return [f"{pluralize(number, 'own file')} {is_no} and {it} left out: {names}."]


def total(summaries: Sequence[Summary]) -> Summary:
    """Add up several summaries."""
    result = Summary("all")
    for summary in summaries:
        result.include(summary)
    return result


@dataclass(frozen=True)
class _Column:
    """A column of the table; `short` is its header on a narrow terminal."""

    header: str
    short: str
    cell: Callable[[Summary], str]
    is_optional: bool = False  # left out if all numbers are 0


def _count(status: Status) -> Callable[[Summary], str]:
    return lambda summary: str(summary.statuses[status])


_COLUMNS = (
    _Column("category", "category", lambda summary: truncate_middle(summary.name, WIDEST_NAME)),
    _Column("saved", "saved", _count(Status.DOWNLOADED)),
    _Column("already there", "there", _count(Status.ALREADY_PRESENT), is_optional=True),
    _Column("with boxes", "boxed", lambda summary: str(summary.annotated)),
    _Column("own", "own", lambda summary: str(summary.own), is_optional=True),
    _Column("failed", "failed", _count(Status.FAILED)),
    _Column("not needed", "spare", _count(Status.SKIPPED), is_optional=True),
    _Column("not attempted", "untried", _count(Status.NOT_ATTEMPTED), is_optional=True),
    _Column("MB there", "MB", lambda summary: f"{summary.bytes / 1e6:.1f}"),
)


def table(summaries: Sequence[Summary], width: int | None = None) -> str:
    """Return a table with a row for each category, and their total if there are several.

    Of many categories it has those with the most failures, then with the most images.

    On a terminal of this `width` (None: there is none) first the reasons are cut, then the headers, then the
    names.
    """
    order = sorted(summaries, key=lambda one: (-one.statuses[Status.FAILED], -one.images))
    rows = order[:MOST_CATEGORIES]
    if len(rows) == len(summaries):
        rows = list(summaries)  # in their order
    if len(summaries) > 1:
        rows.append(total(summaries))
    shown = [
        column
        for column in _COLUMNS
        if not column.is_optional or any(column.cell(row) != "0" for row in rows)
    ]
    cells = [[column.cell(row) for column in shown] for row in rows]
    reasons = ["failed because of", *(row.failure_reasons for row in rows)]
    header = [column.header for column in shown]
    lines = format_table([header, *cells])
    if width is not None:
        room = width - 1  # some terminals wrap a line that fills them
        longest_name = max(display_width(line[0]) for line in [header, *cells])
        if display_width(lines[0]) - max(0, longest_name - READABLE_NAME) > room:
            header = [column.short for column in shown]
        lines = format_table([header, *cells], width=room, shorten=truncate_middle)
        room -= display_width(lines[0]) + len(COLUMN_GAP)
        reasons = [truncate(text, room) if room >= LEAST_REASONS else "" for text in reasons]
    return "\n".join(f"{line}{COLUMN_GAP}{why}".rstrip() for line, why in zip(lines, reasons, strict=True))
