"""Tables about an export: `images.csv`, `labels.csv`, and counts for the screen; the only user of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from ..text import format_table, spreadsheet_cell, truncate
from .dataset import ExportedItem, Item, Similar, Split

IMAGES, LABELS, LEFT_OUT = "images.csv", "labels.csv", "images_left_out.csv"
MAX_ROWS = 25
"""Labels on the screen."""
MAX_LABEL = 40
"""Columns of the terminal for a label."""

Counts: TypeAlias = pd.DataFrame
"""Numbers of images and boxes in each split; the index is the label."""


def write(exported: Sequence[ExportedItem], folder: Path, ids: Mapping[str, int | None]) -> Counts:
    """Write both tables into an export, and return the counts.

    Parameters
    ----------
    ids
        The number of each class in the format; None if classes have no numbers.

    Raises
    ------
    OSError
        If a table cannot be written.
    """
    images(exported).to_csv(folder / IMAGES, index=False, lineterminator="\n")
    counts: Counts = count_labels(exported).reindex(list(ids), fill_value=0).rename_axis("label")
    labels = counts.rename(index=spreadsheet_cell)
    if None not in ids.values():
        labels.insert(0, "id", list(ids.values()))
    labels.to_csv(folder / LABELS, lineterminator="\n")
    return counts


def images(exported: Sequence[ExportedItem]) -> pd.DataFrame:
    """Return a table with a row for each image."""
    items = [one.item for one in exported]
    pictures = [item.picture for item in items]
    table: pd.DataFrame = pd.DataFrame(
        {
            "file": [spreadsheet_cell(one.file) for one in exported],
            "split": [item.split.value for item in items],
            "label": [spreadsheet_cell(item.label) for item in items],
            "wnid": [spreadsheet_cell(item.wnid) for item in items],
            "width": [picture.width for picture in pictures],
            "height": [picture.height for picture in pictures],
            "boxes": [len(item.boxes) for item in items],
            "sha256": [picture.sha256 for picture in pictures],
            "url": [spreadsheet_cell(item.record.url) for item in items],
        }
    )
    return table


def left_out(items: Sequence[tuple[Item, Similar]]) -> pd.DataFrame:
    """Return a table with a row for each image that looks like an image in another folder."""
    rows = [
        (
            item.record.image_code,
            spreadsheet_cell(item.label),
            item.picture.sha256,
            spreadsheet_cell(str(similar.path)),
            similar.distance,
        )
        for item, similar in items
    ]
    table: pd.DataFrame = pd.DataFrame(
        rows, columns=["image_code", "label", "sha256", "looks_like", "distance"]
    )
    return table


def count_labels(exported: Sequence[ExportedItem]) -> Counts:
    """Count images (by the label of their category) and boxes (by their own) in each split."""
    items = [one.item for one in exported]
    pairs = {
        "images": [(item.label, item.split.value) for item in items],
        "boxes": [(box.label, item.split.value) for item in items for box in item.boxes],
    }
    table = pd.DataFrame(
        {
            f"{split.value} {kind}": pd.Series(
                [label for label, name in of_kind if name == split.value], dtype=object
            ).value_counts()
            for kind, of_kind in pairs.items()
            for split in Split
        }
    )
    counts: Counts = table.fillna(0).astype(int).sort_index()
    return counts


def as_text(counts: Counts) -> str:
    """Format the counts for the screen, the largest first, with totals."""
    largest: Counts = counts.loc[counts.sum(axis="columns").sort_values(ascending=False, kind="stable").index]
    rows = [(truncate(str(label), MAX_LABEL), numbers) for label, numbers in largest[:MAX_ROWS].iterrows()]
    if len(largest) > MAX_ROWS:
        rows.append((f"... and {len(largest) - MAX_ROWS:,} more", largest[MAX_ROWS:].sum()))
    if len(counts) > 1:
        rows.append(("all", counts.sum()))
    cells = [[label, *(str(number) for number in numbers)] for label, numbers in rows]
    return "\n".join(format_table([["", *counts.columns], *cells]))
