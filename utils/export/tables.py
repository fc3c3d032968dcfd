"""Tables of what was exported: every image, and every label's numbers. The keeper of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from ..results.report import FORMULA_STARTS
from ..text import format_table, truncate
from .dataset import Placed, Split

IMAGES, LABELS = "images.csv", "labels.csv"
ROWS_SHOWN = 25
NAME_SHOWN = 40  # columns of the terminal

Counts: TypeAlias = pd.DataFrame
"""The numbers of every label, which is the index: images and boxes of either side."""


def write(placed: Sequence[Placed], folder: Path, ids: Mapping[str, int | None]) -> Counts:
    """Write both tables into an export; gives the numbers of every label.

    Parameters
    ----------
    ids
        What stands for each label in the format; None if only the label does.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    images(placed).to_csv(folder / IMAGES, index=False, lineterminator="\n")
    counts: Counts = by_label(placed).reindex(list(ids), fill_value=0).rename_axis("label")
    labels = counts.rename(index=_harmless)
    if None not in ids.values():
        labels.insert(0, "id", list(ids.values()))
    labels.to_csv(folder / LABELS, lineterminator="\n")
    return counts


def images(placed: Sequence[Placed]) -> pd.DataFrame:
    """Set out every image in a row."""
    items = [one.item for one in placed]
    pictures = [item.sample.picture for item in items]
    table: pd.DataFrame = pd.DataFrame(
        {
            "file": [one.file for one in placed],
            "split": [item.side.value for item in items],
            "label": [_harmless(item.label) for item in items],
            "wnid": [_harmless(item.wnid) for item in items],
            "width": [picture.width for picture in pictures],
            "height": [picture.height for picture in pictures],
            "boxes": [len(item.boxes) for item in items],
            "sha256": [picture.sha256 for picture in pictures],
            "url": [_harmless(item.sample.url) for item in items],
        }
    )
    return table


def by_label(placed: Sequence[Placed]) -> Counts:
    """Count images (by the category that they lie in) and boxes (by their own label) of either side."""
    items = [one.item for one in placed]
    pluralize = {
        "images": [(item.label, item.side.value) for item in items],
        "boxes": [(box.label, item.side.value) for item in items for box in item.boxes],
    }
    parts = {kind: pd.DataFrame(pairs, columns=["label", "split"]) for kind, pairs in pluralize.items()}
    table = pd.concat(
        {kind: pd.crosstab(part["label"], part["split"]) for kind, part in parts.items()}, axis="columns"
    )
    wanted = pd.MultiIndex.from_product([list(parts), [side.value for side in Split]])
    counts: Counts = table.reindex(columns=wanted).fillna(0).astype(int).sort_index()
    counts.columns = pd.Index([f"{split} {kind}" for kind, split in wanted])
    counts.index.name = "label"
    return counts


def totals(counts: Counts) -> dict[str, int]:
    """Add up over all labels."""
    return {str(name): int(number) for name, number in counts.sum().items()}


def as_text(counts: Counts) -> str:
    """Return the numbers of labels as a table for the screen, the largest first, with their totals."""
    order = counts.sum(axis="columns").sort_values(ascending=False, kind="stable").index
    largest: Counts = counts.loc[order]
    rows = [(shortened(str(label)), *numbers) for label, *numbers in largest.head(ROWS_SHOWN).itertuples()]
    if len(largest) > ROWS_SHOWN:
        rows.append((f"... and {len(largest) - ROWS_SHOWN:,} more", *largest[ROWS_SHOWN:].sum()))
    if len(counts) > 1:
        rows.append(("all", *counts.sum()))
    return "\n".join(format_table([["", *counts.columns], *([str(cell) for cell in row] for row in rows)]))


def _harmless(text: str) -> str:
    """Spell a text so that spreadsheets take it for no formula, as the download report does."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def shortened(label: str) -> str:
    """Cut a label for the screen."""
    return truncate(label, NAME_SHOWN)
