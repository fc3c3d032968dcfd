"""One big file from the web: resumed where it broke off, tried again, and checked before it is there.

Keeper of requests. This module alone knows how a server is asked for the rest of a file.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3

from .errors import DiskError, OneSourceError
from .models import USER_AGENT, is_passing_http
from .part_file import Note, PartFile

Progress = Callable[[int, int], None]  # bytes done, bytes in all (0 if unknown)
MOST_REDIRECTS = 10
LONGEST_WAIT = 60.0  # seconds that a server may tell us to wait
_CHUNK = 1 << 14  # bytes that an interruption loses at most
_HEADWAY = 1 << 16  # bytes by which a part must grow for earlier failures to be forgotten
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_NUMBER = re.compile(r"[0-9]{1,18}")
# What marks an error in its text, in the order in which to look.
_WORDS = {
    "TooManyRedirects": f"it redirects more than {MOST_REDIRECTS} times",
    "ProxyError": "the proxy from the environment does not let it through",
    "SSLError": "its certificate is not accepted, or it speaks no TLS",
    "NameResolutionError": "its host name is not known",
    "Connection refused": "the connection is refused",
    "ConnectTimeout": "it does not answer",
    "Read timed out": "it fell silent",
    "InvalidURL": "this is no URL that can be asked for",
    "InvalidSchema": "it leads to neither http nor https",
    "LocationParseError": "this is no URL that can be asked for",
    "Unicode": "this is no URL that can be asked for",
    "RemoteDisconnected": "the connection broke before an answer came",
    "BadStatusLine": "it does not speak HTTP",
}
_log = logging.getLogger(__name__)


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
    """

    sha1: str = ""
    fault: Callable[[bytes], str] | None = None
    room: float = 1.0
    waits: tuple[float, ...] = (1, 2, 4, 8, 16)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0


class _PassingError(Exception):
    """A try failed in a way that a later one may not; `wait` is what the server asked for, in seconds."""

    def __init__(self, sentence: str, *, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(sentence)
        self.wait = wait
        self.reached = reached


def download(url: str, target: Path, *, terms: Terms | None = None, progress: Progress | None = None) -> None:
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

    Raises
    ------
    OneSourceError
        If this source does not give the file; the sentence says why.
    DiskError
        If the file cannot be written.
    """
    try:
        _Download(url, target, terms or Terms(), progress or (lambda *_: None)).run()
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
        raise OneSourceError(_in_words(error)) from error
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror or error}.") from error


class _Download:
    """One download, from the part that is there to the whole file."""

    def __init__(self, url: str, target: Path, terms: Terms, progress: Progress) -> None:
        self._url, self._folder, self._terms, self._progress = url, target.parent, terms, progress
        self._part = PartFile(target, url)

    def run(self) -> None:
        failures, best = 0, 0
        with requests.Session() as session:
            session.max_redirects = MOST_REDIRECTS
            while not self._part.is_whole():
                failure = self._try(session)
                if failure is None:
                    break
                if self._part.size() > best + _HEADWAY:
                    failures, best = 0, self._part.size()
                self._wait(failures, failure)
                failures += 1
        self._compare_sha1()
        self._part.finish()

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
        _log.warning("%s: %s; trying again in %.0f s", self._url, failure, seconds)
        time.sleep(seconds)

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
            raise _PassingError(_in_words(error), reached=False) from error

    def _require_success(self, response: requests.Response) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        sentence = f"it answers {status} {response.reason or ''}".strip()
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._part.discard()
        elif not is_passing_http(status):
            raise OneSourceError(sentence)
        wait = response.headers.get("Retry-After", "")
        raise _PassingError(sentence, wait=float(wait) if _NUMBER.fullmatch(wait) else 0.0)

    def _receive(self, response: requests.Response) -> None:
        begin = self._begin(response)
        note = self._noted(response, begin)
        self._require_room(note.size, begin)
        # Undecoded: some servers call a .tgz "Content-Encoding: gzip", and would have it unpacked.
        chunks = response.raw.stream(_CHUNK, decode_content=False)
        done = begin
        try:
            first = next(chunks, b"")
            fault = self._terms.fault
            if (
                fault and not begin and fault(first)
            ):  # found before the part is touched: it may be a hotel's log-in page
                raise OneSourceError(fault(first))
            with self._part.open(note, begin) as part:
                for chunk in itertools.chain([first], chunks):
                    part.write(chunk)
                    done += len(chunk)
                    self._progress(done, note.size)
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            raise _PassingError(f"the connection broke after {done} bytes") from error

    def _begin(self, response: requests.Response) -> int:
        """Say at which byte the answer begins: where the part ends, or at 0 if the server starts anew."""
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            return 0
        place = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if place and int(place[1]) == self._part.size() and self._part.note.size in (0, int(place[2])):
            return self._part.size()
        self._part.discard()
        raise _PassingError("it sends another part than was asked for")

    def _noted(self, response: requests.Response, begin: int) -> Note:
        headers = response.headers
        place = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        length = place[2] if place else headers.get("Content-Length", "")
        size = int(length) if _NUMBER.fullmatch(length) else 0
        if begin:
            return replace(self._part.note, size=size)
        return Note(self._url, headers.get("ETag", ""), headers.get("Last-Modified", ""), size)

    def _require_room(self, size: int, begin: int) -> None:
        free = shutil.disk_usage(self._folder).free + (0 if begin else self._part.size())
        needed = int(size * self._terms.room) - begin
        if needed > free:
            raise OneSourceError(
                f"it needs {needed / 1e6:,.0f} MB of disk, and {self._folder} has {free / 1e6:,.0f} MB free"
            )

    def _compare_sha1(self) -> None:
        if not self._terms.sha1:
            return
        found = self._part.sha1()
        if found != self._terms.sha1.lower():
            self._part.discard()
            raise OneSourceError(f"its SHA-1 is {found}, not {self._terms.sha1}")


def _in_words(error: Exception) -> str:
    """Say shortly what requests, urllib3 and the system say in five nested sentences."""
    text = f"{type(error).__name__} {error!r} {error}"
    for sign, words in _WORDS.items():
        if sign in text:
            return words
    return f"it cannot be reached ({type(error).__name__})"
