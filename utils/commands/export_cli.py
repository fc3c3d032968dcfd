"""`--export` as the user sees it: what would be exported, what was, and what is to be known of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..exports import contents, exporting, gathering
from ..exports.dataset import Dataset, Side
from ..exports.formats import FORMATS
from ..models import Category, Settings
from ..results.collection import Collected, collect
from ..storage import FINGERPRINTS_NAME, RESULT_FOLDER
from .cli import Signals
from .screen import Console
from .telling import warn

LARGE_GROUP = 50
"""Near-duplicates in one group, from which on it says something about the images."""
NAMED = 5
"""Classes named in a sentence that is about more of them."""


@dataclass(frozen=True)
class Order:
    """What the user wants to be exported."""

    chosen: Sequence[Category]
    everything: Sequence[Category]
    settings: Settings
    console: Console

    def require_places(self) -> None:
        """See, before anything is downloaded, that nothing else stands where an export shall go.

        Raises
        ------
        InputError
            If something does.
        """
        for name in self.settings.export:
            exporting.place(name, self.settings.save_dir).require_ours()

    def preview(self) -> None:
        """Say what would be exported."""
        there = sum(len(one.samples) for one in self._collected())
        folders = [exporting.place(name, self.settings.save_dir).folder for name in self.settings.export]
        self.console.say(
            f"A run would then export what it has saved, and the {there:,} images that are there already: "
            + ", ".join(map(str, folders))
        )

    def carry_out(self, signals: Signals) -> None:
        """Export what stands of the chosen categories; the result folder must be locked.

        Raises
        ------
        DatasetError
            If there is nothing to export, or it cannot be written.
        """
        signals.end_at_once()
        if signals.received():
            warn("Nothing was exported, as the run was interrupted.")
            return
        begun = time.monotonic()
        dataset = self._gathered()
        for number, name in enumerate(self.settings.export):
            exported = exporting.export(dataset, name, self.settings)
            if not number:
                self.console.say(contents.as_text(exported.counts))
            self.console.say(f"Exported as {name}: {exported.folder}")
        for sentence in _to_be_known(dataset, self.settings):
            self.console.say(sentence)
        self.console.say(f"Exporting took {time.monotonic() - begun:.1f} s.")

    def _gathered(self) -> Dataset:
        codes = {category.folder: category.code for category in self.everything}
        memory = self.settings.save_dir / RESULT_FOLDER / FINGERPRINTS_NAME
        tell = self.console.say
        return gathering.gather(self._collected(), codes, self.settings, memory=memory, tell=tell)

    def _collected(self) -> Iterator[Collected]:
        codes = frozenset(category.code for category in self.chosen)
        return collect(self.settings.save_dir / RESULT_FOLDER, self.everything, codes)


def _to_be_known(dataset: Dataset, settings: Settings) -> Iterator[str]:
    if dataset.largest_group >= LARGE_GROUP:
        yield (
            f"{dataset.largest_group:,} images look alike, each like another one of them, and so all are on "
            "one side; images.csv says on which each image is."
        )
    without = sorted({item.label for item in dataset.items} - set(_labels_for_validation(dataset)))
    if without and settings.val_fraction:
        more = f" and {len(without) - NAMED:,} more" if len(without) > NAMED else ""
        yield f"There is no image for validation of {', '.join(without[:NAMED])}{more}: they have few."
    bare = sum(not item.boxes for item in dataset.detection)
    if bare and any(FORMATS[name].is_for_detection for name in settings.export):
        yield (
            f"Without boxes: {bare:,} of {len(dataset.detection):,} images. They may well show their category"
            ", and a detector would learn to overlook it; --export_unannotated False leaves them out."
        )
    boxed = {item.side for item in dataset.items if item.boxes}
    if "imagefolder" in settings.export and len(boxed) == 1 < len({item.side for item in dataset.items}):
        yield (
            f"imagefolder is without boxes: only images of {boxed.pop().value} have any, and its readers "
            "refuse sides that differ. Another --seed or --val_fraction may help."
        )


def _labels_for_validation(dataset: Dataset) -> Iterator[str]:
    return (item.label for item in dataset.items if item.side is Side.VAL)
