"""The images of a category from an archive that keeps whole categories: a tar each, read while it comes.

A feed never blocks who polls it: a thread downloads into `<target>.part`, and as soon as a member is whole
on disk it is given, to be read from there with `image_tar.read`. Where the server makes the download begin
anew (it knows no ranges, or its file has changed), the part becomes another file of the same name, and all
members are given again: those of the old one either were read before, or are recognised as gone by
`image_tar.read`.
"""

from __future__ import annotations

import contextlib
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import DatasetError, DiskError, disk_error
from ..fetch.file_download import Download, DownloadOptions
from ..fetch.http_session import Connections
from ..fetch.locations import is_url, local_path, redacted
from ..fetch.part_file import PartFile
from ..models.rows import TarMember
from .tar_errors import DamageError, Teller, cut_off
from .tar_members import TarScanner

MAX_ARCHIVE_BYTES = 16 * 10**9
"""Of one category; ImageNet's largest has 3,047 images."""
TERMS = DownloadOptions(retry_delays=(1, 2, 4, 8), read_timeout=20.0)
"""Shorter than for files that a run cannot do without."""

_SECONDS_TO_STOP = 0.5
_MOST_PADDING = 1 << 20  # bytes of zeros that programs put behind the archive's end


class _EndError(Exception):
    """The mark at the archive's end has come, at this place; what may follow is of no use."""

    def __init__(self, place: int) -> None:
        self.place = place


class TarDownload:
    """One category's tar, in the web or on disk, read from its front.

    Attributes
    ----------
    path
        The file in which the members' offsets count: what has been downloaded, or the user's own tar. The
        path stays the same until `close`.
    problem
        In one sentence, why it ended badly; empty otherwise. The members that were given are good.
    error
        What stops the whole run, if that is why it ended: nothing can be written any more.
    """

    def __init__(
        self,
        address: str,
        target: Path,
        *,
        terms: DownloadOptions = TERMS,
        at_end: Callable[[TarDownload], None] | None = None,
    ) -> None:
        """Prepare it; nothing is opened yet.

        Parameters
        ----------
        address
            A URL, or the path of a tar on disk, which is only read.
        target
            For a URL: beside it the download grows, as `<target>.part` and `<target>.part.json`; what an
            earlier run left there is used. Its folder must exist.
        terms
            How long it is tried, and what lets us in.
        at_end
            Told from its thread that nothing is under way any more.

        Raises
        ------
        OneSourceError
            If the address is neither a URL nor a path.
        """
        self._address, self._terms, self._at_end = address, terms, at_end or (lambda _feed: None)
        self._teller = Teller(redacted(address), has_credentials=terms.credentials is not None)
        self._part = PartFile(target, redacted(address)) if is_url(address) else None
        self.path = self._part.path if self._part else local_path(address)
        self.problem = ""
        self.error: DatasetError | None = None
        self._lock = threading.Lock()
        self._connections = Connections()
        self._thread: threading.Thread | None = None
        self._found: list[TarMember] = []
        self._is_over = False
        self._is_worthless = False
        self._scan: TarScanner | None = None
        self._generation = 0

    def start(self) -> bool:
        """Begin, in a thread, unless it has been closed; says whether it did."""
        thread = threading.Thread(target=self._run, name=f"feed {self.path.name}", daemon=True)
        with self._lock:
            if self._thread or self.closed:
                return False
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more of them
                self.problem, self._is_over = self._teller.sentence(error), True
                return False
            self._thread = thread
        return True

    def poll(self) -> list[TarMember]:
        """Give the members that have become whole since the last call; never blocks."""
        self._connections.abort_if_idle(2 * self._terms.read_timeout)  # its own timeout says better why
        with self._lock:
            found, self._found = self._found, []
        return found

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        with self._lock:
            return self._is_over and not self._found

    @property
    def closed(self) -> bool:
        """Whether it was told to end."""
        return self._connections.cancelled

    def close(self, *, keep: bool) -> None:
        """End it, within half a second whatever the server does; a name look-up ends later, and does nothing.

        Parameters
        ----------
        keep
            True: what has arrived stays for a later run to go on with, unless it proved worthless. False:
            nothing stays. The user's own tar always does.
        """
        self._connections.cancel()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(_SECONDS_TO_STOP)
        with self._lock:
            self._found, self._is_over = [], True
        if self._part and (self._is_worthless or not keep):
            try:
                self._part.discard()
            except OSError as error:
                self.problem = self.problem or str(disk_error(self.path, error))

    def _run(self) -> None:
        try:
            self._look() if self._part is None else self._fetch(self._part)
        except Exception as error:  # whatever it is, it must not vanish with the thread
            self._take_note(error)
        finally:
            self._finish()

    def _finish(self) -> None:
        if self._scan:
            self._scan.close()
        with self._lock:
            self._is_over = True
        self._at_end(self)

    def _look(self) -> None:
        """Read a tar of the user's."""
        status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would never end
            raise DamageError("it is no file")
        with contextlib.suppress(_EndError):
            self._read_to(status.st_size)
            raise cut_off(status.st_size)

    def _fetch(self, part: PartFile) -> None:
        """Read what an earlier run left, and then what comes."""
        with contextlib.suppress(_EndError):
            self._take_up(part)
            terms = replace(self._terms, check_start=self._teller.of_beginning, disk_factor=1.0)
            Download(self._address, part, terms, progress=self._advance, connections=self._connections).run()
            raise cut_off(part.size())

    def _take_up(self, part: PartFile) -> None:
        """Read a part from its front; one that cannot be the beginning of a sound tar is dropped.

        Where the power failed a part may hold zeros, and those look like the archive's end.
        """
        if not part.is_resumable():
            return
        try:
            self._read_to(part.size())
            is_sound = not part.is_complete()
        except _EndError as end:
            if part.info.size <= end.place + _MOST_PADDING:
                raise
            is_sound = False
        except DamageError:
            is_sound = False
        if not is_sound:
            part.discard()
            self._forget()

    def _advance(self, done: int, total: int) -> None:
        if max(done, total) > MAX_ARCHIVE_BYTES:
            raise DamageError(f"it is larger than {MAX_ARCHIVE_BYTES // 10**9} GB")
        self._read_to(done)

    def _read_to(self, size: int) -> None:
        """Give all members up to there."""
        scan = self._scan_of_now()
        try:
            for member in scan.scan_to(size):
                self._connections.mark_active()
                with self._lock:
                    self._found.append(member)
        except ValueError as error:
            raise DamageError(str(error)) from error
        if scan.ended:
            raise _EndError(scan.position)

    def _scan_of_now(self) -> TarScanner:
        """Go on with the scan, or begin another if the file has been begun anew."""
        generation = self._part.generation if self._part else 0
        if self._scan is None or generation != self._generation:
            self._forget()
            self._scan, self._generation = TarScanner(self.path), generation
        return self._scan

    def _forget(self) -> None:
        """Drop what was found in a file that is gone."""
        if self._scan:
            self._scan.close()
        with self._lock:
            self._scan, self._found = None, []

    def _take_note(self, error: Exception) -> None:
        """Make a sentence of what ended it."""
        if self._connections.cancelled:
            return
        self._is_worthless = isinstance(error, DamageError)
        if isinstance(error, OSError) and self._part:
            told = disk_error(self.path, error)
            self.error = told if isinstance(told, DiskError) else None
            self.problem = str(told)
        else:
            self.problem = self._teller.sentence(error)
