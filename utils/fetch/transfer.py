"""One curl handle, with the limits of a request: time, size, memory, and where redirects may lead.

Redirects are not followed here. Each is returned like any other response, so that the scheduler can apply
the limits of the host it leads to.
"""

from __future__ import annotations

import time

import certifi
import pycurl

from ..models.http_defaults import MAX_IMAGE_BYTES, USER_AGENT
from ..models.tasks import FetchError, Redirect, RedirectHistory, RequestTarget, Response
from ..reasons import Reason
from ..urls import host_of
from .curl_errors import TransferEnd, fetch_error
from .redirects import MAX_REDIRECTS, RedirectGuard, redirect_target
from .slow_transfer import SlowTransferDetector

MAX_ERROR_PAGE = 65_536
"""Bytes of an error page that are read, so that its connection can be reused."""
USED_HEADERS = frozenset(
    {b"location", b"retry-after", b"x-robots-tag", b"content-length", b"transfer-encoding"}
)


class MemoryBudget:
    """Limits the bytes of bodies that all transfers of a fetcher buffer.

    Parameters
    ----------
    limit
        In bytes; when it is reached, all transfers but one are paused.
    """

    def __init__(self, limit: int) -> None:
        self.used = 0
        self._limit = limit
        self.exempt: Transfer | None = None  # runs while all others are paused, so that one always ends

    def must_pause(self, transfer: Transfer) -> bool:
        """Whether a transfer has to be paused before it buffers more."""
        if self.used < self._limit:
            return False
        if self.exempt is None:
            self.exempt = transfer
        return self.exempt is not transfer

    def resumable(self, paused: list[Transfer]) -> list[Transfer]:
        """Return the paused transfers that may continue: all, or the one that ends soonest."""
        if self.used < self._limit or not paused:
            return paused
        if self.exempt is not None:
            return []
        self.exempt = max(paused, key=lambda transfer: transfer.size)
        return [self.exempt]


class Transfer:
    """One curl handle, used for one URL after another.

    Parameters
    ----------
    budget
        Shared by all transfers of a fetcher.
    timeout
        Seconds that an attempt may take in all; connecting may take half of it, at most 5.

    Attributes
    ----------
    size
        Bytes of the body that have arrived.
    """

    def __init__(self, budget: MemoryBudget, timeout: float) -> None:
        self.number = -1
        self.paused = False
        self.guard = RedirectGuard("")
        self.size = 0
        self._budget = budget
        self._timeout = timeout
        self._url = ""
        self._history = RedirectHistory()
        self._chunks: list[bytes] = []
        self._status = 0
        self._headers: dict[str, list[str]] = {}
        self._resume_error = 0  # curl's code
        self._abort_reason: Reason | None = None
        self._detector = SlowTransferDetector(0.0)
        self.header_lines: list[bytes] = []  # filled by curl itself, because most lines are not used
        self.curl = _new_handle(self, timeout)

    def start(self, number: int, url: str, history: RedirectHistory) -> None:
        """Reset the handle for a URL, with the redirects that led to it."""
        self.number, self.paused, self.size = number, False, 0
        self.guard = RedirectGuard(url, history.from_public)
        self._url, self._history = url, history
        self._chunks, self._status, self._headers = [], 0, {}
        self._resume_error, self._abort_reason = 0, None
        self.header_lines.clear()
        seconds = self._timeout - history.seconds
        self._detector = SlowTransferDetector(time.monotonic() + seconds)
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))

    def on_data(self, chunk: bytes) -> int | None:
        """Buffer a chunk of the body, or pause or abort the transfer; pycurl's WRITEFUNCTION."""
        if not self._status:
            self._read_headers()
        is_success = self._status < 300
        if self.size + len(chunk) > (MAX_IMAGE_BYTES if is_success else MAX_ERROR_PAGE):
            self._abort_reason = Reason.TOO_LARGE if is_success else None
            return -1
        if self._budget.must_pause(self):
            self.paused = True
            self._detector.restart()
            return int(pycurl.WRITEFUNC_PAUSE)
        self.size += len(chunk)
        length = (self._headers.get("content-length") or [""])[0]
        expected = int(length) if length.isascii() and length.isdigit() else 0
        if self._detector.is_too_slow(self.size, expected, time.monotonic()):
            self._abort_reason = Reason.TIMEOUT if is_success else None
            return -1
        if is_success:
            self._chunks.append(chunk)
            self._budget.used += len(chunk)
        return None

    def result(self, code: int, message: str) -> Response | FetchError | Redirect:
        """Return the result of the request; `code` and `message` are curl's, 0 for success."""
        self._read_headers()  # again: trailers arrive after the body
        seconds = float(self.curl.getinfo(pycurl.TOTAL_TIME))
        code = self._resume_error or code
        target = self._redirect_target()
        if isinstance(target, str):
            history = RedirectHistory(
                count=self._history.count + 1,
                seconds=self._history.seconds + seconds,
                http_status=self._status,
                from_public=self.guard.from_public,
            )
            return Redirect(RequestTarget(target, host_of(target)), history)
        if code == 0 and 200 <= self._status < 300:
            self._chunks = [b"".join(self._chunks)]  # so that the body is in memory once
            return Response(
                data=self._chunks[0],
                http_status=self._status,
                final_url=self._url,
                robots=tuple(self._headers.get("x-robots-tag", ())),
                length_known=self._is_length_known(),
                seconds=seconds,
            )
        end = TransferEnd(
            code,
            message,
            self._status,
            retry_after=(self._headers.get("retry-after") or [""])[-1],
            rejected=target or (Reason.FORBIDDEN_REDIRECT if self.guard.blocked else self._abort_reason),
        )
        return fetch_error(self.curl, end)

    def resume(self) -> None:
        """End a pause."""
        self.paused = False
        try:
            self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:  # curl may report success afterwards
            self._resume_error = int(error.args[0])

    def release(self) -> None:
        """Free the memory of the body."""
        self._budget.used -= sum(map(len, self._chunks))
        self._chunks = []
        if self._budget.exempt is self:
            self._budget.exempt = None

    def _read_headers(self) -> None:
        """Parse the header lines that have arrived; a status line starts a new response."""
        lines = self.header_lines.copy()
        self.header_lines.clear()
        for line in lines:
            if line.startswith(b"HTTP/"):
                parts = line.split(None, 2)
                self._status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
                self._headers = {}
                continue
            name, _, value = line.partition(b":")
            key = name.strip().lower()
            if key in USED_HEADERS:
                self._headers.setdefault(key.decode(), []).append(value.decode("latin-1").strip())

    def _redirect_target(self) -> str | Reason | None:
        """Return the URL of a redirect, the reason not to follow it, or None for any other response.

        Only the headers of a redirect matter; its body may be broken.
        """
        location = (self._headers.get("location") or [""])[0]
        if not location or not 300 <= self._status < 400:
            return None
        if self._history.count == MAX_REDIRECTS:
            return Reason.TOO_MANY_REDIRECTS
        return redirect_target(self._url, location.encode("latin-1"), from_public=self.guard.from_public)

    def _is_length_known(self) -> bool:
        coding = ",".join(self._headers.get("transfer-encoding", ())).lower()
        is_framed = "content-length" in self._headers or "chunked" in coding
        return is_framed or self.curl.getinfo(pycurl.INFO_HTTP_VERSION) > pycurl.CURL_HTTP_VERSION_1_1


def _new_handle(transfer: Transfer, timeout: float) -> pycurl.Curl:
    curl = pycurl.Curl()
    options = {
        pycurl.USERAGENT: USER_AGENT,
        pycurl.HTTPHEADER: ["Accept: image/*,*/*;q=0.5"],
        pycurl.ACCEPT_ENCODING: "identity",  # a body that is compressed nevertheless is decompressed
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.CONNECTTIMEOUT_MS: max(1, int(min(5.0, timeout / 2) * 1000)),
        pycurl.MAXFILESIZE: MAX_IMAGE_BYTES,
        pycurl.BUFFERSIZE: 131_072,
        pycurl.NOSIGNAL: 1,
        pycurl.CAINFO: certifi.where(),
        pycurl.HEADERFUNCTION: transfer.header_lines.append,
        pycurl.WRITEFUNCTION: transfer.on_data,
        pycurl.OPENSOCKETFUNCTION: lambda purpose, address: transfer.guard.open_socket(purpose, address),
        pycurl.PREREQFUNCTION: lambda *connection: transfer.guard.before_request(connection[0]),
    }
    for option, value in options.items():
        curl.setopt(option, value)
    return curl
