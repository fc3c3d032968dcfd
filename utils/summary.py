"""What a run came to, in numbers: derived from the journals, shown on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .models import Outcome, Status

MOST_REASONS = 4
WIDEST_NAME = 40


@dataclass
class Summary:
    """The numbers of one category, or of several in all; grows by `add`."""

    name: str
    statuses: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    annotated: int = 0
    boxes: int = 0
    bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.status is Status.FAILED:
            self.reasons[outcome.reason_word] += 1
        if outcome.status.stands:
            self.annotated += outcome.boxes is not None
            self.boxes += outcome.boxes or 0
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
        self.boxes += other.boxes
        self.bytes += other.bytes

    @property
    def standing(self) -> int:
        """Images that lie in the category's folder."""
        return sum(count for status, count in self.statuses.items() if status.stands)

    def line(self) -> str:
        """Say it in one line."""
        parts = [
            f"{self.statuses[Status.DOWNLOADED]} saved",
            self._if_any(Status.ALREADY_PRESENT, "already there"),
            f"{self.annotated} with boxes" if self.annotated else "",
            f"{self.statuses[Status.FAILED]} failed{self._why()}" if self.statuses[Status.FAILED] else "",
            self._if_any(Status.SKIPPED, "not needed"),
            self._if_any(Status.NOT_ATTEMPTED, "not attempted"),
        ]
        return f"{self.name}: {', '.join(part for part in parts if part)}"

    def why(self) -> str:
        """Give the commonest reasons of failure with their counts, e.g. `http_404 9, timeout 3`."""
        common = [f"{word} {count}" for word, count in self.reasons.most_common(MOST_REASONS)]
        rest = sum(self.reasons.values()) - sum(count for _, count in self.reasons.most_common(MOST_REASONS))
        return ", ".join([*common, f"other {rest}"] if rest else common)

    def _why(self) -> str:
        return f" ({self.why()})" if self.reasons else ""

    def _if_any(self, status: Status, words: str) -> str:
        return f"{self.statuses[status]} {words}" if self.statuses[status] else ""


def table(summaries: Sequence[Summary]) -> str:
    """Set the numbers of categories in a table, with their totals where there are several."""
    rows = list(summaries)
    if len(rows) > 1:
        total = Summary("all")
        for summary in summaries:
            total.include(summary)
        rows.append(total)
    header = [
        "category",
        "saved",
        "already there",
        "with boxes",
        "failed",
        "not needed",
        "not attempted",
        "MB",
    ]
    cells = [header, *(_cells(row) for row in rows)]
    shown = [column for column in range(len(header)) if column not in _empty(cells)]
    widths = [max(len(line[column]) for line in cells) for column in shown]
    lines = []
    for line, why in zip(cells, ["failed because of", *(row.why() for row in rows)], strict=True):
        aligned = [
            line[column].ljust(width) if column == 0 else line[column].rjust(width)
            for column, width in zip(shown, widths, strict=True)
        ]
        lines.append("  ".join([*aligned, why]).rstrip())
    return "\n".join(lines)


def _cells(row: Summary) -> list[str]:
    counts = [
        row.statuses[Status.DOWNLOADED],
        row.statuses[Status.ALREADY_PRESENT],
        row.annotated,
        row.statuses[Status.FAILED],
        row.statuses[Status.SKIPPED],
        row.statuses[Status.NOT_ATTEMPTED],
    ]
    name = row.name if len(row.name) <= WIDEST_NAME else row.name[: WIDEST_NAME - 1] + "…"
    return [name, *(str(count) for count in counts), f"{row.bytes / 1e6:.1f}"]


def _empty(cells: list[list[str]]) -> set[int]:
    """Find the columns in which nothing happened; the ones that everybody looks for always stay."""
    return {column for column in (2, 5, 6) if all(line[column] == "0" for line in cells[1:])}
