"""An export from its beginning to its name: whole, or not at all.

It is made in a hidden folder beside the place that it shall have. When it is whole the one before is put
aside, the new one gets its name, and the old one goes. A run that is killed in between leaves something that
the next one knows: an unfinished folder is removed, one that was put aside gets its name back.

This module alone knows how our folders are told from others: by a marker that lies in them. None without
is touched.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DatasetError, InputError, disk_error
from ..models import Settings
from ..storage import PARTIAL_SUFFIX, RESULT_FOLDER
from . import contents
from .dataset import Dataset
from .formats import FORMATS

MARKER = ".part_of_imagenet_export.json"
OPTIONS = ("val_fraction", "seed", "labels", "export_unannotated")


@dataclass(frozen=True)
class Exported:
    """An export that is there: where, and the numbers of its labels."""

    folder: Path
    counts: contents.Counts


@dataclass(frozen=True)
class Place:
    """Where an export goes: its folder, and the two that are there only while it is made."""

    folder: Path

    @property
    def part(self) -> Path:
        """Where it is made."""
        return self.folder.with_name(f".{self.folder.name}{PARTIAL_SUFFIX}")

    @property
    def old(self) -> Path:
        """Where the one before is put aside."""
        return self.folder.with_name(f".{self.folder.name}.old")

    def require_ours(self) -> None:
        """See that nothing stands in the way which is not ours.

        Raises
        ------
        InputError
            If it does.
        """
        for path in (self.folder, self.part, self.old):
            if not _is_ours(path):
                raise InputError(
                    f"{path} is no export of ours, and is left as it is. Move it away, or give another "
                    "--save_dir."
                )

    def mend(self) -> None:
        """Finish what a killed export has begun."""
        if self.old.exists() and not self.folder.exists():
            self.old.rename(self.folder)
        for leftover in (self.part, self.old):
            if leftover.exists():
                _remove(leftover)

    def swap_in(self) -> None:
        """Let what was made have its name."""
        if self.folder.exists():
            self.folder.rename(self.old)
        self.part.rename(self.folder)
        self.mend()


def place(format_name: str, save_dir: Path) -> Place:
    """Say where an export goes."""
    return Place(save_dir / f"{RESULT_FOLDER}_{format_name}")


def export(dataset: Dataset, format_name: str, settings: Settings) -> Exported:
    """Write a dataset in a format; the folder of an earlier one is replaced when the new one is whole.

    Raises
    ------
    InputError
        If something else has the folder's name.
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
            goal.swap_in()
        except BaseException:
            with contextlib.suppress(OSError):  # what is left the next one mends
                goal.mend()
            raise
    except OSError as error:
        raise disk_error(goal.folder, error) from error
    return Exported(goal.folder, counts)


def _nothing(dataset: Dataset, format_name: str) -> str:
    if not dataset.items:
        return f"Nothing was exported as {format_name}: there is no image of the selected categories."
    return (
        f"Nothing was exported as {format_name}: none of the images has boxes. Leave --export_unannotated "
        "out, or export imagefolder or webdataset."
    )


def _write(dataset: Dataset, format_name: str, settings: Settings, folder: Path) -> contents.Counts:
    _mark(folder, format_name, settings, {})
    placed = FORMATS[format_name].write(dataset, folder)
    counts = contents.write(placed, folder)
    _mark(folder, format_name, settings, contents.totals(counts))
    return counts


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


def _is_ours(path: Path) -> bool:
    """Say whether a path is free, or a folder that we made, or an empty one."""
    if path.is_symlink() or not path.is_dir():
        return not (path.is_symlink() or path.exists())
    return (path / MARKER).is_file() or not any(path.iterdir())
