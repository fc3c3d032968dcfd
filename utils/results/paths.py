"""Where things lie on disk, and how they get there whole.

This module alone knows the names of files and folders in a result folder, but for those of `results.shards`.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from ..errors import DiskError, FolderInUseError, InputError, disk_error
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX
from ..models.images import ImageFormat

try:
    import fcntl
except ImportError:  # Windows has no flock; its own lock serves there
    fcntl = None  # type: ignore[assignment]
    import msvcrt

RESULT_FOLDER = "partial_imagenet"
LOCK_NAME = ".lock"
FINGERPRINTS_NAME = ".fingerprints.csv"
GALLERY_STATE_NAME = ".gallery.jsonl"
EXTENSIONS = frozenset({f".{kind.value}" for kind in ImageFormat} | {".jpeg", ".tif"})
"""How images are named, in any case; ours are named by `ImageFormat`."""
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_IN_USE = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""What the system says of a file that is locked; all else means that it locks none, as Lustre may."""


@dataclass(frozen=True)
class CategoryFolder:
    """The files of one category below the result folder."""

    path: Path
    IMAGES: ClassVar[str] = "Images"

    @functools.cached_property
    def images(self) -> Path:
        """The folder of the images."""
        return self.path / self.IMAGES

    @functools.cached_property
    def annotations(self) -> Path:
        """The folder of the XML files."""
        return self.path / "Annotation"

    @property
    def journal(self) -> Path:
        """The file that a run appends to as it goes."""
        return self.path / ".journal.jsonl"

    @property
    def report(self) -> Path:
        """The file that the user reads."""
        return self.path / f"{self.path.name}_download_report.csv"

    @property
    def tar_progress(self) -> Path:
        """The file that says how far the category's tar in an archive has been read."""
        return self.path / ".archive.json"

    def image(self, image_code: str, image_format: ImageFormat) -> Path:
        """Say where an image lies; `image_code` must have been checked, for it becomes a path."""
        return self.images / f"{image_code}.{image_format.value}"

    def annotation(self, image_code: str) -> Path:
        """Say where the XML of an image lies."""
        return self.annotations / f"{image_code}.xml"

    def relative(self, path: Path) -> str:
        """Spell a path below this folder as the report does, with slashes on every system."""
        return path.relative_to(self.path).as_posix()

    def make(self) -> None:
        """Make the folders that are not there yet.

        Raises
        ------
        DiskError, FolderError
            If they cannot be made.
        """
        try:
            self.images.mkdir(parents=True, exist_ok=True)
            self.annotations.mkdir(exist_ok=True)
        except OSError as error:
            in_the_way = Path(error.filename) if isinstance(error, FileExistsError) else self.path
            raise disk_error(in_the_way, error) from error

    def remove_partials(self) -> None:
        """Remove what a killed run left half written."""
        for folder in (self.images, self.annotations, self.path):
            for leftover in folder.glob(f"{PARTIAL_PREFIX}*{PARTIAL_SUFFIX}"):
                if not leftover.is_dir():  # a folder of that name is nobody's leftover of ours
                    leftover.unlink(missing_ok=True)


def result_folder(save_dir: Path) -> Path:
    """Make the result folder in `save_dir` if it is not there.

    Raises
    ------
    InputError
        If it cannot be made or written to.
    """
    folder = save_dir / RESULT_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--save_dir {save_dir}: {folder} cannot be made ({error.strerror}). Give another folder."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--save_dir {save_dir}: {folder} cannot be written to. Give another folder.")
    return folder


@functools.cache  # said once of a folder, however often it is locked
def _warn_of_no_locks(folder: Path, why: str) -> None:
    import logging  # only now: workers never need it

    logging.getLogger(__name__).warning(
        "The file system of %s has no locks (%s), so that nothing keeps a second run out: start none there "
        "while this one is at work.",
        folder,
        why,
    )


class FolderLock:
    """Prevents a second run in the same folder; the system releases the lock of a killed run.

    If the file system has no locks, a warning is logged instead. `flag` names the folder in messages.
    """

    def __init__(self, folder: Path, flag: str = "--save_dir") -> None:
        self._path = folder / LOCK_NAME
        self._flag = flag
        self._descriptor = -1

    def __enter__(self) -> FolderLock:
        while self._descriptor < 0:
            descriptor = self._open()
            try:
                self._acquire(descriptor)
            except OSError as error:
                if error.errno in _IN_USE:
                    os.close(descriptor)
                    raise FolderInUseError(
                        f"Another run is using {self._path.parent}. Wait until it ends, or choose another "
                        f"{self._flag}."
                    ) from error
                _warn_of_no_locks(self._path.parent, error.strerror)
            self._descriptor = self._if_still_there(descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Removed while it is still held: who opened it in between sees that it is gone and opens anew.
        if fcntl is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            kind = DiskError if error.errno in _FULL else InputError
            folder = self._path.parent
            raise kind(
                f"{folder} cannot be written to: {error.strerror}. Choose another {self._flag}."
            ) from error

    @staticmethod
    def _acquire(descriptor: int) -> None:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _if_still_there(self, descriptor: int) -> int:
        with contextlib.suppress(FileNotFoundError):  # a run that just ended has removed it
            if self._path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
        return -1
