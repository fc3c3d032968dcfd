"""`--export`: exports after a run, and the messages about them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..export import exporter, not_like, tables
from ..export.build_dataset import build_dataset
from ..export.dataset import Dataset
from ..export.exporter import ExportDir
from ..export.formats import FORMATS
from ..export.notes import notes
from ..models.rows import Category
from ..models.settings import Settings
from ..results.paths import RESULT_FOLDER
from ..results.reader import read_categories
from .arguments import Signals
from .console import Console
from .messages import warn


@dataclass(frozen=True)
class ExportCommand:
    """The exports of the `selected` categories."""

    selected: Sequence[Category]
    everything: Sequence[Category]
    settings: Settings
    console: Console

    def _folders(self) -> list[ExportDir]:
        return [ExportDir.of(name, self.settings) for name in self.settings.export]

    def check_folders(self) -> None:
        """Check, before anything is downloaded, that exports can be written, and `--not_like` has images.

        Raises
        ------
        InputError
            If an export cannot be written, or would replace something else, or a folder has no images.
        """
        root, export_dir = self.settings.save_dir / RESULT_FOLDER, self.settings.export_dir
        if export_dir and export_dir.resolve().is_relative_to(root.resolve()):
            raise InputError(
                f"--export_dir {export_dir} is in the result folder {root}. Name another folder."
            )
        for folder in self._folders():
            folder.check()
        not_like.image_files(self.settings.not_like)

    def preview(self, saved: int) -> None:
        """Print what a run would export; `saved` is the number of images saved already."""
        self.console.print(
            f"A run would then export the images that it saves, and the {saved:,} images saved before, to: "
            + ", ".join(str(one.folder) for one in self._folders())
        )

    def run(self, signals: Signals) -> None:
        """Export the selected categories; the result folder must be locked.

        Raises
        ------
        DatasetError
            If there is nothing to export, or an export cannot be written.
        """
        signals.raise_interrupts()
        if signals.received():
            warn("Nothing was exported, as the run was interrupted.")
            return
        begun = time.monotonic()
        root, codes = self.settings.save_dir / RESULT_FOLDER, {one.code for one in self.selected}
        dataset = build_dataset(
            read_categories(root, self.everything, codes),
            self.selected,
            self.everything,
            self.settings,
            folder=root,
            print_line=self.console.print,
        )
        empty = [name for name in self.settings.export if not FORMATS[name].items(dataset)]
        written = tuple(name for name in self.settings.export if name not in empty)
        self._export(dataset, written)
        if written:
            for note in notes(dataset, replace(self.settings, export=written)):
                self.console.print(note)
            self.console.print(f"Exporting took {time.monotonic() - begun:.1f} s.")
        if empty:
            raise exporter.nothing_exported(dataset, empty)

    def _export(self, dataset: Dataset, format_names: Sequence[str]) -> None:
        """Export in each format; formats with equal counts are grouped, and share a table."""
        by_kind: dict[bool, list[str]] = {}
        for name in format_names:
            by_kind.setdefault(FORMATS[name].has_boxes, []).append(name)
        printed: tables.Counts | None = None
        for names in by_kind.values():
            for name in names:
                exported = exporter.export(dataset, name, self.settings)
                if printed is None or not exported.counts.equals(printed):
                    if printed is not None:
                        self.console.print(f"The numbers in {' and '.join(names)}:")
                    self.console.print(tables.as_text(exported.counts))
                printed = exported.counts
                self.console.print(f"Exported as {name}: {exported.folder}")
                for path in exported.not_removed:
                    warn(f"{path}, a previous export, cannot be removed by this run. Remove it yourself.")
