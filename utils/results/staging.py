"""Staged images: written by workers, not yet committed by the run.

A worker writes each valid image, and its XML, under a unique name in the result folder's `.staging/`. Only
the run gives them their final names or deletes them, so files of a worker that dies, or of a lost worker on
another machine, never become part of the result.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

from ..errors import FATAL_ERRNOS, wrap_os_errors
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, make_folder, write_new
from ..models.tasks import Outcome
from ..reasons import Reason, Status
from .paths import CategoryFolder

STAGING_NAME = ".staging"
XML_SUFFIX = ".xml"
OLD_SHARDS_NAME = ".shards"
"""Left by killed runs of version 0.1 with `--scheduler`; `reconcile` finds their images on disk."""
NOT_WRITTEN = "It could not be written: "
"""Begins the description of an image that could not be saved; the error of the system follows."""


class StagingWriter:
    """Writes staged files under names that no other writer uses, on any machine.

    Parameters
    ----------
    result_folder
        The staging folder in it must exist.
    """

    def __init__(self, result_folder: Path) -> None:
        self._folder = os.fspath(result_folder / STAGING_NAME)
        self._prefix = os.urandom(6).hex()
        self._numbers = itertools.count()

    def write(self, image: bytes, xml: bytes | None) -> tuple[str, int]:
        """Write an image and its XML; returns their name and the image's modification time in ns.

        Raises
        ------
        OSError
            If one of them cannot be written; nothing is left behind then.
        """
        name = f"{self._prefix}-{next(self._numbers)}"
        path = f"{self._folder}/{name}"
        try:
            if xml is not None:
                write_new(path + XML_SUFFIX, xml)
            status = write_new(path, image)
        except OSError:
            _remove(path)
            raise
        return name, status.st_mtime_ns


class StagingFolder:
    """Commits and deletes staged files; only here images get their final names."""

    def __init__(self, result_folder: Path) -> None:
        self._path = result_folder / STAGING_NAME

    def __enter__(self) -> StagingFolder:
        """Create the folder; files of a killed run are deleted."""
        with wrap_os_errors(self._path):
            for leftover in (self._path, self._path.with_name(OLD_SHARDS_NAME)):
                if leftover.is_dir():  # `rmtree` would wait for a pipe
                    shutil.rmtree(leftover, ignore_errors=True)
            make_folder(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)

    def commit(self, outcome: Outcome, folder: CategoryFolder) -> Outcome:
        """Give a staged image and its XML their final names, the XML first.

        The outcome may come from another machine: no text in it leads out of the two folders.

        Returns
        -------
        Outcome
            The same without `staged`, or a `disk_error` if the files could not be renamed.
        """
        staged = self._staged(outcome)
        file = f"{folder.IMAGES}/{outcome.row.image_code}{os.path.splitext(outcome.file)[1]}"  # noqa: PTH122
        try:
            if outcome.boxes is not None:
                _move(staged + XML_SUFFIX, os.fspath(folder.annotation(outcome.row.image_code)))
            _move(staged, f"{folder.path}/{file}")
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.annotation(outcome.row.image_code).unlink(missing_ok=True)
            _remove(staged)
            return disk_failure(outcome, error)
        return replace(outcome, file=file, staged="")

    def image_path(self, outcome: Outcome) -> Path:
        """Return the path of a staged image."""
        return Path(self._staged(outcome))

    def discard(self, outcome: Outcome) -> None:
        """Delete the staged files of an image that is not needed."""
        if outcome.staged:
            _remove(self._staged(outcome))

    def _staged(self, outcome: Outcome) -> str:
        return f"{self._path}/{os.path.basename(outcome.staged)}"  # noqa: PTH119


def disk_failure(outcome: Outcome, error: OSError) -> Outcome:
    """Turn an outcome into the failure of an image that could not be written."""
    return Outcome(
        row=outcome.row,
        status=Status.FAILED,
        reason=Reason.DISK_ERROR,
        description=f"{NOT_WRITTEN}{error.strerror}.",
        http_status=outcome.http_status,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
        disk_full=error.errno in FATAL_ERRNOS,
    )


def _move(source: str, target: str) -> None:
    """Rename a file; to a folder on another file system, it is copied."""
    try:
        os.replace(source, target)  # noqa: PTH105  # done for every image
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        folder, name = os.path.split(target)
        partial = Path(folder) / f"{PARTIAL_PREFIX}{name}{PARTIAL_SUFFIX}"
        try:
            partial.unlink(missing_ok=True)
            shutil.copy2(source, partial)  # keeps the modification time, which the journal records
            partial.replace(target)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        os.unlink(source)  # noqa: PTH108


def _remove(path: str) -> None:
    for name in (path, path + XML_SUFFIX):
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
