"""Sources -> `ncodes.csv`, `imageNetURLs.csv` and `annotation/`, once.

This module alone knows in which order that is done, and what keeps two runs apart. One prerequisite that
fails does not keep the others back; whatever fails leaves what was there.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DatasetError, DiskError, FolderInUseError, InputError
from ..fetch.file_download import DownloadOptions
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX
from ..results.paths import FolderLock
from .first_available import Screen
from .prerequisite import MAKERS, Order, Prerequisite, PrerequisiteName

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def prepare(order: Order, screen: Screen, terms: DownloadOptions | None = None) -> None:
    """Put all that was asked for into its place; what is there and whole is left alone.

    One prerequisite that fails does not keep the others back.

    Raises
    ------
    DatasetError
        If one of them could not be had, when the others have been dealt with.
    """
    try:
        order.ncodes_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--ncodes_dir {order.ncodes_dir} cannot be made: {error.strerror}. Give another."
        ) from error
    failures: list[DatasetError] = []
    for piece in PrerequisiteName:
        if piece in order.only:
            try:
                _provide(MAKERS[piece], order, screen, terms or DownloadOptions())
            except DatasetError as error:
                failures.append(error)
    if failures:
        raise _together(failures)


def _together(failures: Sequence[DatasetError]) -> DatasetError:
    """Make one error of several; a wrong flag decides the exit code."""
    first = next((error for error in failures if isinstance(error, InputError)), failures[0])
    return type(first)("\n\n".join(dict.fromkeys(map(str, failures))))  # the same is said once


def _provide(maker: Prerequisite, order: Order, screen: Screen, terms: DownloadOptions) -> None:
    path = order.ncodes_dir / maker.name
    try:
        if os.path.lexists(path) and not (path.is_dir() if maker.is_folder else path.is_file()):
            kind = "folder" if maker.is_folder else "file"
            raise InputError(f"{path} is there, but is no {kind}. Move it out of the way, and run again.")
        if order.force or not maker.is_there(order, screen):
            with _alone_in(order.ncodes_dir):
                maker.make(order, screen, terms)
        else:
            _remove_leftovers(path)
    except OSError as error:
        raise DiskError(f"{error.filename or path} cannot be worked with: {error.strerror}.") from error


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs off the folder: two that write one download would spoil it for each other."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(folder))
        except FolderInUseError as error:
            raise FolderInUseError(
                f"Another run fetches into {folder}. Wait for it, or give another --ncodes_dir."
            ) from error
        except InputError as error:
            raise _unwritable(folder, error.__cause__) from error
        yield


def _unwritable(folder: Path, why: BaseException | None) -> DatasetError:
    if getattr(why, "errno", 0) in _FULL:
        return DiskError(f"{folder} has no room left. Make room, or give another --ncodes_dir.")
    words = getattr(why, "strerror", why)
    return InputError(f"--ncodes_dir {folder} cannot be written to ({words}). Give another, or mend that.")


def _remove_leftovers(path: Path) -> None:
    """Remove what a killed run left half written; downloads stay, for the next one to go on with."""
    pattern = f"{PARTIAL_PREFIX}{path.stem}*{PARTIAL_SUFFIX}"
    if any(path.parent.glob(pattern)):
        with contextlib.suppress(InputError), _alone_in(path.parent):  # or they belong to one that lives
            for leftover in path.parent.glob(pattern):
                leftover.unlink()
