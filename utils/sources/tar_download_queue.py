"""Queue of tar downloads: a run opens several categories, but downloads one tar at a time."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from pathlib import Path

from ..fetch.file_download import DownloadOptions
from ..fetch.locations import redacted
from ..fetch.part_file import PartFile
from .tar_address import CODE, address_template
from .tar_download import OPTIONS, TarDownload


class TarDownloadQueue:
    """The tars of a run, downloaded one at a time in the order in which they were opened.

    Parameters
    ----------
    address
        See `address_template`.
    folder
        The existing folder for downloads.
    options
        See `TarDownload`.

    Raises
    ------
    InputError
        If the address is invalid.
    """

    def __init__(self, address: str, folder: Path, *, options: DownloadOptions = OPTIONS) -> None:
        self._template = address_template(address)
        self._folder = folder
        self._options = options
        self._lock = threading.Lock()
        self._waiting: deque[TarDownload] = deque()
        self._is_running = self._is_stopped = False

    def address(self, code: str) -> str:
        """Return the address of a category's tar, without secrets."""
        return redacted(self._template.replace(CODE, code))

    def path(self, code: str) -> Path:
        """Return the path of a category's part file."""
        return self._part(code).path

    def open(self, code: str) -> TarDownload:
        """Queue the download of a category's tar; it never starts if it is closed before its turn."""
        download = TarDownload(
            self._template.replace(CODE, code),
            self._target(code),
            options=self._options,
            on_end=self._on_end,
        )
        with self._lock:
            self._waiting.append(download)
        self._start_next()
        return download

    def stop(self) -> None:
        """Start no further download."""
        with self._lock:
            self._is_stopped = True

    def discard(self, code: str) -> None:
        """Delete the part file of a category."""
        with contextlib.suppress(OSError):  # it only takes space
            self._part(code).discard()

    def _target(self, code: str) -> Path:
        return self._folder / f"{code}.tar"

    def _part(self, code: str) -> PartFile:
        return PartFile(self._target(code), self.address(code))

    def _on_end(self, _download: TarDownload) -> None:
        with self._lock:
            self._is_running = False
        self._start_next()

    def _start_next(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._is_running or self._is_stopped:
                    return
                download = self._waiting.popleft()
                self._is_running = True
            if not download.start():  # closed, or no more threads
                with self._lock:
                    self._is_running = False
