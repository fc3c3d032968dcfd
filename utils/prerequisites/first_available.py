"""One source after the other, until one of them gives a file that can be used.

This module alone knows what a source's address may be, and when a downloaded file has had its day.
"""

from __future__ import annotations

import contextlib
import dataclasses
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import OneSourceError, SourceError
from ..fetch.archive_stream import fault_of
from ..fetch.file_download import Advance, Terms, download
from ..fetch.locations import is_in_web, local_path, shown
from .known_sources import KnownSource

DOWNLOAD_SUFFIX = ".download"
LARGEST_DOWNLOAD = 5_000_000_000  # bytes; the largest of ours, unpacked, has 1.1 GB


class Screen(Protocol):
    """Where the user sees what goes on."""

    def print(self, text: str) -> None:
        """Show a line."""

    def bar(self, title: str) -> AbstractContextManager[Advance]:
        """Show how far something is."""


@dataclass(frozen=True)
class Job:
    """One prerequisite that comes from a source.

    Attributes
    ----------
    name, flag
        What it is called, and the flag that names a source of it.
    sources
        Where it may be had, in the order in which to try.
    use
        What is done with the file, once it is on disk.
    room
        Bytes of disk that are needed per byte to be downloaded.
    by_hand
        What a user can do when all sources fail.
    """

    name: str
    flag: str
    sources: Sequence[KnownSource]
    use: Callable[[Path, KnownSource], None]
    room: float
    by_hand: str


def from_sources(job: Job, folder: Path, *, screen: Screen, terms: Terms) -> None:
    """Try one source after the other, until one of them has given the file.

    Raises
    ------
    SourceError
        If none has; the text has a line for each, and says what to do by hand.
    """
    faults: list[str] = []
    for source in job.sources:
        about = f" ({source.described})" if source.described else ""
        screen.print(f"{job.name}: from {shown(source.address)}{about}")
        fault = _fault_of_trying(job, source, folder, screen=screen, terms=terms)
        if not fault:
            remove_downloads(job.name, folder)
            return
        screen.print(f"  {fault}")
        faults.append(f"  {shown(source.address)}: {fault}")
    raise SourceError(
        f"{job.name} could not be had. Tried:\n"
        + "\n".join(faults)
        + "\nIf the network was down, or wants a proxy (http_proxy, https_proxy), mend that and run again.\n"
        + f"{job.by_hand}\nThen run again with {job.flag} and its path."
    )


def remove_downloads(name: str, folder: Path) -> None:
    """Remove what was downloaded for a prerequisite, whole or in part: it is no longer needed."""
    for path in folder.glob(f"{name}.*{DOWNLOAD_SUFFIX}*"):
        path.unlink(missing_ok=True)


def _fault_of_trying(job: Job, source: KnownSource, folder: Path, *, screen: Screen, terms: Terms) -> str:
    """Try one source; say what is wrong with it, or nothing.

    What an earlier run has left may be what is wrong (power that failed spoils the end of a file), so if
    that was dropped the source is tried once more, from the beginning.
    """
    for is_last in (False, True):
        left = _downloads(job, source, folder)
        try:
            with _on_disk(job, source, folder, screen=screen, terms=terms) as path:
                job.use(path, source)
        except OneSourceError as error:
            if is_last or not left or _downloads(job, source, folder):
                return str(error)
            screen.print(f"  {error}; an earlier run had fetched some of it: once more from the beginning")
        else:
            break
    return ""


@contextlib.contextmanager
def _on_disk(job: Job, source: KnownSource, folder: Path, *, screen: Screen, terms: Terms) -> Iterator[Path]:
    """Give the path of a source; what is in the web is fetched first, and removed if it is of no use."""
    if not _is_web(source):
        yield local_path(source.address)
        return
    path = _download_path(job, source, folder)
    if not path.exists():  # there if a run was stopped after the download: not fetched twice
        own_terms = dataclasses.replace(terms, sha1=source.sha1, fault=fault_of, room=job.room)
        with screen.bar("downloading") as advance:
            progress = _bounded(advance, lambda: _discard(job, source, folder))
            download(source.address, path, terms=own_terms, progress=progress, say=screen.print)
    try:
        yield path
    except OneSourceError:
        _discard(job, source, folder)
        raise


def _bounded(advance: Advance, discard: Callable[[], None]) -> Advance:
    """Give up a download that is, or says it will be, larger than any file of ours."""

    def progress(done: int, total: int) -> None:
        if max(done, total) > LARGEST_DOWNLOAD:
            discard()
            raise OneSourceError(
                f"it is larger than {LARGEST_DOWNLOAD / 1e9:.0f} GB, so not what it should be"
            )
        advance(done, total)

    return progress


def _is_web(source: KnownSource) -> bool:
    return is_in_web(source.address)


def _download_path(job: Job, source: KnownSource, folder: Path) -> Path:
    which = zlib.crc32(source.address.encode(errors="surrogateescape"))
    return folder / f"{job.name}.{which:08x}{DOWNLOAD_SUFFIX}"


def _downloads(job: Job, source: KnownSource, folder: Path) -> list[Path]:
    """List what lies there of one source in the web, whole or in part."""
    path = _download_path(job, source, folder)
    return list(folder.glob(f"{path.name}*")) if _is_web(source) else []


def _discard(job: Job, source: KnownSource, folder: Path) -> None:
    for path in _downloads(job, source, folder):
        path.unlink()
