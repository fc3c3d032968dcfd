"""Results as tables, for the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .contestants import OURS
from .goals import Reached
from .results import IMAGES, JUNK, LOST, MEMORY, PER_IMAGE, PROCESSOR, WALL, Figure, Results

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column: its title, what stands in it, in which unit and with how many digits."""

    title: str
    figure: Figure
    digits: int = 0
    unit: float = 1


COLUMNS = (
    Column("wall s", WALL, 2),
    Column("CPU s", PROCESSOR, 2),
    Column("CPU ms/image", PER_IMAGE, 2),
    Column("peak MB", MEMORY, unit=MEGABYTE),
    Column("images", IMAGES),
    Column("junk", JUNK),
    Column("lost", LOST),
)
LEGEND = (
    "Everyone's best round; of memory, junk and losses the worst. wall, CPU ratio: ours / this. "
    "images: whole, and what is behind their URLs; junk: other files saved as images; "
    "lost: images that could be had, and were not saved."
)
Rows = list[list[str]]


def rows(results: Results, scenario: str) -> Rows:
    """Make a scenario's table, with its header."""
    header = ["", *(column.title for column in COLUMNS), "wall ratio", "CPU ratio"]
    return [header, *(_row(results, scenario, name) for name in results.contestants(scenario))]


def aligned(table: Rows) -> str:
    """Lay a table out for the screen: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(_cells(row, widths)).rstrip() for row in table)


def markdown(table: Rows) -> str:
    """Lay a table out as Markdown."""
    rule = ["---", *["---:"] * (len(table[0]) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [table[0], rule, *table[1:]])


def goal_rows(reached: Sequence[Reached]) -> Rows:
    """Make the table of goals."""
    lines = [[one.name, f"{one.most:g}", _shown(one.measured, 2), one.word] for one in reached]
    return [["goal", "at most", "measured", ""], *lines]


def _row(results: Results, scenario: str, name: str) -> list[str]:
    figures = [_cell(results.get(scenario, name, one.figure), one) for one in COLUMNS]
    ratios = [None if name == OURS else results.ratio(scenario, OURS, name, one) for one in (WALL, PROCESSOR)]
    return [name, *figures, *(_shown(ratio, 2) for ratio in ratios)]


def _cell(number: float | None, column: Column) -> str:
    return _shown(None if number is None else number / column.unit, column.digits)


def _shown(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:,.{digits}f}"


def _cells(row: list[str], widths: list[int]) -> list[str]:
    first, *rest = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
