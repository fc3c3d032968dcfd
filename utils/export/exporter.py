"""Writes an export so that its folder is complete or absent.

An export is written into a hidden folder next to its own, `.<name>.part`. When it is complete, the previous
export is renamed to `.<name>.old`, the new one gets its name, and the old one is removed. After a kill in
between the next export removes an unfinished folder, and restores a renamed one. An old export that cannot be
removed (e.g. because another user owns it) stays under its hidden name.

A marker file identifies the folders made by exports; other folders are never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FATAL_ERRNOS, DatasetError, FolderError, InputError, disk_error
from ..files import PARTIAL_SUFFIX
from ..models.settings import Settings
from ..results.paths import RESULT_FOLDER
from . import tables
from .dataset import MARKER, OPTIONS, Dataset, Format
from .formats import FORMATS


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes
    ----------
    counts
        Images and boxes of each label.
    not_removed
        Previous exports that could not be removed.
    """

    folder: Path
    counts: tables.Counts
    not_removed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ExportDir:
    """The folder of an export, and its temporary folders."""

    folder: Path

    @classmethod
    def of(cls, format_name: str, settings: Settings) -> ExportDir:
        """Return the folder of a format."""
        if settings.export_dir:
            return cls(settings.export_dir / format_name)
        return cls(settings.save_dir / f"{RESULT_FOLDER}_{format_name}")

    @property
    def part(self) -> Path:
        """The folder in which an export is written."""
        return self.folder.with_name(f".{self.folder.name}{PARTIAL_SUFFIX}")

    def old(self) -> dict[int, Path]:
        """Find previous exports that were renamed, by their numbers; usually there are none."""
        prefix = f".{self.folder.name}.old"
        suffixes = {path.name.removeprefix(prefix): path for path in self.folder.parent.glob(f"{prefix}*")}
        numbers = [suffix for suffix in suffixes if re.fullmatch("[0-9]{0,4}", suffix)]
        return dict(sorted((int(suffix or 1), suffixes[suffix]) for suffix in numbers))

    def check(self) -> None:
        """Check that an export can be written, and replaces only exports.

        Raises
        ------
        InputError
            If not.
        """
        parent = self.folder.parent
        existing = next(path for path in (parent, *parent.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise InputError(f"{existing} is a file. Name a folder for exports.")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f"{existing} cannot be written to, but exports are written there. Allow it.")
        for outer in (parent.resolve(), *parent.resolve().parents):
            if (outer / MARKER).exists():  # the next export to `outer` would remove this one
                raise InputError(f"{parent} is in another export, {outer}. Name another folder.")
        for path in (self.folder, self.part, *self.old().values()):
            if not _is_replaceable(path):
                raise InputError(f"{path} was not made by an export, and is not replaced. Move or rename it.")

    def recover(self) -> tuple[Path, ...]:
        """Clean up after a killed export; returns previous exports that cannot be removed.

        Raises
        ------
        OSError, FolderError
            If another export cannot be written.
        """
        old = list(self.old().values())
        if old and not self.folder.exists():
            old.pop().rename(self.folder)
        if self.part.exists() and not _is_removed(self.part):
            raise FolderError(
                f"{self.part} was left by an interrupted export and cannot be removed. Remove it, and run "
                "again."
            )
        return tuple(path for path in old if not _is_removed(path))

    def replace(self) -> tuple[Path, ...]:
        """Replace the previous export by the new one; returns previous exports that cannot be removed."""
        if self.folder.exists():
            number = max(self.old(), default=0) + 1
            name = f".{self.folder.name}.old{number if number > 1 else ''}"
            self.folder.rename(self.folder.with_name(name))
        self.part.rename(self.folder)
        return self.recover()


def export(dataset: Dataset, format_name: str, settings: Settings) -> Exported:
    """Write a dataset in a format, and replace the previous export when it is complete.

    Raises
    ------
    InputError
        If the folder cannot be written, or was not made by an export.
    DatasetError
        If the format takes no image of the dataset.
    DiskError, FolderError
        If the export cannot be written; nothing of it is left then.
    """
    target = ExportDir.of(format_name, settings)
    target.check()
    export_format = FORMATS[format_name]
    if not export_format.items(dataset):
        raise nothing_exported(dataset, [format_name])
    try:
        target.recover()
        target.part.mkdir(parents=True)
        try:
            counts = _write(dataset, export_format, settings, target.part)
            not_removed = target.replace()
        except BaseException:
            with contextlib.suppress(OSError, FolderError):  # the next export recovers what is left
                target.recover()
            raise
    except OSError as error:
        if error.errno in FATAL_ERRNOS:
            raise disk_error(target.folder, error) from error
        kept = " The previous export is kept." if target.folder.exists() else ""
        raise FolderError(
            f"{target.folder} was not written: {error.filename or target.folder}: {error.strerror}.{kept}"
        ) from error
    return Exported(target.folder, counts, not_removed)


def nothing_exported(dataset: Dataset, format_names: Sequence[str]) -> DatasetError:
    """Return the error for formats that take no image of the dataset."""
    why = "there is no image of the selected categories."
    if dataset.left_out and not dataset.items:
        why = "all images of the selected categories look like images in --not_like."
    elif dataset.items:
        others = " or ".join(one.name for one in FORMATS.values() if not one.has_boxes)
        why = f"none of the images has boxes. Add --export_unannotated True, or export {others}."
    return DatasetError(f"Nothing was exported as {', '.join(format_names)}: {why}")


def _write(dataset: Dataset, export_format: Format, settings: Settings, folder: Path) -> tables.Counts:
    options = {option: getattr(settings, option) for option in OPTIONS}
    marker = {"format": export_format.name, "options": options, "counts": {}}
    _write_marker(folder, marker)
    exported = export_format.write(dataset, folder)
    counts = tables.write(exported, folder, export_format.ids(dataset))
    if dataset.left_out:
        tables.left_out(dataset.left_out).to_csv(folder / tables.LEFT_OUT, index=False, lineterminator="\n")
    totals = {str(name): int(number) for name, number in counts.sum().items()}
    _write_marker(folder, marker | {"counts": totals})
    return counts


def _write_marker(folder: Path, content: dict[str, Any]) -> None:
    (folder / MARKER).write_text(f"{json.dumps(content, indent=1)}\n", encoding="utf-8")


def _is_removed(folder: Path) -> bool:
    """Remove a folder made by an export; returns whether that was possible."""
    try:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARKER:
                path.unlink()
        (folder / MARKER).unlink(missing_ok=True)  # last, so that a folder left by a kill can be identified
        folder.rmdir()
    except OSError:
        return False
    return True


def _is_replaceable(path: Path) -> bool:
    """Whether a path does not exist, is an empty folder, or a folder made by an export."""
    if path.is_symlink() or not path.is_dir():
        return not (path.is_symlink() or path.exists())
    try:
        return (path / MARKER).is_file() or not any(path.iterdir())
    except PermissionError:
        return False
