"""HTTP client for thousands of small files: one event loop over libcurl's multi interface.

Each request ends in a `Response`, a `FetchError` or a `Redirect`. The limits of a single request are in
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
from ..reasons import Reason
from .transfer import MemoryBudget, Transfer, new_handle

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
    """The result of the request that was started with this number."""

    number: int
    result: Response | FetchError | Redirect


class Fetcher:
    """Runs requests concurrently; call `poll` repeatedly.

    Parameters
    ----------
    timeout
        Seconds that one attempt may take in all; connecting may take half of it, at most 5.
    idle_connections
        The number of connections that are kept open for further URLs of the same hosts.
    memory_budget
        Bytes of buffered bodies from which on all transfers but one are paused.
    """

    def __init__(
        self, timeout: float, *, idle_connections: int = 128, memory_budget: int = MEMORY_BUDGET
    ) -> None:
        self._timeout = timeout
        self._budget = MemoryBudget(memory_budget)
        self._running: dict[int, Transfer] = {}
        self._unused: list[pycurl.Curl] = []
        self._by_handle: dict[pycurl.Curl, Transfer] = {}
        self._timer: float | None = None  # when libcurl wants to be called
        self._selector = selectors.DefaultSelector()
        self._descriptors: set[int] = set()
        self._wake_sender, self._wake_receiver = socket.socketpair()
        self._wake_sender.setblocking(False)
        self._wake_receiver.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, idle_connections)

    @property
    def in_flight(self) -> int:
        """The number of running transfers."""
        return len(self._running)

    @property
    def buffered(self) -> int:
        """Bytes of bodies in memory."""
        return self._budget.used

    def start(self, number: int, url: str, history: RedirectHistory | None = None) -> None:
        """Start a request.

        Parameters
        ----------
        number
            Identifies the request; it must not be in use.
        url
            ASCII, http or https.
        history
            The redirects that led to the URL; None for the first request of an attempt.
        """
        curl = self._unused.pop() if self._unused else new_handle(self._timeout)
        transfer = Transfer(
            curl,
            number,
            url=url,
            history=history or RedirectHistory(),
            timeout=self._timeout,
            budget=self._budget,
        )
        self._running[number] = self._by_handle[curl] = transfer
        self._multi.add_handle(curl)

    def cancel(self, number: int) -> bool:
        """Abort a request; False if it is not running."""
        transfer = self._running.get(number)
        if transfer is None:
            return False
        self._remove(transfer)
        transfer.release()
        return True

    def poll(self, timeout: float) -> Iterator[Fetched]:
        """Wait for network events, for at most `timeout` seconds, and yield the requests that ended.

        A yielded body counts as buffered until the next result is asked for.
        """
        if self._timer is not None:
            timeout = max(0.0, min(timeout, self._timer - time.monotonic()))
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._wake_receiver:
                with contextlib.suppress(BlockingIOError):
                    while self._wake_receiver.recv(4096):
                        continue
            else:
                self._multi.socket_action(key.fd, CURL_EVENTS[events])
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        yield from self._finished()
        paused = [transfer for transfer in self._running.values() if transfer.paused]
        for transfer in self._budget.resumable(paused) if paused else ():
            transfer.resume()

    def wake(self) -> None:
        """Make a waiting `poll` return early; may be called from another thread."""
        with contextlib.suppress(
            OSError
        ):  # the buffer is full, so it is being woken already; or it is closed
            self._wake_sender.send(b"\0")

    def close(self) -> None:
        """Abort all requests and close all connections."""
        for transfer in list(self._running.values()):
            self._remove(transfer)
        for curl in self._unused:
            curl.close()
        self._unused.clear()
        self._multi.close()
        self._selector.close()
        self._wake_sender.close()
        self._wake_receiver.close()

    def _finished(self) -> Iterator[Fetched]:
        queued = 1
        while queued:
            queued, good, bad = self._multi.info_read()
            for curl, code, message in [*((curl, 0, "") for curl in good), *bad]:
                transfer = self._by_handle[curl]
                fetched = Fetched(transfer.number, _result(transfer, code, message))
                self._remove(transfer)
                yield fetched
                transfer.release()

    def _remove(self, transfer: Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        del self._running[transfer.number]
        self._unused.append(transfer.curl)

    def _on_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        is_known = descriptor in self._descriptors
        if what == pycurl.POLL_REMOVE:
            if is_known:
                self._descriptors.discard(descriptor)
                self._selector.unregister(descriptor)
        elif is_known:
            self._selector.modify(descriptor, SELECTOR_EVENTS[what])
        else:
            self._descriptors.add(descriptor)
            self._selector.register(descriptor, SELECTOR_EVENTS[what])


def _result(transfer: Transfer, code: int, message: str) -> Response | FetchError | Redirect:
    """Return the result of a transfer; an exception is the failure of its URL alone."""
    try:
        return transfer.result(code, message)
    except MemoryError:
        raise
    except Exception as error:
        why = f"The response cannot be read ({type(error).__name__})."
        return FetchError(Reason.CONNECTION_ERROR, why)
