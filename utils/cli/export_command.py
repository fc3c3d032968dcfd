"""`--export` as the user sees it: what would be exported, what was, and what is to be known of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..export import build_dataset, exporter, tables
from ..export.dataset import Dataset
from ..export.formats import FORMATS
from ..export.notes import remarks
from ..models.rows import Category
from ..models.settings import Settings
from ..results.paths import FINGERPRINTS_NAME, RESULT_FOLDER
from ..results.reader import Collected, collect
from .arguments import Signals
from .console import Console
from .messages import warn


@dataclass(frozen=True)
class ExportOrder:
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
            exporter.place(name, self.settings.save_dir).require_ours()

    def preview(self, there: int) -> None:
        """Say what would be exported, where so many images are there already."""
        folders = [exporter.place(name, self.settings.save_dir).folder for name in self.settings.export]
        self.console.print(
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
        signals.raise_interrupts()
        if signals.received():
            warn("Nothing was exported, as the run was interrupted.")
            return
        begun = time.monotonic()
        dataset = self._gathered()
        self._export(dataset)
        for sentence in remarks(dataset, self.settings, self.chosen):
            self.console.print(sentence)
        self.console.print(f"Exporting took {time.monotonic() - begun:.1f} s.")

    def _export(self, dataset: Dataset) -> None:
        """Export in each format, those together that have the same numbers; these are told once."""
        told: tables.Counts | None = None
        for kind in self._kinds():
            for name in kind:
                exported = exporter.export(dataset, name, self.settings)
                if told is not None and not exported.counts.equals(told):
                    self.console.print(f"In {' and '.join(kind)} the numbers are:")
                if told is None or not exported.counts.equals(told):
                    self.console.print(tables.as_text(exported.counts))
                told = exported.counts
                self.console.print(f"Exported as {name}: {exported.folder}")
                for path in exported.left:
                    warn(
                        f"{path}, an export of before, could not be removed by this run. Remove it yourself."
                    )

    def _kinds(self) -> list[list[str]]:
        """Part formats that are about boxes from others, those first of which the first one is."""
        kinds: dict[bool, list[str]] = {}
        for name in self.settings.export:
            kinds.setdefault(FORMATS[name].is_for_detection, []).append(name)
        return list(kinds.values())

    def _gathered(self) -> Dataset:
        codes = {category.folder: category.code for category in self.everything}
        memory = self.settings.save_dir / RESULT_FOLDER / FINGERPRINTS_NAME
        tell = self.console.print
        return build_dataset.gather(self._collected(), codes, self.settings, memory=memory, tell=tell)

    def _collected(self) -> Iterator[Collected]:
        codes = frozenset(category.code for category in self.chosen)
        return collect(self.settings.save_dir / RESULT_FOLDER, self.everything, codes)
