"""Many requests in flight at once, each ending in a `Response`, a `FetchError` or a `Redirect`.

One `Fetcher` is one event loop over libcurl's multi interface; what a single transfer may do is in
`transfer`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pycurl

from ..models.tasks import FetchError, Redirect, RedirectHistory, Response
from .transfer import MemoryBudget, Transfer

MEMORY_BUDGET = 96_000_000
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
    result: Response | FetchError | Redirect


class Fetcher:
    """Fetches URLs side by side; `turn` drives it.

    Parameters
    ----------
    timeout
        Seconds that one try may take in all; connecting may take half of it, at most 5.
    idle_connections
        How many connections are kept for the next URL of the same host.
    memory_budget
        Bytes of unjudged bodies in memory, over which all transfers but one wait.
    """

    def __init__(
        self, timeout: float, *, idle_connections: int = 128, memory_budget: int = MEMORY_BUDGET
    ) -> None:
        self._timeout = timeout
        self._ledger = MemoryBudget(memory_budget)
        self._running: dict[int, Transfer] = {}
        self._spare: list[Transfer] = []
        self._by_handle: dict[pycurl.Curl, Transfer] = {}
        self._due: float | None = None
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()
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

    @property
    def held(self) -> int:
        """How many bytes of bodies are in memory."""
        return self._ledger.held

    def start(self, number: int, url: str, trail: RedirectHistory | None = None) -> None:
        """Begin to fetch an URL (ASCII, http or https), under a number of the caller's.

        `trail` says which redirects led to it; nothing if it is the first of its try.
        """
        transfer = self._spare.pop() if self._spare else Transfer(self._ledger, self._timeout)
        self._by_handle[transfer.curl] = transfer
        transfer.begin(number, url, trail or RedirectHistory())
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

    def _retire(self, transfer: Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        del self._running[transfer.number]
        transfer.forget()
        self._spare.append(transfer)

    def _resume(self) -> None:
        paused = [transfer for transfer in self._running.values() if transfer.paused]
        for transfer in self._ledger.free(paused):
            transfer.go_on()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                continue

    def _on_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        known = descriptor in self._watched
        if what == pycurl.POLL_REMOVE:
            if known:
                self._watched.discard(descriptor)
                self._selector.unregister(descriptor)
        elif known:
            self._selector.modify(descriptor, SELECTOR_EVENTS[what])
        else:
            self._watched.add(descriptor)
            self._selector.register(descriptor, SELECTOR_EVENTS[what])
