"""The dataset card: what was asked for, what is there, what failed and why, whose it is, how it is loaded."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from string import Template

from ..fetch.credentials import Credentials
from ..files import write_atomic
from ..models.enums import Status
from ..models.settings import Settings
from ..results.paths import RESULT_FOLDER
from ..sources.registry import source_types
from ..text import pluralize
from . import markdown, run_history, snippets
from .category_stats import CategoryStats, Distinct, total
from .meanings import meaning
from .ownership import MARK
from .run_history import RunHistory

TEMPLATE = Path(__file__).with_name("card.md")
NAMED_IN_TITLE = 4
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
SIZE_WORDS = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
"""Of dataset cards, for numbers of images up to those."""
HEADER = ("category", "wnid", "URLs", "saved", "with boxes", "boxes", "failed")


def write(
    path: Path, figures: Sequence[CategoryStats], settings: Settings, at: str, *, saved: int = 0
) -> None:
    """Write the card of a result folder whose categories have these figures.

    Parameters
    ----------
    saved
        How many images this run saved.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        _numbers(figures),
        **_tables(figures),
        mark=MARK,
        date=at,
        version=f" {run_history.version()}".rstrip(),
        commands=markdown.code(_commands(path, settings, at, saved)),
        source=_source(settings),
        url_table=_file_name(settings.url_data),
        annotations=f"{_file_name(settings.annotations_dir)}/",
        root=RESULT_FOLDER,
        raw=snippets.RAW,
        exports=_exports(),
    )
    write_atomic(path, text.encode(errors="replace"))


def _numbers(figures: Sequence[CategoryStats]) -> dict[str, str]:
    everything = total(figures)
    return {
        "contents": _contents(figures),
        "categories": pluralize(len(figures), "category"),
        "urls": pluralize(everything.urls, "URL"),
        "saved": pluralize(everything.saved, "image"),
        "annotated": f"{everything.annotated:,}",
        "boxes": pluralize(everything.boxes, "box"),
        "distinct": _distinct(everything),
        "undecided": _undecided(everything),
        "size_category": SIZE_WORDS[min(bisect_right(SIZES, everything.saved), len(SIZE_WORDS) - 1)],
    }


def _distinct(everything: CategoryStats) -> str:
    """Say how many images there are by their bytes, where that are fewer."""
    distinct = everything.distinct()
    if distinct == Distinct(everything.saved, everything.boxes):
        return ""
    images, boxes = pluralize(distinct.images, "image"), pluralize(distinct.boxes, "box")
    return (
        f"Some are there more than once, e.g. in two folders: by their bytes they are {images} with {boxes}."
    )


def _undecided(everything: CategoryStats) -> str:
    """Say why URLs are missing from what was saved and what failed."""
    counts = everything.summary.statuses
    words = {
        Status.SKIPPED: "not needed (as many images as were wanted were there before)",
        Status.NOT_ATTEMPTED: "not attempted (the run ended before)",
    }
    said = [f"{counts[status]:,} {word}" for status, word in words.items() if counts[status]]
    return f" Neither saved nor failed: {'; '.join(said)}." if said else ""


def _contents(figures: Sequence[CategoryStats]) -> str:
    names = [markdown.literal(one.folder.replace("_", " ")) for one in figures[:NAMED_IN_TITLE]]
    more = len(figures) - len(names)
    return "; ".join([*names, *([f"{more:,} more"] if more else [])]) or "nothing yet"


def _tables(figures: Sequence[CategoryStats]) -> dict[str, str]:
    everything = total(figures)
    rows = [_row(one.folder, one.code or "unknown", one) for one in figures]
    whole = _row("all", "", everything)
    reasons = everything.summary.reasons.most_common()
    why = [(word, count, meaning(word)) for word, count in reasons]
    return {
        "counts": markdown.table(HEADER, [*rows, whole] if len(rows) > 1 else rows),
        "failures": markdown.table(("reason", "URLs", "meaning"), why) if why else "Nothing failed.",
    }


def _row(name: str, code: str, figures: CategoryStats) -> tuple[str | int, ...]:
    return (name, code, figures.urls, figures.saved, figures.annotated, figures.boxes, figures.failed)


def _commands(path: Path, settings: Settings, at: str, saved: int) -> list[str]:
    credentials = Credentials.from_environment(os.environ)
    return run_history.runs(
        path, RunHistory(at, run_history.command_line(settings.command, credentials), saved)
    )


def _source(settings: Settings) -> str:
    """Say where images come from, without secrets."""
    first, *others = (markdown.literal(one.origin(settings)) for one in source_types(settings.source))
    return "".join([first, *(f", and what those could not deliver from {other}" for other in others)])


def _file_name(path: Path) -> str:
    """Spell a file's name so that it can stand between two backticks."""
    return markdown.one_line(path.name).replace("`", "'")


def _exports() -> str:
    return "\n\n".join(f"`{word}`:\n\n```python\n{lines}\n```" for word, lines in snippets.EXPORTS.items())
