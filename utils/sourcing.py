"""One source after the other, until one of them gives a file that can be used.

This module alone knows what a source's address may be, and when a downloaded file has had its day.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .errors import OneSourceError, SourceError
from .known_sources import Source
from .packed import fault_of
from .web_file import Terms, download

Advance = Callable[[int, int], None]  # bytes done, bytes in all (0 if unknown)
DOWNLOAD_SUFFIX = ".download"
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")


class Screen(Protocol):
    """Where the user sees what goes on."""

    def say(self, text: str) -> None:
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
    wanted
        Which file to look for, for a user who must get it by hand.
    """

    name: str
    flag: str
    sources: Sequence[Source]
    use: Callable[[Path, Source], None]
    room: float
    wanted: str


def from_sources(job: Job, folder: Path, *, screen: Screen, terms: Terms) -> None:
    """Try one source after the other, until one of them has given the file.

    Raises
    ------
    SourceError
        If none has; the sentence has a line for each.
    """
    faults: list[str] = []
    for source in job.sources:
        screen.say(f"{job.name}: from {source.address}" + (f" ({source.what})" if source.what else ""))
        fault = _fault_of_trying(job, source, folder, screen=screen, terms=terms)
        if not fault:
            _remove_downloads(job, folder)
            return
        screen.say(f"  {fault}")
        faults.append(f"  {source.address}: {fault}")
    raise SourceError(
        f"{job.name} could not be had. Tried:\n"
        + "\n".join(faults)
        + f"\nGet {job.wanted} by hand, e.g. from a web archive or from someone who has it, "
        + f"and run again with {job.flag} and its path."
    )


def _fault_of_trying(job: Job, source: Source, folder: Path, *, screen: Screen, terms: Terms) -> str:
    """Try one source; say what is wrong with it, or nothing."""
    try:
        with _on_disk(job, source, folder, screen=screen, terms=terms) as path:
            job.use(path, source)
    except OneSourceError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def _on_disk(job: Job, source: Source, folder: Path, *, screen: Screen, terms: Terms) -> Iterator[Path]:
    """Give the path of a source; what is in the web is fetched first, and removed when it has been used."""
    scheme = _SCHEME.match(source.address)
    if scheme is None:
        yield Path(source.address).expanduser()
    elif scheme[1].lower() == "file":
        yield Path(url2pathname(urlsplit(source.address).path))
    elif scheme[1].lower() in ("http", "https"):
        path = folder / f"{job.name}.{zlib.crc32(source.address.encode()):08x}{DOWNLOAD_SUFFIX}"
        if not path.exists():  # there if a run was stopped after the download: not fetched twice
            own_terms = dataclasses.replace(terms, sha1=source.sha1, fault=fault_of, room=job.room)
            with screen.bar(f"downloading {job.name}") as advance:
                download(source.address, path, terms=own_terms, progress=advance)
        try:
            yield path
        except OneSourceError:
            path.unlink(missing_ok=True)
            raise
    else:
        raise OneSourceError(f"{scheme[1]}: is neither http nor https, nor is this a path")


def _remove_downloads(job: Job, folder: Path) -> None:
    for path in folder.glob(f"{job.name}.*{DOWNLOAD_SUFFIX}*"):
        path.unlink(missing_ok=True)
