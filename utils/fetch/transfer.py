"""One request, with its limits: time, size, memory, and targets of redirects.

Redirects are not followed here. Each is returned like any other response, so that the scheduler can apply
the limits of the host it leads to.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pycurl

from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.tasks import FetchError, Redirect, RedirectHistory, RequestTarget, Response
from ..reasons import Reason
from ..urls import host_of
from .certificates import Authorities
from .content_encoding import decode
from .curl_errors import TransferEnd, fetch_error, has_responded
from .headers import parse_number
from .redirects import MAX_REDIRECTS, RedirectGuard, redirect_target
from .slow_transfer import SlowTransferDetector

if TYPE_CHECKING:
    from .lenient_http import LenientResponse

MAX_ERROR_PAGE = 65_536
"""Bytes of an error page that are read, so that its connection can be reused."""
USED_HEADERS = frozenset(
    {
        *(b"location", b"retry-after", b"x-robots-tag"),
        *(b"content-length", b"content-encoding", b"transfer-encoding"),
    }
)
HEADERS = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
"""Sent with every request. libcurl must not add Accept-Encoding itself: it would decode bodies, too; see
`content_encoding`."""
_STATUS_LINE = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])")
_TLS_END = re.compile("unexpected eof|SSL_ERROR_SYSCALL, errno 0|non-properly terminated")
"""curl's errors for a TLS connection that the server closed without a closing message, as many do."""


class MemoryBudget:
    """Limits the bytes of bodies that all transfers of a fetcher buffer.

    Parameters
    ----------
    limit
        In bytes; when it is reached, all transfers but one are paused.
    """

    def __init__(self, limit: int) -> None:
        self.used = 0
        self.limit = limit
        self.exempt: Transfer | None = None  # runs while all others are paused, so that one always ends

    def must_pause(self, transfer: Transfer) -> bool:
        """Whether a transfer has to be paused when the limit is reached."""
        if self.exempt is None:
            self.exempt = transfer
        return self.exempt is not transfer

    def resumable(self, paused: list[Transfer]) -> list[Transfer]:
        """Return the paused transfers that may continue: all, or the one that ends soonest."""
        if self.used < self.limit:
            return paused
        if self.exempt is not None:
            return []
        self.exempt = max(paused, key=lambda transfer: transfer.size)
        return [self.exempt]


class Transfer:
    """One request.

    Parameters
    ----------
    curl
        A handle from `new_handle`, which is set up for this request.
    number, url, history
        As in `Fetcher.start`.
    timeout
        Seconds that the attempt may take in all, with its redirects.
    proxy
        The proxy to use; empty for none.
    budget
        Shared by all transfers of a fetcher.

    Attributes
    ----------
    size
        Bytes of the body that have arrived.
    """

    def __init__(
        self,
        curl: pycurl.Curl,
        number: int,
        *,
        url: str,
        history: RedirectHistory,
        timeout: float,
        proxy: str,
        budget: MemoryBudget,
    ) -> None:
        self.curl = curl
        self.number = number
        self.proxy = proxy
        self.paused = False
        self.size = 0
        self._url = url
        self._history = history
        self._budget = budget
        self._guard = RedirectGuard(url, history.from_public, is_proxied=bool(proxy))
        self._chunks: list[bytes] = []
        self._status = 0
        self._expected = 0  # bytes of the body, as Content-Length states them
        self._headers: dict[str, list[str]] = {}
        self._header_lines: list[bytes] = []  # filled by curl itself, because most lines are not used
        self._resume_error = 0  # curl's code
        self._abort_reason: Reason | None = None
        self._error: Exception | None = None
        seconds = timeout - history.seconds
        self._detector = SlowTransferDetector(time.monotonic() + seconds)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.PROXY, os.fsencode(proxy))
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        curl.setopt(pycurl.HEADERFUNCTION, self._header_lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self.on_data)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._guard.open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._guard.before_request)

    def on_data(self, chunk: bytes) -> int | None:
        """Buffer a chunk of the body, or pause or abort the transfer; pycurl's WRITEFUNCTION."""
        try:
            return self._receive(chunk)
        except Exception as error:  # pycurl would print it
            self._error = error
            return -1

    def _receive(self, chunk: bytes) -> int | None:
        if not self._status:
            self._read_headers()
            self._expected = parse_number((self._headers.get("content-length") or [""])[0]) or 0
        is_success = self._status < 300
        if self.size + len(chunk) > (MAX_IMAGE_BYTES if is_success else MAX_ERROR_PAGE):
            self._abort_reason = Reason.TOO_LARGE if is_success else None
            return -1
        if self._budget.used >= self._budget.limit and self._budget.must_pause(self):
            self.paused = True
            self._detector.restart()
            return int(pycurl.WRITEFUNC_PAUSE)
        self.size += len(chunk)
        if self._detector.is_too_slow(self.size, self._expected, time.monotonic()):
            self._abort_reason = Reason.TIMEOUT if is_success else None
            return -1
        if is_success:
            self._chunks.append(chunk)
            self._budget.used += len(chunk)
        return None

    @property
    def has_response(self) -> bool:
        """Whether a status line has arrived, or the proxy has said that it cannot reach the host."""
        return bool(self._header_lines) or has_responded(self.curl, self._status)

    def result(self, code: int, message: str, *, is_proven: bool) -> Response | FetchError | Redirect:
        """Return the result of the request.

        An exception means that the response cannot be read.

        Parameters
        ----------
        code, message
            Those of curl; 0 for success.
        is_proven
            Whether the proxy has responded before.
        """
        if self._error:
            raise self._error
        self._read_headers()  # again: trailers arrive after the body
        seconds = float(self.curl.getinfo(pycurl.TOTAL_TIME))
        code = self._resume_error or code
        length_known = self._length_known()
        if code == pycurl.E_RECV_ERROR and not length_known and _TLS_END.search(message):
            code = 0  # closing the connection ends the body
        target = self._redirect_target() if 300 <= self._status < 400 else None
        if isinstance(target, str):
            history = RedirectHistory(
                count=self._history.count + 1,
                seconds=self._history.seconds + seconds,
                http_status=self._status,
                from_public=self._guard.from_public,
            )
            return Redirect(RequestTarget(target, host_of(target)), history)
        rejected = target or (Reason.FORBIDDEN_REDIRECT if self._guard.blocked else self._abort_reason)
        body = self._body() if code == 0 and 200 <= self._status < 300 else None
        if isinstance(body, Reason):
            rejected = body
        elif body is not None:
            return Response(
                data=body,
                http_status=self._status,
                final_url=self._url,
                robots=tuple(self._headers.get("x-robots-tag", ())),
                length_known=length_known,
                seconds=seconds,
            )
        end = TransferEnd(
            code,
            message,
            self._status,
            retry_after=(self._headers.get("retry-after") or [""])[-1],
            rejected=rejected,
            proxy=self.proxy,
            is_proven=is_proven,
        )
        return fetch_error(self.curl, end)

    def _length_known(self) -> bool:
        """Whether the end of the body can be distinguished from a broken connection."""
        is_chunked = "chunked" in ",".join(self._headers.get("transfer-encoding", ())).lower()
        version = self.curl.getinfo(pycurl.INFO_HTTP_VERSION)
        return is_chunked or "content-length" in self._headers or version > pycurl.CURL_HTTP_VERSION_1_1

    def _body(self) -> bytes | Reason:
        """Return the complete body, decoded, or the reason why it cannot be."""
        self._chunks = [b"".join(self._chunks)]  # so that the body is in memory once
        encodings = self._headers.get("content-encoding")
        return decode(self._chunks[0], encodings) if encodings else self._chunks[0]

    def request_again(self, user_agent: str) -> LenientResponse:
        """Request the URL with another client, as long as it has time left; called in a thread."""
        from .lenient_http import fetch  # here, because it loads many modules and is seldom needed

        return fetch(
            self._url,
            HEADERS | {"User-Agent": user_agent},
            guard=self._guard,
            authorities=Authorities.from_environment(os.environ),
            seconds=max(0.1, self._detector.deadline - time.monotonic()),
        )

    def use_response(self, response: LenientResponse) -> int:
        """Take the response of `request_again` in place of curl's; returns its code for `result`."""
        self._header_lines[:] = response.header_lines
        self._chunks = [response.body]
        self._budget.used += len(response.body)
        return response.code

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
        lines = self._header_lines.copy()
        self._header_lines.clear()
        for line in lines:
            if line.startswith(b"HTTP/") and (status := _STATUS_LINE.match(line)):
                self._status, self._headers = int(status[1]), {}
                continue
            name, _, value = line.partition(b":")
            key = name.strip().lower()
            if key in USED_HEADERS:
                self._headers.setdefault(key.decode(), []).append(value.decode("latin-1").strip())

    def _redirect_target(self) -> str | Reason | None:
        """Return the URL of a redirect, the reason not to follow it, or None if it has no target.

        Only the headers of a redirect matter; its body may be broken.
        """
        location = (self._headers.get("location") or [""])[0]
        if not location:
            return None
        if self._history.count == MAX_REDIRECTS:
            return Reason.TOO_MANY_REDIRECTS
        return redirect_target(self._url, location.encode("latin-1"))


def connect_timeout(timeout: float) -> float:
    """Return the seconds that connecting may take: half of the timeout, at most 5."""
    return min(5.0, timeout / 2)


def new_handle(timeout: float, user_agent: str) -> pycurl.Curl:
    """Create a curl handle."""
    curl, authorities = pycurl.Curl(), Authorities.from_environment(os.environ)
    options = {
        pycurl.USERAGENT: user_agent,
        pycurl.HTTPHEADER: [f"{name}: {value}" for name, value in HEADERS.items()],
        pycurl.NOPROXY: "",  # instead of that of the environment; each transfer sets its proxy
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.CONNECTTIMEOUT_MS: max(1, int(connect_timeout(timeout) * 1000)),
        pycurl.MAXFILESIZE: MAX_IMAGE_BYTES,
        pycurl.BUFFERSIZE: 131_072,
        pycurl.NOSIGNAL: 1,
        pycurl.CAINFO: os.fsencode(authorities.file),
        pycurl.PROXY_CAINFO: os.fsencode(authorities.file),
    }
    if authorities.folder:
        options |= dict.fromkeys((pycurl.CAPATH, pycurl.PROXY_CAPATH), os.fsencode(authorities.folder))
    for option, value in options.items():
        curl.setopt(option, value)
    return curl
