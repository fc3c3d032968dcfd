"""The formats that an export may have: one module each, with one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import coco, imagefolder, voc, webdataset, yolo
from .dataset import Dataset, Item, Placed


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes
    ----------
    write
        Writes it into an empty folder.
    is_for_detection
        Whether it is about boxes.
    first_id
        What its first class is called where classes have numbers; None where they have none.
    """

    write: Callable[[Dataset, Path], list[Placed]]
    is_for_detection: bool
    first_id: int | None = None

    def items(self, dataset: Dataset) -> Sequence[Item]:
        """Give what of a dataset it takes."""
        return dataset.detection if self.is_for_detection else dataset.items


FORMATS = {
    "yolo": Format(yolo.write, is_for_detection=True, first_id=0),
    "coco": Format(coco.write, is_for_detection=True, first_id=coco.FIRST),
    "voc": Format(voc.write, is_for_detection=True),
    "imagefolder": Format(imagefolder.write, is_for_detection=False),
    "webdataset": Format(webdataset.write, is_for_detection=False, first_id=0),
}
