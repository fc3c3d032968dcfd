"""One big file from the web: resumed where it broke off, tried again, and checked before it is there.

Keeper of requests. This module alone knows how a server is asked for the rest of a file.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from ..errors import DiskError, OneSourceError
from ..models.http_defaults import USER_AGENT
from ..reasons import is_passing_http
from .credentials import Credentials
from .curl_errors import parse_retry_after
from .http_errors import in_words
from .http_session import Line, talking
from .locations import shown
from .part_file import Note, PartFile

Advance = Callable[[int, int], None]  # bytes done, bytes in all (0 if unknown)
LONGEST_WAIT = 60.0  # seconds that a server may tell us to wait
_CHUNK = 1 << 16  # bytes that are read at once, at most
_TELLING = 1 << 10  # bytes by which a web page is told
_HEADWAY = 1 << 16  # bytes by which a part must grow for earlier failures to be forgotten
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Terms:
    """What a download must fulfil, and how long it is tried.

    Attributes
    ----------
    sha1
        Of the whole file, in hex; empty if unknown.
    fault
        Says what is wrong with an answer, from its first bytes; nothing if they will do.
    room
        Bytes of free disk that are needed per byte of the file.
    waits
        Seconds before each further try.
    connect_timeout, read_timeout
        Seconds until a silent server is given up.
    least_speed
        Bytes per second that must arrive over each `read_timeout`: who only drips is given up, too.
    credentials
        What lets us in, if that is needed.
    """

    sha1: str = ""
    fault: Callable[[bytes], str] | None = None
    room: float = 1.0
    waits: tuple[float, ...] = (1, 2, 4, 8, 16)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    least_speed: float = 1000.0
    credentials: Credentials | None = None


class _PassingError(Exception):
    """A try failed in a way that a later one may not; `wait` is what the server asked for, in seconds."""

    def __init__(self, sentence: str, *, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(sentence)
        self.wait = wait
        self.reached = reached


def download(
    url: str,
    target: Path,
    *,
    terms: Terms | None = None,
    progress: Advance | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Fetch a file; whatever stops it leaves a part from which the next call goes on.

    Parameters
    ----------
    url
        Where it is, http or https.
    target
        Where it goes when it is whole; until then `<target>.part` grows.
    terms
        What must be fulfilled.
    progress
        Told how far it is.
    say
        Told in a line what goes otherwise than straight on.

    Raises
    ------
    OneSourceError
        If this source does not give the file; the sentence says why.
    DiskError
        If the file cannot be written.
    """
    terms, part = terms or Terms(), PartFile(target, shown(url))
    download = Download(url, part, terms)
    download.progress, download.say = progress or download.progress, say or download.say
    try:
        download.run()
        part.require_sha1(terms.sha1)
        part.finish()
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror or error}.") from error


class Download:
    """One download, from the part that is there to a part that is whole.

    Attributes
    ----------
    progress
        Told how far it is, as soon as all bytes up to there can be read. What it raises ends the download.
    say
        Told in a line what goes otherwise than straight on.
    line
        By which another thread may stop it.
    """

    def __init__(self, url: str, part: PartFile, terms: Terms) -> None:
        self._url, self._part, self._terms = url, part, terms
        self.progress: Advance = lambda _done, _total: None
        self.say: Callable[[str], None] = lambda _text: None
        self.line = Line()

    def run(self) -> None:
        """Fetch what is missing.

        Raises
        ------
        OneSourceError
            If this source does not give the file; the sentence says why.
        OSError, StoppedError
            If the part cannot be written; if the line was stopped.
        """
        try:
            self._fetch()
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise OneSourceError(in_words(error)) from error

    def _fetch(self) -> None:
        failures, best = 0, 0
        while not self._part.is_whole():
            with talking(self._url, self.line, self._terms.credentials) as session:
                failure = self._try(session)
            if failure is None:
                break
            if self._part.size() > best + _HEADWAY:
                failures, best = 0, self._part.size()
            self._wait(failures, failure)
            failures += 1

    def _try(self, session: requests.Session) -> _PassingError | None:
        """Ask once; give the failure if the file is not whole then."""
        try:
            with contextlib.closing(self._ask(session)) as response:
                self._require_success(response)
                self._receive(response)
        except _PassingError as error:
            return error
        if self._part.note.size and not self._part.is_whole():
            return _PassingError(f"it ends after {self._part.size()} of {self._part.note.size} bytes")
        return None

    def _wait(self, failures: int, failure: _PassingError) -> None:
        # Where nobody answers at all, more patience seldom helps, and the next source waits.
        waits = self._terms.waits if failure.reached or self._part.size() else self._terms.waits[:2]
        if failures >= len(waits) or failure.wait > LONGEST_WAIT:
            raise OneSourceError(str(failure)) from failure
        seconds = max(waits[failures], failure.wait)
        self.say(f"  {failure}; trying again in {seconds:.0f} s")
        self.line.wait(seconds)

    def _ask(self, session: requests.Session) -> requests.Response:
        # identity: a server that packs on the fly would make sizes and ranges meaningless
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if self._part.can_grow():
            headers["Range"] = f"bytes={self._part.size()}-"
            if self._part.note.validator:
                headers["If-Range"] = self._part.note.validator
        timeout = (self._terms.connect_timeout, self._terms.read_timeout)
        try:
            return session.get(self._url, headers=headers, stream=True, timeout=timeout)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _PassingError(in_words(error), reached=False) from error

    def _require_success(self, response: requests.Response) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        sentence = f"it answers {status} {response.reason or ''}".strip()
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._part.discard()
        elif not is_passing_http(status):
            raise OneSourceError(sentence, status=status)
        raise _PassingError(sentence, wait=parse_retry_after(response.headers.get("Retry-After", "")) or 0.0)

    def _receive(self, response: requests.Response) -> None:
        begin = self._begin(response)
        note = self._noted(response, begin)
        self._require_room(note.size, begin)
        pieces, beginning, done = self._pieces(response), b"", begin
        try:
            while len(beginning) < _TELLING and (piece := next(pieces, b"")):
                beginning += piece
            # Looked at before the part is touched, for it may be a hotel's log-in page.
            if self._terms.fault and not begin and (fault := self._terms.fault(beginning)):
                raise OneSourceError(fault)
            with self._opened(note, begin) as part:
                piece = beginning
                while piece:
                    part.write(piece)
                    part.flush()
                    done += len(piece)
                    self.progress(done, note.size)
                    piece = next(pieces, b"")
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            silent = isinstance(error, urllib3.exceptions.TimeoutError)
            how = "it fell silent" if silent else "the connection broke"
            raise _PassingError(f"{how} after {done:,} bytes") from error

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Give the body as it arrives, until the server sends too slowly.

        Undecoded: some servers call a .tgz "Content-Encoding: gzip", and would have it unpacked.
        """
        read = getattr(response.raw, "read1", response.raw.read)  # urllib3 before 2.1 waits for whole chunks
        since, arrived = time.monotonic(), 0
        while piece := read(_CHUNK, decode_content=False):
            self.line.heard()
            yield piece
            arrived += len(piece)
            seconds = time.monotonic() - since
            if seconds < self._terms.read_timeout:
                continue
            if arrived < self._terms.least_speed * seconds:
                raise _PassingError(f"it sends {arrived / seconds:.0f} bytes a second only")
            since, arrived = time.monotonic(), 0
        if self.line.is_cut():
            raise _PassingError("it fell silent")

    def _opened(self, note: Note, begin: int) -> BinaryIO:
        """Open the part for what comes, and say so if that is not simply its beginning."""
        if begin:
            self.say(f"  going on after {begin / 1e6:,.1f} MB")
        elif self._part.size():
            self.say("  the server cannot go on there, or its file has changed: from the beginning")
        return self._part.open(note, begin)

    def _begin(self, response: requests.Response) -> int:
        """Say at which byte the answer begins: where the part ends, or at 0 if the server starts anew."""
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            return 0
        place = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        fits = place and int(place[1]) == self._part.size() and self._part.note.size in (0, int(place[2]))
        if fits and self._part.note.may_be(self._validators(response)):
            return self._part.size()
        self._part.discard()
        raise _PassingError("it sends another part than was asked for")

    def _noted(self, response: requests.Response, begin: int) -> Note:
        headers = response.headers
        place = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        length = place[2] if place else headers.get("Content-Length", "")
        size = int(length) if _NUMBER.fullmatch(length) else 0
        return replace(self._part.note if begin else self._validators(response), size=size)

    def _validators(self, response: requests.Response) -> Note:
        etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        return Note(self._part.note.url, etag, modified)

    def _require_room(self, size: int, begin: int) -> None:
        folder = self._part.path.parent
        free = shutil.disk_usage(folder).free + (0 if begin else self._part.size())
        needed = int(size * self._terms.room) - begin
        if needed > free:
            raise OneSourceError(
                f"it needs {needed / 1e6:,.0f} MB of disk, and {folder} has {free / 1e6:,.0f} MB free: "
                "make room"
            )
