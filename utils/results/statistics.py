"""What a run came to, in numbers: derived from the journals, shown on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..models.enums import Status
from ..models.images import BoxCounts
from ..models.tasks import Outcome
from ..reasons import Reason

MOST_REASONS = 4
JUDGED = [
    reason.word
    for reason in (
        Reason.PLACEHOLDER,
        Reason.NOT_AN_IMAGE,
        Reason.TRUNCATED,
        Reason.CORRUPT,
        Reason.TOO_SMALL,
        Reason.TOO_LARGE,
        Reason.OPTED_OUT,
        Reason.ANNOTATION_MISMATCH,
    )
]
HEADER = (
    "category",
    "saved",
    "already there",
    "with boxes",
    "failed",
    "not needed",
    "not attempted",
    "MB there",
)
SHORT_HEADER = ("category", "saved", "there", "boxed", "failed", "spare", "untried", "MB")
"""Where a terminal is too narrow for the other."""
WIDEST_NAME, READABLE_NAME, LEAST_NAME = 40, 20, 6
LEAST_REASONS = 18
"""Columns; in fewer, reasons say nothing, and are left to the reports."""


@dataclass
class Summary:
    """The numbers of one category, or of several in all; grows by `add`.

    `code` tells the category's own images from those of other synsets; without it none are told.
    """

    name: str
    code: str = ""
    statuses: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    annotated: int = 0
    of_others: int = 0
    fitted: BoxCounts = field(default_factory=BoxCounts)
    misfits: int = 0
    bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.status is Status.FAILED:
            self.reasons[outcome.reason_word] += 1
        if outcome.status.is_saved:
            self.annotated += outcome.boxes is not None
            self.of_others += not outcome.row.image_code.startswith(self.code)
            self.misfits += outcome.boxes is None and outcome.fitted is not None
            self.fitted += outcome.fitted or BoxCounts()
            self.bytes += outcome.picture.bytes if outcome.picture else 0

    def counting(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Count outcomes as they pass by."""
        for outcome in outcomes:
            self.add(outcome)
            yield outcome

    def include(self, other: Summary) -> None:
        """Count what another has counted."""
        self.statuses += other.statuses
        self.reasons += other.reasons
        self.annotated += other.annotated
        self.of_others += other.of_others
        self.fitted += other.fitted
        self.misfits += other.misfits
        self.bytes += other.bytes

    @property
    def saved(self) -> int:
        """Images that are saved, by this run or earlier ones."""
        return sum(count for status, count in self.statuses.items() if status.is_saved)

    def line(self, width: int | None = None) -> str:
        """Say it in one line, which fits a terminal of this width (None: there is none)."""
        parts = self._parts(self._why())
        line = f"{self.name}: {', '.join(parts)}"
        if width is None or len(line) < width:
            return line
        words = f": {', '.join(self._parts(''))}"
        return shortened(self.name, max(LEAST_NAME, width - 1 - len(words))) + words

    def _parts(self, why: str) -> list[str]:
        parts = [
            f"{self.statuses[Status.DOWNLOADED]} saved",
            self._if_any(Status.ALREADY_PRESENT, "already there"),
            f"{self.annotated} with boxes" if self.annotated else "",
            f"{self.statuses[Status.FAILED]} failed{why}" if self.statuses[Status.FAILED] else "",
            self._if_any(Status.SKIPPED, "not needed"),
            self._if_any(Status.NOT_ATTEMPTED, "not attempted"),
        ]
        return [part for part in parts if part]

    def judgement(self) -> list[str]:
        """Say in a few lines what was refused, and how boxes were fitted: all of what is known by now."""
        refused = [f"{self.reasons[word]} {word}" for word in JUDGED if self.reasons[word]]
        counts = self.fitted
        boxes = [
            f"{counts.kept} as they were",
            f"{counts.scaled} scaled" if counts.scaled else "",
            f"{counts.mended} clipped to the picture or put in order" if counts.mended else "",
            f"{counts.dropped} dropped" if counts.dropped else "",
        ]
        lines = [
            f"Refused when judged: {', '.join(refused)}." if refused else "",
            f"Boxes in the folder now: {', '.join(filter(None, boxes))}." if counts != BoxCounts() else "",
            f"Images in the folder whose boxes do not fit them any more, saved without: {self.misfits}."
            if self.misfits
            else "",
            f"Images in the folder of other categories that hold this one: {self.of_others}."
            if self.of_others
            else "",
        ]
        return [line for line in lines if line]

    def why(self) -> str:
        """Give the commonest reasons of failure with their counts, e.g. `http_404 9, timeout 3`."""
        common = [f"{word} {count}" for word, count in self.reasons.most_common(MOST_REASONS)]
        rest = sum(self.reasons.values()) - sum(count for _, count in self.reasons.most_common(MOST_REASONS))
        return ", ".join([*common, f"other {rest}"] if rest else common)

    def _why(self) -> str:
        return f" ({self.why()})" if self.reasons else ""

    def _if_any(self, status: Status, words: str) -> str:
        return f"{self.statuses[status]} {words}" if self.statuses[status] else ""


def total(summaries: Sequence[Summary]) -> Summary:
    """Add up."""
    result = Summary("all")
    for summary in summaries:
        result.include(summary)
    return result


def table(summaries: Sequence[Summary], width: int | None = None) -> str:
    """Set the numbers of categories in a table, with their totals where there are several.

    In a terminal of this `width` (None: there is none) reasons are cut first, then names in their middle.
    """
    rows = [*summaries, total(summaries)] if len(summaries) > 1 else list(summaries)
    cells = [list(HEADER), *(_cells(row) for row in rows)]
    shown = [column for column in range(len(HEADER)) if column not in _empty(cells)]
    widths = _widths(cells, shown)
    if (
        width is not None
        and sum(widths[1:]) + min(widths[0], READABLE_NAME) + len(widths[1:]) * len("  ") >= width
    ):
        cells[0] = list(SHORT_HEADER)
        widths = _widths(cells, shown)
    room = _fit(cells, widths, width)
    lines = []
    for line, why in zip(cells, ["failed because of", *(row.why() for row in rows)], strict=True):
        aligned = [
            line[column].ljust(width) if column == 0 else line[column].rjust(width)
            for column, width in zip(shown, widths, strict=True)
        ]
        lines.append("  ".join([*aligned, *([_cut(why, room)] if room != 0 else [])]).rstrip())
    return "\n".join(lines)


def _widths(cells: list[list[str]], shown: Sequence[int]) -> list[int]:
    return [max(len(line[column]) for line in cells) for column in shown]


def _fit(cells: list[list[str]], widths: list[int], width: int | None) -> int | None:
    """Shorten names where the numbers need their room; say how much is left for reasons, None for any."""
    if width is None:
        return None
    room = width - 1 - sum(widths) - len(widths) * len("  ")  # some terminals wrap a line that fills them
    if room < LEAST_REASONS:
        widths[0] = max(LEAST_NAME, min(widths[0], widths[0] + room + len("  ")))
        for line in cells:
            line[0] = shortened(line[0], widths[0])
    return room if room >= LEAST_REASONS else 0


def shortened(name: str, width: int) -> str:
    """Leave out the middle of a name that is too long; its end tells it from others of its beginning."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def _cells(row: Summary) -> list[str]:
    counts = [
        row.statuses[Status.DOWNLOADED],
        row.statuses[Status.ALREADY_PRESENT],
        row.annotated,
        row.statuses[Status.FAILED],
        row.statuses[Status.SKIPPED],
        row.statuses[Status.NOT_ATTEMPTED],
    ]
    return [shortened(row.name, WIDEST_NAME), *(str(count) for count in counts), f"{row.bytes / 1e6:.1f}"]


def _empty(cells: list[list[str]]) -> set[int]:
    """Find the columns in which nothing happened; the ones that everybody looks for always stay."""
    return {column for column in (2, 5, 6) if all(line[column] == "0" for line in cells[1:])}
