"""Tries the sources of a prerequisite in order, until one has a usable file."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import OneSourceError, SourceError
from ..fetch.archive_stream import check_start
from ..fetch.file_download import Advance, DownloadOptions, download
from ..fetch.locations import is_url, local_path, redacted
from .known_sources import KnownSource

DOWNLOAD_SUFFIX = ".download"
MAX_DOWNLOAD = 5_000_000_000
"""In bytes; the largest file, unpacked, has 1.1 GB."""


class Console(Protocol):
    """Shows messages and progress to the user."""

    def print(self, text: str) -> None:
        """Print a line."""

    def bar(self, title: str) -> AbstractContextManager[Advance]:
        """Show a progress bar."""


@dataclass(frozen=True)
class Job:
    """A prerequisite that is made from a file.

    Attributes
    ----------
    name, flag
        Its name, and the flag for another source.
    sources
        In the order to try them.
    use
        Processes the file when it is on disk.
    disk_factor
        Bytes of free disk space that are needed per byte of the download.
    by_hand
        What the user can do if all sources fail.
    """

    name: str
    flag: str
    sources: Sequence[KnownSource]
    use: Callable[[Path, KnownSource], None]
    disk_factor: float
    by_hand: str


def use_first_available(job: Job, folder: Path, *, console: Console, options: DownloadOptions) -> None:
    """Use the first source that works.

    Raises
    ------
    SourceError
        If none does; the message has a line for each source, and instructions for a manual download.
    """
    faults: list[str] = []
    for source in job.sources:
        address = redacted(source.address)
        about = f" ({source.description})" if source.description else ""
        console.print(f"{job.name}: from {address}{about}")
        try:
            if is_url(source.address):
                _use_download(job, source, folder, console=console, options=options)
            else:
                job.use(local_path(source.address), source)
        except OneSourceError as error:
            console.print(f"  {error}")
            faults.append(f"  {address}: {error}")
        else:
            remove_downloads(job.name, folder)
            return
    raise SourceError(
        f"{job.name} could not be downloaded. Tried:\n"
        + "\n".join(faults)
        + "\nIf the network was down, or needs a proxy (http_proxy, https_proxy), fix that and run again.\n"
        + f"{job.by_hand}\nThen run again with {job.flag} and its path."
    )


def remove_downloads(name: str, folder: Path) -> None:
    """Delete the complete and partial downloads of a prerequisite."""
    for path in folder.glob(f"{name}.*{DOWNLOAD_SUFFIX}*"):
        path.unlink(missing_ok=True)


def _use_download(
    job: Job, source: KnownSource, folder: Path, *, console: Console, options: DownloadOptions
) -> None:
    """Download a source and use it.

    The part that an earlier run left may be damaged (a power failure corrupts the end of a file). If it was
    deleted for that reason, the source is tried again from the beginning.
    """
    checksum = zlib.crc32(source.address.encode(errors="surrogateescape"))
    path = folder / f"{job.name}.{checksum:08x}{DOWNLOAD_SUFFIX}"
    options = dataclasses.replace(
        options, sha1=source.sha1, check_start=check_start, disk_factor=job.disk_factor
    )
    had_part = bool(_parts(path))
    try:
        _download_and_use(job, source, path, console=console, options=options)
    except OneSourceError as error:
        if not had_part or _parts(path):
            raise
        console.print(f"  {error}; the download of an earlier run may be damaged: starting again")
        _download_and_use(job, source, path, console=console, options=options)


def _download_and_use(
    job: Job, source: KnownSource, path: Path, *, console: Console, options: DownloadOptions
) -> None:
    if not path.exists():  # it exists if an earlier run was interrupted after the download
        with console.bar("downloading") as advance:

            def progress(done: int, total: int) -> None:
                if max(done, total) > MAX_DOWNLOAD:
                    _discard(path)
                    limit = f"{MAX_DOWNLOAD / 1e9:.0f} GB"
                    raise OneSourceError(f"it is larger than {limit}, so it is not the expected file")
                advance(done, total)

            download(source.address, path, options=options, progress=progress, print_line=console.print)
    try:
        job.use(path, source)
    except OneSourceError:
        _discard(path)
        raise


def _parts(path: Path) -> list[Path]:
    """Return what exists of a download: the complete file, or a part and its metadata."""
    return list(path.parent.glob(f"{path.name}*"))


def _discard(path: Path) -> None:
    for part in _parts(path):
        part.unlink()
