"""Many URLs in flight at once, each ending in a `Body` or a `NoBody`. The keeper of pycurl.

One `Fetcher` is one event loop over libcurl's multi interface. Every limit that a transfer has is set
here: its whole time, its size, its redirects, the addresses it may go to, and how much of all bodies may
lie in memory at once.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import certifi
import pycurl

from .curl_reasons import Ending, no_body
from .models import USER_AGENT, Body, NoBody
from .redirects import RedirectGuard

MAX_BYTES = 20_000_000
MAX_REDIRECTS = 10
MAX_ERROR_PAGE = 65_536
"""Bytes read of an answer that is no success, so that its connection can serve again."""
MEMORY_BUDGET = 96_000_000
"""Bytes of unjudged bodies in memory, over which all transfers but one wait."""
SELECTOR_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
CURL_EVENTS = {
    selectors.EVENT_READ: pycurl.CSELECT_IN,
    selectors.EVENT_WRITE: pycurl.CSELECT_OUT,
    selectors.EVENT_READ | selectors.EVENT_WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """The end of the transfer that was started under this number."""

    number: int
    result: Body | NoBody


class _Ledger:
    """How many bytes of bodies are in memory, over all transfers of a fetcher."""

    def __init__(self) -> None:
        self.held = 0
        self.privileged: _Transfer | None = None  # goes on when all others wait, so that one always ends

    def full_for(self, transfer: _Transfer) -> bool:
        if self.held < MEMORY_BUDGET:
            return False
        if self.privileged is None:
            self.privileged = transfer
        return self.privileged is not transfer


class _Transfer:
    """One curl handle, used for one URL after another."""

    def __init__(self, ledger: _Ledger, timeout: float) -> None:
        self.number = -1
        self.paused = False
        self.too_large = False
        self.guard = RedirectGuard("")
        self._ledger = ledger
        self._chunks: list[bytes] = []
        self._size = 0
        self._status = 0
        self._headers: dict[str, list[str]] = {}
        self.curl = _new_handle(self, timeout)

    def begin(self, number: int, url: str) -> None:
        self.number, self.paused, self.too_large = number, False, False
        self.guard = RedirectGuard(url)
        self._chunks, self._size, self._status, self._headers = [], 0, 0, {}
        self.curl.setopt(pycurl.URL, url)

    def on_header(self, line: bytes) -> int | None:
        """Note what matters of one header line; a status line begins a new answer."""
        if line.startswith(b"HTTP/"):
            self._status = _status_of(line)
            self._headers = {}
            return None
        name, _, value = line.partition(b":")
        key = name.strip().lower()
        if key == b"location" and not self.guard.location_allowed(value.decode("utf-8", "replace").strip()):
            return -1
        if key in (b"retry-after", b"x-robots-tag", b"content-length", b"transfer-encoding"):
            self._headers.setdefault(key.decode(), []).append(value.decode("latin-1").strip())
        return None

    def on_data(self, chunk: bytes) -> int | None:
        """Keep a piece of the body, or end the transfer when it is more than anyone wants."""
        succeeding = self._status < 300
        if self._size + len(chunk) > (MAX_BYTES if succeeding else MAX_ERROR_PAGE):
            self.too_large = succeeding
            return -1
        if self._ledger.full_for(self):
            self.paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._size += len(chunk)
        if succeeding:
            self._chunks.append(chunk)
            self._ledger.held += len(chunk)
        return None

    def result(self, code: int, message: str) -> Body | NoBody:
        """Say what the transfer came to; `code` is curl's, 0 for success."""
        seconds = float(self.curl.getinfo(pycurl.TOTAL_TIME))
        if code == 0 and 200 <= self._status < 300:
            return Body(
                data=b"".join(self._chunks),
                http_status=self._status,
                final_url=self.curl.getinfo(pycurl.EFFECTIVE_URL),
                robots=tuple(self._headers.get("x-robots-tag", ())),
                length_known=self._length_known(),
                seconds=seconds,
            )
        ending = Ending(
            code,
            message,
            self._status,
            retry_after=(self._headers.get("retry-after") or [""])[-1],
            blocked=self.guard.blocked,
            too_large=self.too_large,
        )
        return no_body(self.curl, ending)

    def forget(self) -> None:
        """Let go of the body's memory."""
        self._ledger.held -= sum(map(len, self._chunks))
        self._chunks = []
        if self._ledger.privileged is self:
            self._ledger.privileged = None

    def _length_known(self) -> bool:
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        return framed or self.curl.getinfo(pycurl.INFO_HTTP_VERSION) > pycurl.CURL_HTTP_VERSION_1_1


class Fetcher:
    """Fetches URLs side by side; `turn` drives it.

    Parameters
    ----------
    timeout
        Seconds that one transfer may take in all; connecting may take half of it, at most 5.
    idle_connections
        How many connections are kept for the next URL of the same host.
    """

    def __init__(self, timeout: float, *, idle_connections: int = 128) -> None:
        self._timeout = timeout
        self._ledger = _Ledger()
        self._running: dict[int, _Transfer] = {}
        self._spare: list[_Transfer] = []
        self._by_handle: dict[pycurl.Curl, _Transfer] = {}
        self._due: float | None = None
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, idle_connections)

    @property
    def in_flight(self) -> int:
        """How many transfers are under way."""
        return len(self._running)

    def start(self, number: int, url: str) -> None:
        """Begin to fetch an URL (ASCII, http or https) under a number of the caller's."""
        transfer = self._spare.pop() if self._spare else _Transfer(self._ledger, self._timeout)
        self._by_handle[transfer.curl] = transfer
        transfer.begin(number, url)
        self._running[number] = transfer
        self._multi.add_handle(transfer.curl)

    def cancel(self, number: int) -> bool:
        """Give a transfer up; False if it is not under way."""
        transfer = self._running.get(number)
        if transfer is None:
            return False
        self._retire(transfer)
        return True

    def turn(self, timeout: float) -> Iterator[Fetched]:
        """Drive the transfers for one round, of at most `timeout` seconds, and yield what ended.

        A yielded body counts as memory in use until the next one is asked for.
        """
        for key, events in self._selector.select(self._wait(timeout)):
            if key.fileobj is self._woken:
                self._drain()
            else:
                self._multi.socket_action(key.fd, CURL_EVENTS[events])
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        yield from self._ended()
        self._resume()

    def wake(self) -> None:
        """End a waiting `turn` early; may be called from another thread."""
        with contextlib.suppress(BlockingIOError):  # full: it is being woken already
            self._waker.send(b"\0")

    def close(self) -> None:
        """Give up whatever is under way, and all connections."""
        for transfer in list(self._running.values()):
            self._retire(transfer)
        for transfer in self._spare:
            transfer.curl.close()
        self._spare.clear()
        self._multi.close()
        self._selector.close()
        self._waker.close()
        self._woken.close()

    def _wait(self, timeout: float) -> float:
        if self._due is None:
            return timeout
        return max(0.0, min(timeout, self._due - time.monotonic()))

    def _ended(self) -> Iterator[Fetched]:
        while True:
            queued, good, bad = self._multi.info_read()
            for curl in good:
                yield from self._finish(curl, 0, "")
            for curl, code, message in bad:
                yield from self._finish(curl, code, message)
            if not queued:
                return

    def _finish(self, curl: pycurl.Curl, code: int, message: str) -> Iterator[Fetched]:
        transfer = self._by_handle[curl]
        fetched = Fetched(transfer.number, transfer.result(code, message))
        self._multi.remove_handle(curl)
        del self._running[transfer.number]
        yield fetched
        transfer.forget()
        self._spare.append(transfer)

    def _retire(self, transfer: _Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        del self._running[transfer.number]
        transfer.forget()
        self._spare.append(transfer)

    def _resume(self) -> None:
        if self._ledger.held >= MEMORY_BUDGET:
            return
        for transfer in self._running.values():
            if transfer.paused:
                transfer.paused = False
                transfer.curl.pause(pycurl.PAUSE_CONT)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                continue

    def _on_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        known = descriptor in self._selector.get_map()
        if what == pycurl.POLL_REMOVE:
            if known:
                self._selector.unregister(descriptor)
        elif known:
            self._selector.modify(descriptor, SELECTOR_EVENTS[what])
        else:
            self._selector.register(descriptor, SELECTOR_EVENTS[what])


def _new_handle(transfer: _Transfer, timeout: float) -> pycurl.Curl:
    curl = pycurl.Curl()
    web = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
    options = {
        pycurl.USERAGENT: USER_AGENT,
        pycurl.HTTPHEADER: ["Accept: image/*,*/*;q=0.5"],
        pycurl.ACCEPT_ENCODING: "identity",  # asked plain; what is compressed all the same gets unpacked
        pycurl.FOLLOWLOCATION: 1,
        pycurl.MAXREDIRS: MAX_REDIRECTS,
        pycurl.PROTOCOLS: web,
        pycurl.REDIR_PROTOCOLS: web,
        pycurl.TIMEOUT_MS: max(1, int(timeout * 1000)),
        pycurl.CONNECTTIMEOUT_MS: max(1, int(min(5.0, timeout / 2) * 1000)),
        pycurl.MAXFILESIZE: MAX_BYTES,
        pycurl.BUFFERSIZE: 131_072,
        pycurl.NOSIGNAL: 1,
        pycurl.CAINFO: certifi.where(),
        pycurl.HEADERFUNCTION: transfer.on_header,
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
