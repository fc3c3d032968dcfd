"""One curl handle, and every limit that a request has: its time, its size, where it may lead, its memory.

Redirects are not followed here: each is an answer like any other, so that its target is asked when it is
the turn of that host.
"""

from __future__ import annotations

import time

import certifi
import pycurl

from ..models.http_defaults import MAX_IMAGE_BYTES, USER_AGENT
from ..models.tasks import FetchError, Redirect, RedirectHistory, RequestTarget, Response
from ..reasons import Reason
from ..urls import host_of
from .curl_errors import Ending, no_body
from .redirects import MAX_REDIRECTS, RedirectGuard, target
from .slow_transfer import SlowTransferDetector

MAX_BYTES = MAX_IMAGE_BYTES
MAX_ERROR_PAGE = 65_536
"""Bytes read of an answer that is no success, so that its connection can serve again."""
TELLING_HEADERS = frozenset(
    {b"location", b"retry-after", b"x-robots-tag", b"content-length", b"transfer-encoding"}
)


class MemoryBudget:
    """How many bytes of bodies are in memory, over all transfers of a fetcher, and how many may be."""

    def __init__(self, budget: int) -> None:
        self.held = 0
        self._budget = budget
        self.privileged: Transfer | None = None  # goes on when all others wait, so that one always ends

    @property
    def has_room(self) -> bool:
        """Whether more may come in."""
        return self.held < self._budget

    def full_for(self, transfer: Transfer) -> bool:
        """Whether a transfer must wait; one of them never does."""
        if self.has_room:
            return False
        if self.privileged is None:
            self.privileged = transfer
        return self.privileged is not transfer

    def free(self, paused: list[Transfer]) -> list[Transfer]:
        """Say which of the transfers that wait may go on: all, or the one that soonest makes room."""
        if self.has_room or not paused:
            return paused
        if self.privileged is not None:
            return []
        self.privileged = max(paused, key=lambda transfer: transfer.size)
        return [self.privileged]


class Transfer:
    """One curl handle, used for one URL after another.

    Parameters
    ----------
    ledger
        Shared by all transfers of a fetcher.
    timeout
        Seconds that a try may take in all; connecting may take half of it, at most 5.
    """

    def __init__(self, ledger: MemoryBudget, timeout: float) -> None:
        self.number = -1
        self.paused = False
        self.guard = RedirectGuard("")
        self._ledger = ledger
        self._timeout = timeout
        self._url = ""
        self._trail = RedirectHistory()
        self._too_large = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._status = 0
        self._broken = 0
        self._pace = SlowTransferDetector(0.0)
        self._too_slow = False
        self._headers: dict[str, list[str]] = {}
        self.head: list[bytes] = []  # curl's own hands put the lines in: most are of no interest
        self.curl = _new_handle(self, timeout)

    def begin(self, number: int, url: str, trail: RedirectHistory) -> None:
        """Make ready for an URL, and the redirects that led to it; nothing of the former one is left."""
        self.number, self.paused = number, False
        self.guard = RedirectGuard(url, trail.from_public)
        self._url, self._trail = url, trail
        self._too_large = self._too_slow = False
        self._chunks, self._size, self._status, self._broken, self._headers = [], 0, 0, 0, {}
        self.head.clear()
        seconds = self._timeout - trail.seconds
        self._pace = SlowTransferDetector(time.monotonic() + seconds)
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))

    def on_data(self, chunk: bytes) -> int | None:
        """Keep a piece of the body, or end the transfer when it is more than anyone wants."""
        if not self._status:
            self._read_head()
        succeeding = self._status < 300
        if self._size + len(chunk) > (MAX_BYTES if succeeding else MAX_ERROR_PAGE):
            self._too_large = succeeding
            return -1
        if self._ledger.full_for(self):
            self.paused = True
            self._pace.restart()
            return int(pycurl.WRITEFUNC_PAUSE)
        self._size += len(chunk)
        if self._pace.is_hopeless(self._size, self._expected(), time.monotonic()):
            self._too_slow = succeeding
            return -1
        if succeeding:
            self._chunks.append(chunk)
            self._ledger.held += len(chunk)
        return None

    def result(self, code: int, message: str) -> Response | FetchError | Redirect:
        """Say what the request came to; `code` is curl's, 0 for success."""
        self._read_head()  # once more: headers may come behind the body
        seconds = float(self.curl.getinfo(pycurl.TOTAL_TIME))
        code = self._broken or code
        leads_to = self._leads_to()
        if isinstance(leads_to, str):
            trail = RedirectHistory(
                redirects=self._trail.redirects + 1,
                seconds=self._trail.seconds + seconds,
                http_status=self._status,
                from_public=self.guard.from_public,
            )
            return Redirect(RequestTarget(leads_to, host_of(leads_to)), trail)
        if code == 0 and 200 <= self._status < 300:
            self._chunks = [b"".join(self._chunks)]  # not kept twice while the body is judged
            return Response(
                data=self._chunks[0],
                http_status=self._status,
                final_url=self._url,
                robots=tuple(self._headers.get("x-robots-tag", ())),
                length_known=self._length_known(),
                seconds=seconds,
            )
        ending = Ending(
            code,
            message,
            self._status,
            retry_after=(self._headers.get("retry-after") or [""])[-1],
            refused=leads_to or self._refused(),
        )
        return no_body(self.curl, ending)

    @property
    def size(self) -> int:
        """Bytes of the body that have come."""
        return self._size

    def go_on(self) -> None:
        """End a pause."""
        self.paused = False
        try:
            self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:  # what had waited was too much; curl then may end as if all were well
            self._broken = int(error.args[0])

    def forget(self) -> None:
        """Let go of the body's memory."""
        self._ledger.held -= sum(map(len, self._chunks))
        self._chunks = []
        if self._ledger.privileged is self:
            self._ledger.privileged = None

    def _read_head(self) -> None:
        """Note what matters of the header lines that have come; a status line begins a new answer."""
        lines = self.head.copy()
        self.head.clear()
        for line in lines:
            if line.startswith(b"HTTP/"):
                self._status = _status_of(line)
                self._headers = {}
                continue
            name, _, value = line.partition(b":")
            key = name.strip().lower()
            if key in TELLING_HEADERS:
                self._headers.setdefault(key.decode(), []).append(value.decode("latin-1").strip())

    def _leads_to(self) -> str | Reason | None:
        """Say where the answer leads, if it is a redirect, or why nobody goes there.

        What became of its page does not matter: a redirect is whole when its headers are.
        """
        location = (self._headers.get("location") or [""])[0]
        if not location or not 300 <= self._status < 400:
            return None
        if self._trail.redirects == MAX_REDIRECTS:
            return Reason.TOO_MANY_REDIRECTS
        return target(self._url, location.encode("latin-1"), from_public=self.guard.from_public)

    def _refused(self) -> Reason | None:
        if self.guard.blocked:
            return Reason.FORBIDDEN_REDIRECT
        if self._too_slow:
            return Reason.TIMEOUT
        return Reason.TOO_LARGE if self._too_large else None

    def _expected(self) -> int:
        """Say how long the body will be; 0 if that was not said, or not in a number."""
        stated = (self._headers.get("content-length") or [""])[0]
        return int(stated) if stated.isascii() and stated.isdigit() else 0

    def _length_known(self) -> bool:
        coding = ",".join(self._headers.get("transfer-encoding", ())).lower()
        framed = "content-length" in self._headers or "chunked" in coding
        return framed or self.curl.getinfo(pycurl.INFO_HTTP_VERSION) > pycurl.CURL_HTTP_VERSION_1_1


def _new_handle(transfer: Transfer, timeout: float) -> pycurl.Curl:
    curl = pycurl.Curl()
    options = {
        pycurl.USERAGENT: USER_AGENT,
        pycurl.HTTPHEADER: ["Accept: image/*,*/*;q=0.5"],
        pycurl.ACCEPT_ENCODING: "identity",  # asked plain; what is compressed all the same gets unpacked
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.CONNECTTIMEOUT_MS: max(1, int(min(5.0, timeout / 2) * 1000)),
        pycurl.MAXFILESIZE: MAX_BYTES,
        pycurl.BUFFERSIZE: 131_072,
        pycurl.NOSIGNAL: 1,
        pycurl.CAINFO: certifi.where(),
        pycurl.HEADERFUNCTION: transfer.head.append,
        pycurl.WRITEFUNCTION: transfer.on_data,
        pycurl.OPENSOCKETFUNCTION: lambda purpose, address: transfer.guard.open_socket(purpose, address),
        pycurl.PREREQFUNCTION: lambda *connection: transfer.guard.before_request(connection[0]),
    }
    for option, value in options.items():
        curl.setopt(option, value)
    return curl


def _status_of(line: bytes) -> int:
    parts = line.split(None, 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
