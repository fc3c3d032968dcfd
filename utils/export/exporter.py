"""An export from its beginning to its name: whole, or not at all.

It is made in a hidden folder beside the place that it shall have. When it is whole the one before is put
aside, the new one gets its name, and the old one goes. A run that is killed in between leaves something that
the next one knows: an unfinished folder is removed, one that was put aside gets its name back. One that
cannot be removed (it may be another user's) stays aside, and is in nobody's way.

This module alone knows how our folders are told from others: by a marker that lies in them. None without
is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FATAL_ERRNOS, DatasetError, FolderError, InputError, disk_error
from ..files import PARTIAL_SUFFIX
from ..models.settings import Settings
from ..results.paths import RESULT_FOLDER
from . import tables
from .dataset import Dataset
from .formats import FORMATS

MARKER = ".part_of_imagenet_export.json"
OPTIONS = ("val_fraction", "seed", "labels", "export_unannotated")


@dataclass(frozen=True)
class Exported:
    """An export that is there.

    Attributes
    ----------
    counts
        The numbers of its labels.
    left
        Exports of before that could not be removed.
    """

    folder: Path
    counts: tables.Counts
    left: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ExportDir:
    """Where an export goes: its folder, and those that are there only while it is made."""

    folder: Path

    @property
    def part(self) -> Path:
        """Where it is made."""
        return self.folder.with_name(f".{self.folder.name}{PARTIAL_SUFFIX}")

    def aside(self) -> dict[int, Path]:
        """Give what was put aside, the latest last: several only where some cannot be removed."""
        start = f".{self.folder.name}.old"
        named = ((path.name.removeprefix(start), path) for path in self.folder.parent.glob(f"{start}*"))
        found = {int(number or 1): path for number, path in named if re.fullmatch("[0-9]{0,4}", number)}
        return dict(sorted(found.items()))

    def require_ours(self) -> None:
        """See that an export can be made there, and nothing stands in its way which is not ours.

        Raises
        ------
        InputError
            If it cannot, or something does.
        """
        parent = self.folder.parent
        if parent.exists() and not os.access(parent, os.W_OK | os.X_OK):
            raise InputError(f"{parent} cannot be written to. Allow that, for exports are made in it.")
        for path in (self.folder, self.part, *self.aside().values()):
            if not _is_ours(path):
                raise InputError(f"{path} is no export of ours, and is left as it is. Move or rename it.")

    def mend(self) -> tuple[Path, ...]:
        """Finish what a killed export has begun; gives what was put aside and cannot be removed.

        Raises
        ------
        OSError, FolderError
            If something is in the way of another export.
        """
        aside = list(self.aside().values())
        if aside and not self.folder.exists():
            aside.pop().rename(self.folder)
        if self.part.exists() and not _is_removed(self.part):
            raise FolderError(
                f"{self.part}, which an interrupted run left, cannot be removed by this one. Remove it "
                "yourself, and run again."
            )
        return tuple(path for path in aside if not _is_removed(path))

    def swap_in(self) -> tuple[Path, ...]:
        """Let what was made have its name; gives what cannot be removed of those of before."""
        if self.folder.exists():
            number = max(self.aside(), default=0) + 1
            self.folder.rename(
                self.folder.with_name(f".{self.folder.name}.old{number if number > 1 else ''}")
            )
        self.part.rename(self.folder)
        return self.mend()


def place(format_name: str, save_dir: Path) -> ExportDir:
    """Say where an export goes."""
    return ExportDir(save_dir / f"{RESULT_FOLDER}_{format_name}")


def export(dataset: Dataset, format_name: str, settings: Settings) -> Exported:
    """Write a dataset in a format; the folder of an earlier one is replaced when the new one is whole.

    Raises
    ------
    InputError
        If something else has the folder's name, or no folder can be made there.
    DatasetError
        If there is nothing that the format takes.
    DiskError, FolderError
        If it cannot be written; nothing is left of it then.
    """
    goal = place(format_name, settings.save_dir)
    goal.require_ours()
    if not FORMATS[format_name].items(dataset):
        raise DatasetError(_nothing(dataset, format_name))
    try:
        goal.mend()
        goal.part.mkdir()
        try:
            counts = _write(dataset, format_name, settings, goal.part)
            left = goal.swap_in()
        except BaseException:
            with contextlib.suppress(OSError, FolderError):  # what is left the next one mends
                goal.mend()
            raise
    except OSError as error:
        raise _disk_error(goal.folder, error) from error
    return Exported(goal.folder, counts, left)


def _disk_error(folder: Path, error: OSError) -> DatasetError:
    """Name what the system stumbled over, which need not be the folder."""
    if error.errno in FATAL_ERRNOS:
        return disk_error(folder, error)
    return FolderError(
        f"{folder} was not made, for {error.filename or folder}: {error.strerror}. What was there before "
        "stays."
    )


def _nothing(dataset: Dataset, format_name: str) -> str:
    if not dataset.items:
        return f"Nothing was exported as {format_name}: there is no image of the selected categories."
    return (
        f"Nothing was exported as {format_name}: none of the images has boxes. Leave --export_unannotated "
        "out, or export imagefolder or webdataset."
    )


def _write(dataset: Dataset, format_name: str, settings: Settings, folder: Path) -> tables.Counts:
    _mark(folder, format_name, settings, {})
    placed = FORMATS[format_name].write(dataset, folder)
    counts = tables.write(placed, folder, _ids(dataset, FORMATS[format_name].first_id))
    _mark(folder, format_name, settings, tables.totals(counts))
    return counts


def _ids(dataset: Dataset, first: int | None) -> dict[str, int | None]:
    return {label: None if first is None else first + number for label, number in dataset.numbers.items()}


def _mark(folder: Path, format_name: str, settings: Settings, counts: dict[str, int]) -> None:
    options: dict[str, Any] = {name: getattr(settings, name) for name in OPTIONS}
    text = json.dumps({"format": format_name, "options": options, "counts": counts}, indent=1)
    (folder / MARKER).write_text(f"{text}\n", encoding="utf-8")


def _remove(folder: Path) -> None:
    """Remove a folder of ours; its marker goes last, so that what a killed run leaves of it is ours still."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


def _is_removed(folder: Path) -> bool:
    """Remove a folder of ours if that is allowed."""
    try:
        _remove(folder)
    except OSError:
        return False
    return True


def _is_ours(path: Path) -> bool:
    """Say whether a path is free, or a folder that we made, or an empty one; what cannot be read is not."""
    if path.is_symlink() or not path.is_dir():
        return not (path.is_symlink() or path.exists())
    try:
        return (path / MARKER).is_file() or not any(path.iterdir())
    except PermissionError:
        return False
