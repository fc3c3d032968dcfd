"""Download of one big file over HTTP: resumed, retried, and checked before it gets its final name."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3

from ..errors import DiskError, OneSourceError
from ..models.http_defaults import USER_AGENT
from ..reasons import is_temporary_status
from .credentials import Credentials
from .headers import MAX_DIGITS, parse_number, parse_retry_after
from .http_session import Connections, describe_error, open_session
from .locations import redacted
from .part_file import FileInfo, PartFile

Advance = Callable[[int, int], None]
"""A progress callback: bytes done, and bytes in all (0 if unknown)."""
MAX_RETRY_AFTER = 60.0  # maximum Retry-After in seconds
_CHUNK = 1 << 16
_START = 1 << 10  # bytes that are enough to recognise a web page
_PROGRESS = 1 << 16  # bytes that must arrive before earlier failures are forgotten
_SLOW_HEADERS = "it sends its headers too slowly"
_CONTENT_RANGE = re.compile(r"bytes (N)-N/(N)".replace("N", f"[0-9]{{1,{MAX_DIGITS}}}"))


@dataclass(frozen=True)
class DownloadOptions:
    """The checks and limits of a download.

    Attributes
    ----------
    sha1
        Of the whole file, in hex; empty if unknown.
    check_start
        Returns what is wrong with the first bytes of a file; empty if nothing is.
    disk_factor
        Bytes of free disk space that are needed per byte of the file.
    retry_delays
        Seconds before each retry.
    connect_timeout, read_timeout
        Seconds without a connection, or without data.
    min_speed
        Bytes per second that must arrive on average over each `read_timeout`.
    credentials
        Sent to the host of the URL.
    user_agent
        The User-Agent of all requests.
    """

    sha1: str = ""
    check_start: Callable[[bytes], str] | None = None
    disk_factor: float = 1.0
    retry_delays: tuple[float, ...] = (1, 2, 4, 8, 16)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    min_speed: float = 1000.0
    credentials: Credentials | None = None
    user_agent: str = USER_AGENT


class _TemporaryError(Exception):
    """An attempt failed, but a later one may succeed.

    `retry_after` is that of the server, in seconds; `connected` is False if there was no response.
    """

    def __init__(self, sentence: str, *, retry_after: float = 0.0, connected: bool = True) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.connected = connected


def download(
    url: str,
    target: Path,
    *,
    options: DownloadOptions | None = None,
    progress: Advance | None = None,
    print_line: Callable[[str], None] | None = None,
) -> None:
    """Download a file; after an interruption, the next call resumes.

    Parameters
    ----------
    url
        http or https.
    target
        The final path; until the file is complete, `<target>.part` grows.
    options
        Checks and limits.
    progress
        Called after each chunk.
    print_line
        Called with a line for the user when something is retried or resumed.

    Raises
    ------
    OneSourceError
        If the file cannot be downloaded; the message says why.
    DiskError
        If the file cannot be written.
    """
    options, part = options or DownloadOptions(), PartFile(target, redacted(url))
    try:
        Download(url, part, options, progress=progress, print_line=print_line).run()
        part.check_sha1(options.sha1)
        part.finish()
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror or error}.") from error


class Download:
    """One download, from the existing part to the complete file.

    Parameters
    ----------
    progress
        Called when all bytes up to a position can be read; an exception ends the download.
    print_line
        Called with a line for the user when something is retried or resumed.
    connections
        Lets another thread cancel the download.
    """

    def __init__(
        self,
        url: str,
        part: PartFile,
        options: DownloadOptions,
        *,
        progress: Advance | None = None,
        print_line: Callable[[str], None] | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._url, self._part, self._options = url, part, options
        self._progress = progress or (lambda _done, _total: None)
        self._print_line = print_line or (lambda _text: None)
        self._connections = connections or Connections()

    def run(self) -> None:
        """Download what is missing.

        Raises
        ------
        OneSourceError
            If the file cannot be downloaded; the message says why.
        OSError, CancelledError
            If the part cannot be written; if the download was cancelled.
        """
        failures, best = 0, 0
        try:
            while not self._part.is_complete():
                with open_session(self._url, self._connections, self._options.credentials) as session:
                    failure = self._attempt(session)
                if failure is None:
                    return
                if self._part.size() > best + _PROGRESS:
                    failures, best = 0, self._part.size()
                self._wait(failures, failure)
                failures += 1
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise OneSourceError(describe_error(error)) from error

    def _attempt(self, session: requests.Session) -> _TemporaryError | None:
        """Send one request; returns the failure if the file is not complete afterwards."""
        try:
            with contextlib.closing(self._request(session)) as response:
                self._check_status(response)
                self._receive(response)
        except _TemporaryError as error:
            return error
        expected = self._part.info.size
        if expected and not self._part.is_complete():
            return _TemporaryError(f"it ends after {self._part.size()} of {expected} bytes")
        return None

    def _wait(self, failures: int, failure: _TemporaryError) -> None:
        delays = self._options.retry_delays
        if not failure.connected and not self._part.size():
            delays = delays[:2]  # a host that does not respond seldom recovers, and there are other sources
        if failures >= len(delays) or failure.retry_after > MAX_RETRY_AFTER:
            raise OneSourceError(str(failure)) from failure
        seconds = max(delays[failures], failure.retry_after)
        self._print_line(f"  {failure}; trying again in {seconds:.0f} s")
        self._connections.wait(seconds)

    def _request(self, session: requests.Session) -> requests.Response:
        # identity: with compression, sizes and ranges would be meaningless
        headers = {"User-Agent": self._options.user_agent, "Accept-Encoding": "identity"}
        if self._part.is_resumable():
            headers["Range"] = f"bytes={self._part.size()}-"
            if self._part.info.validator:
                headers["If-Range"] = self._part.info.validator
        timeout = (self._options.connect_timeout, self._options.read_timeout)
        try:
            # The read timeout is that of a single read, and headers may arrive byte by byte.
            with self._connections.limited(sum(timeout)):
                response = session.get(self._url, headers=headers, stream=True, timeout=timeout)
        except (requests.ConnectionError, requests.Timeout) as error:
            why = _SLOW_HEADERS if self._connections.aborted else describe_error(error)
            raise _TemporaryError(why, connected=False) from error
        if self._connections.aborted:  # its headers are incomplete
            response.close()
            raise _TemporaryError(_SLOW_HEADERS, connected=False)
        return response

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        sentence = f"it answers {status} {response.reason or ''}".strip()
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._part.discard()
        elif not is_temporary_status(status):
            raise OneSourceError(sentence, status=status)
        retry_after = parse_retry_after(response.headers.get("Retry-After", ""))
        raise _TemporaryError(sentence, retry_after=retry_after or 0.0)

    def _receive(self, response: requests.Response) -> None:
        """Append the body to the part, or start the part again if the server does not resume."""
        offset, info = self._describe(response)
        self._check_disk_space(info.size, offset)
        chunks, start, done = self._chunks(response), b"", offset
        try:
            while len(start) < _START and (chunk := next(chunks, b"")):
                start += chunk
            # Checked before the part is changed: it may be the log-in page of a public network.
            if self._options.check_start and not offset and (fault := self._options.check_start(start)):
                raise OneSourceError(fault)
            if offset:
                self._print_line(f"  resuming at {offset / 1e6:,.1f} MB")
            elif self._part.size():
                self._print_line("  the server cannot resume, or its file has changed: starting again")
            with self._part.open(info, offset) as part:
                chunk = start
                while chunk:
                    part.write(chunk)
                    part.flush()
                    done += len(chunk)
                    self._progress(done, info.size)
                    chunk = next(chunks, b"")
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            timed_out = isinstance(error, urllib3.exceptions.TimeoutError)
            what = "it stopped sending" if timed_out else "the connection broke"
            raise _TemporaryError(f"{what} after {done:,} bytes") from error

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body as it arrives, as long as it arrives fast enough.

        It is not decoded: some servers send a .tgz with "Content-Encoding: gzip".
        """
        read = getattr(response.raw, "read1", response.raw.read)  # urllib3 before 2.1 waits for whole chunks
        since, received = time.monotonic(), 0
        while chunk := read(_CHUNK, decode_content=False):
            self._connections.mark_active()
            yield chunk
            received += len(chunk)
            seconds = time.monotonic() - since
            if seconds < self._options.read_timeout:
                continue
            if received < self._options.min_speed * seconds:
                raise _TemporaryError(f"it sends only {received / seconds:.0f} bytes a second")
            since, received = time.monotonic(), 0
        if self._connections.aborted:
            raise _TemporaryError("it stopped sending")

    def _describe(self, response: requests.Response) -> tuple[int, FileInfo]:
        """Return the position at which the body starts, 0 or the end of the part, and the file's metadata."""
        headers, part = response.headers, self._part
        content_range = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        length = content_range[2] if content_range else headers.get("Content-Length", "")
        size = parse_number(length) or 0
        new = FileInfo(part.info.url, headers.get("ETag", ""), headers.get("Last-Modified", ""), size)
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            return 0, new
        offset, old = part.size(), part.info
        is_rest = content_range and int(content_range[1]) == offset and old.size in (0, size)
        if not is_rest or not old.may_be(new):
            part.discard()
            raise _TemporaryError("it sends another range than was requested")
        return offset, replace(old, size=size) if offset else new

    def _check_disk_space(self, size: int, offset: int) -> None:
        folder = self._part.path.parent
        free = shutil.disk_usage(folder).free + (0 if offset else self._part.size())
        needed = int(size * self._options.disk_factor) - offset
        if needed > free:
            raise OneSourceError(
                f"it needs {needed / 1e6:,.0f} MB of disk, and {folder} has {free / 1e6:,.0f} MB free: "
                "make room"
            )
