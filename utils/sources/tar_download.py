"""Download of a category's tar, whose images can be used as soon as they have arrived.

A thread downloads to `<target>.part`. Each image that is complete on disk is listed, and is read from there
with `tar_members.read`. If the download starts again (the server does not support ranges, or its file has
changed), a new part file replaces the old one and all images are listed again; `tar_members.read` detects
references into the old file.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from ..copies.tar_members import TarScanner
from ..errors import DatasetError, DiskError, OneSourceError, disk_error
from ..fetch.archive_stream import check_start
from ..fetch.credentials import COOKIE_VARIABLE, TOKEN_VARIABLE
from ..fetch.file_download import Download, DownloadOptions
from ..fetch.http_session import Connections
from ..fetch.locations import redacted
from ..fetch.part_file import PartFile
from ..models.rows import TarMember
from ..tar_reader import BLOCK, is_header

MAX_TAR_BYTES = 16 * 10**9
"""Bytes of one tar; ImageNet's largest category has 3,047 images."""
OPTIONS = DownloadOptions(retry_delays=(1, 2, 4, 8), read_timeout=20.0)
"""Shorter delays than for the prerequisites, without which a run cannot start."""

_STOP_TIMEOUT = 0.5  # seconds
_MAX_PADDING = 1 << 20  # bytes of zeros after the end mark, which some programs write
_LOG_IN = (
    f"log in at {{host}}, accept the terms, and put the token into {TOKEN_VARIABLE}, "
    f"or the cookie that your browser sends there into {COOKIE_VARIABLE}"
)
_LOG_IN_AGAIN = (
    f"the value of {TOKEN_VARIABLE} or {COOKIE_VARIABLE} is not accepted; "
    "log in at {host}, accept the terms, and set it again"
)
_log = logging.getLogger(__name__)


class InvalidTarError(Exception):
    """The file is not a tar, or incomplete."""


class _EndOfTarError(Exception):
    """The end mark was reached, at this position; further bytes are not needed."""

    def __init__(self, position: int) -> None:
        self.position = position


class TarDownload:
    """One category's tar, read from its beginning while it is downloaded.

    Parameters
    ----------
    address
        A URL.
    target
        The download grows as `<target>.part` with `<target>.part.json`, and continues from those of an
        earlier run. The folder must exist.
    options
        Limits, and credentials.
    on_end
        Called from the download's thread when it ends.

    Attributes
    ----------
    path
        The part file, to which the members' offsets refer.
    problem
        Why the download failed, in a sentence; empty if it did not. Members listed before are valid.
    error
        The error if nothing more can be written, which stops the whole run.
    """

    def __init__(
        self,
        address: str,
        target: Path,
        *,
        options: DownloadOptions = OPTIONS,
        on_end: Callable[[TarDownload], None] = lambda _download: None,
    ) -> None:
        self._address, self._options, self._on_end = address, options, on_end
        self._name = redacted(address)
        self._part = PartFile(target, self._name)
        self.path = self._part.path
        self.problem = ""
        self.error: DatasetError | None = None
        self._lock = threading.Lock()
        self._connections = Connections()
        self._thread: threading.Thread | None = None
        self._members: list[TarMember] = []
        self._ended = False
        self._is_invalid = False
        self._scanner: TarScanner | None = None
        self._generation = 0

    def start(self) -> bool:
        """Start the thread, unless the download was started or closed before; returns whether it started."""
        thread = threading.Thread(target=self._run, name=f"tar-download {self.path.name}", daemon=True)
        with self._lock:
            if self._thread or self.closed:
                return False
            try:
                thread.start()
            except RuntimeError as error:  # no more threads
                self.problem, self._ended = self._sentence(error), True
                return False
            self._thread = thread
        return True

    def poll(self) -> list[TarMember]:
        """Return the members that have become complete since the last call; never blocks."""
        # The download's own timeout comes first, and has a better message.
        self._connections.abort_if_idle(2 * self._options.read_timeout)
        with self._lock:
            members, self._members = self._members, []
        return members

    @property
    def ended(self) -> bool:
        """Whether `poll` will return no more members."""
        with self._lock:
            return self._ended and not self._members

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._connections.cancelled

    def close(self, *, keep: bool) -> None:
        """End the download within half a second; a name resolution that is running ends later.

        Parameters
        ----------
        keep
            Whether the part file is kept for a later run, unless it is invalid.
        """
        self._connections.cancel()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(_STOP_TIMEOUT)
        with self._lock:
            self._members, self._ended = [], True
        if self._is_invalid or not keep:
            try:
                self._part.discard()
            except OSError as error:
                self.problem = self.problem or str(disk_error(self.path, error))

    def _run(self) -> None:
        try:
            with contextlib.suppress(_EndOfTarError):
                self._download()
        except Exception as error:  # a bug must not disappear with the thread
            self._record_error(error)
        finally:
            if self._scanner:
                self._scanner.close()
            with self._lock:
                self._ended = True
            self._on_end(self)

    def _download(self) -> None:
        """List the members of the existing part, and continue it."""
        part = self._part
        self._read_part()
        options = replace(self._options, check_start=self._check_start, disk_factor=1.0)
        Download(
            self._address, part, options, progress=self._on_progress, connections=self._connections
        ).run()
        raise _truncated(part.size())

    def _read_part(self) -> None:
        """List the members of an existing part; discard it if it is not the beginning of a valid tar.

        After a power failure a part may contain zeros, which look like the end mark.
        """
        part = self._part
        if not part.is_resumable():
            return
        try:
            self._read_to(part.size())
            is_valid = not part.is_complete()
        except _EndOfTarError as end:
            if part.info.size <= end.position + _MAX_PADDING:
                raise
            is_valid = False
        except InvalidTarError:
            is_valid = False
        if not is_valid:
            part.discard()
            self._reset()

    def _on_progress(self, done: int, total: int) -> None:
        if max(done, total) > MAX_TAR_BYTES:
            raise InvalidTarError(f"it is larger than {MAX_TAR_BYTES // 10**9} GB")
        self._read_to(done)

    def _read_to(self, size: int) -> None:
        """List all members within the first `size` bytes."""
        generation = self._part.generation
        if self._scanner is None or generation != self._generation:
            self._reset()
            self._scanner, self._generation = TarScanner(self.path), generation
        try:
            for member in self._scanner.scan_to(size):
                self._connections.mark_active()
                with self._lock:
                    self._members.append(member)
        except ValueError as error:
            raise InvalidTarError(str(error)) from error
        if self._scanner.ended:
            raise _EndOfTarError(self._scanner.position)

    def _reset(self) -> None:
        """Forget the members of a file that was replaced."""
        if self._scanner:
            self._scanner.close()
        with self._lock:
            self._scanner, self._members = None, []

    def _record_error(self, error: Exception) -> None:
        if self.closed:
            return
        self._is_invalid = isinstance(error, InvalidTarError)
        if isinstance(error, OSError):
            failure = disk_error(self.path, error)
            self.error = failure if isinstance(failure, DiskError) else None
            self.problem = str(failure)
        else:
            self.problem = self._sentence(error)

    def _check_start(self, start: bytes) -> str:
        """Return what is wrong with the first bytes; empty if they may be those of a tar."""
        if check_start(start):
            return f"it sends a web page instead of the archive: {self._log_in_advice()}"
        block = start[:BLOCK]  # all zeros: a tar without members
        is_invalid = len(block) == BLOCK and any(block) and not is_header(block)
        return "it is not a tar archive" if is_invalid else ""

    def _sentence(self, error: Exception) -> str:
        """Describe an error in a sentence that says what to do."""
        if isinstance(error, OneSourceError) and error.status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
        ):
            words = f"it answers {error.status}: {self._log_in_advice()}"
        elif isinstance(error, OneSourceError) and error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            words = f"no such synset in the archive (it answers {error.status})"
        elif isinstance(error, (OneSourceError, InvalidTarError)):
            words = str(error)
        else:
            _log.debug("%s", self._name, exc_info=error)
            words = f"it cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        return f"{self._name}: {words}."

    def _log_in_advice(self) -> str:
        advice = _LOG_IN if self._options.credentials is None else _LOG_IN_AGAIN
        return advice.format(host=urlsplit(self._name).hostname)


def _truncated(size: int) -> InvalidTarError:
    """Describe a tar that ends after so many bytes, without an end mark."""
    if not size:
        return InvalidTarError("it is empty")
    return InvalidTarError(f"it is cut off after {size:,} bytes; the images before that are used")
