"""An archive that keeps whole categories, in the web or in a folder: where a tar is, and whose turn it is.

Opening hundreds of categories must not start hundreds of downloads from one host.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from pathlib import Path

from ..fetch.file_download import DownloadOptions
from ..fetch.locations import is_url, local_path, redacted
from ..fetch.part_file import PartFile
from .tar_address import CODE, template
from .tar_download import TERMS, TarDownload


class TarDownloadQueue:
    """The feeds of a run: so many at work at once, in the order in which they were opened."""

    def __init__(
        self, source: str, folder: Path, *, terms: DownloadOptions = TERMS, at_once: int = 1
    ) -> None:
        """Prepare them.

        Parameters
        ----------
        source
            As for `template`.
        folder
            Where downloads grow; must exist.
        terms
            As for `TarDownload`.
        at_once
            How many download at the same time; one is polite.

        Raises
        ------
        InputError
            If the source is none.
        """
        self._template, self._folder, self._terms, self._at_once = template(source), folder, terms, at_once
        self._lock = threading.Lock()
        self._waiting: deque[TarDownload] = deque()
        self._at_work: list[TarDownload] = []

    def address(self, code: str) -> str:
        """Say where a category's tar is, as it may be shown."""
        return redacted(self._template.replace(CODE, code))

    def at_hand(self, code: str) -> Path:
        """Say where on disk a category's tar lies, or what has arrived of it."""
        address = self._template.replace(CODE, code)
        return self._part(code).path if is_url(address) else local_path(address)

    def open(self, code: str) -> TarDownload:
        """Open the feed of a category; it starts when its turn has come, unless it is closed before."""
        feed = TarDownload(
            self._template.replace(CODE, code),
            self._target(code),
            terms=self._terms,
            at_end=self._let_the_next_start,
        )
        with self._lock:
            self._waiting.append(feed)
        self._let_the_next_start()
        return feed

    def start_no_more(self) -> None:
        """Let none of those that wait start any more: the run is about to end."""
        with self._lock:
            self._at_once = 0

    def clear(self, code: str) -> None:
        """Remove what earlier runs left of the download of a category that is done."""
        with contextlib.suppress(OSError):  # it costs room, and no image
            self._part(code).discard()

    def _target(self, code: str) -> Path:
        return self._folder / f"{code}.tar"

    def _part(self, code: str) -> PartFile:
        return PartFile(self._target(code), self.address(code))

    def _let_the_next_start(self, ended: TarDownload | None = None) -> None:
        self._leave(ended)
        while (feed := self._next()) is not None:
            if not feed.start():  # it was closed while it waited
                self._leave(feed)

    def _next(self) -> TarDownload | None:
        """Take the next one, if it may be at work now."""
        with self._lock:
            if not self._waiting or len(self._at_work) >= self._at_once:
                return None
            self._at_work.append(self._waiting.popleft())
            return self._at_work[-1]

    def _leave(self, feed: TarDownload | None) -> None:
        with self._lock:
            if feed in self._at_work:
                self._at_work.remove(feed)
