"""Tables of results, for the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .downloaders import PART_OF_IMAGENET
from .results import IMAGES, JUNK, LOST, MEMORY, PER_IMAGE, PROCESSOR, WALL, Metric, Results
from .targets import Target

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Column:
    """Title, metric, decimals and unit of a column."""

    title: str
    metric: Metric
    decimals: int = 0
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
    "Best round of each program; worst round for memory, junk and lost. wall ratio, CPU ratio: "
    "part-of-imagenet / this program. images: complete pictures of their URLs; junk: other files saved as "
    "images; lost: images of living URLs that were not saved."
)
Rows = list[list[str]]


def rows(results: Results, scenario: str) -> Rows:
    """Return the table of a scenario, with its header."""
    header = ["", *(column.title for column in COLUMNS), "wall ratio", "CPU ratio"]
    return [header, *(_row(results, scenario, name) for name in results.downloaders(scenario))]


def aligned(table: Rows) -> str:
    """Format a table for the screen: first column left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(_cells(row, widths)).rstrip() for row in table)


def markdown(table: Rows) -> str:
    """Format a table as Markdown."""
    rule = ["---", *["---:"] * (len(table[0]) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [table[0], rule, *table[1:]])


def target_rows(targets: Sequence[Target]) -> Rows:
    """Return the table of targets, with its header."""
    lines = [[one.name, f"{one.maximum:g}", _number(one.measured, 2), one.result] for one in targets]
    return [["target", "at most", "measured", ""], *lines]


def _row(results: Results, scenario: str, name: str) -> list[str]:
    cells = [
        _number(results.get(scenario, name, column.metric), column.decimals, column.unit)
        for column in COLUMNS
    ]
    is_ours = name == PART_OF_IMAGENET
    ratios = [
        None if is_ours else results.ratio(scenario, PART_OF_IMAGENET, name, metric)
        for metric in (WALL, PROCESSOR)
    ]
    return [name, *cells, *(_number(ratio, 2) for ratio in ratios)]


def _number(number: float | None, decimals: int, unit: float = 1) -> str:
    return "" if number is None else f"{number / unit:,.{decimals}f}"


def _cells(row: list[str], widths: list[int]) -> list[str]:
    first, *rest = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
