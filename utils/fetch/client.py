"""HTTP client for thousands of small files: one event loop over libcurl's multi interface.

Each request ends in a `Response`, a `FetchError` or a `Redirect`. The limits of a single request are in
`transfer`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pycurl

from ..models.http_defaults import USER_AGENT
from ..models.tasks import FetchError, Redirect, RedirectHistory, Response
from ..reasons import Reason
from .curl_errors import PROXY_SILENT
from .proxies import Proxies
from .transfer import MemoryBudget, Transfer, connect_timeout, new_handle

if TYPE_CHECKING:
    from .lenient_http import LenientResponse

MEMORY_BUDGET = 96_000_000
PROBE_AFTER, PROBE_TIME = 0.5, 0.4
"""When a silent proxy is asked, and how long it has to respond; both as parts of the connect timeout."""
HEADER_ERROR, MAX_THREADS = "Header without colon", 4
"""libcurl's message for a response that is requested again, and how many of them at once in threads."""
PROBE_URL = "http://127.0.0.1:9/"
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
    user_agent
        The User-Agent of all requests.
    idle_connections
        The number of connections that are kept open for further URLs of the same hosts.
    memory_budget
        Bytes of buffered bodies from which on all transfers but one are paused.
    """

    def __init__(
        self,
        timeout: float,
        *,
        user_agent: str = USER_AGENT,
        idle_connections: int = 128,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        self._timeout = timeout
        self._user_agent = user_agent
        self._budget = MemoryBudget(memory_budget)
        self._proxies = Proxies.from_environment(os.environ)
        self._proven: set[str] = set()  # the proxies that have responded
        self._unproven: dict[str, float] = {}  # other proxies in use, and when to ask them
        self._waiting: deque[Transfer] = deque()  # transfers whose response libcurl could not read
        self._responses: deque[tuple[Transfer, LenientResponse | None]] = deque()  # filled by threads
        self._threads = 0
        self._probe_numbers = itertools.count(-1, -1)
        self._running: dict[int, Transfer] = {}
        self._unused: list[pycurl.Curl] = []
        self._by_handle: dict[pycurl.Curl, Transfer] = {}
        self._timer: float | None = None  # when libcurl wants to be called
        self._selector = selectors.DefaultSelector()
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
        proxy = self._proxies.for_url(url)
        if proxy and proxy not in self._proven:
            self._unproven.setdefault(proxy, time.monotonic() + PROBE_AFTER * connect_timeout(self._timeout))
        self._start(number, url, history or RedirectHistory(), proxy=proxy, timeout=self._timeout)

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
        self.advance(min(timeout, self._probe_proxies()) if self._unproven else timeout)
        yield from self._finished()
        if self._waiting or self._responses:
            yield from self._request_again()
        paused = [transfer for transfer in self._running.values() if transfer.paused]
        for transfer in self._budget.resumable(paused) if paused else ():
            transfer.resume()

    def advance(self, timeout: float) -> None:
        """Handle network events like `poll`, but leave the requests that ended to it."""
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

    def wake(self) -> None:
        """Make a waiting `poll` return early; may be called from another thread."""
        with contextlib.suppress(OSError):  # the buffer is full, so `poll` wakes already; or it is closed
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

    def _start(self, number: int, url: str, history: RedirectHistory, *, proxy: str, timeout: float) -> None:
        curl = self._unused.pop() if self._unused else new_handle(self._timeout, self._user_agent)
        transfer = Transfer(
            curl, number, url=url, history=history, timeout=timeout, proxy=proxy, budget=self._budget
        )
        self._running[number] = self._by_handle[curl] = transfer
        self._multi.add_handle(curl)

    def _finished(self) -> Iterator[Fetched]:
        queued = 1
        while queued:
            queued, good, bad = self._multi.info_read()
            for curl, code, message in [*((curl, 0, "") for curl in good), *bad]:
                transfer = self._by_handle[curl]
                if message == HEADER_ERROR and not transfer.proxy:
                    self._waiting.append(transfer)
                    continue
                result = _result(transfer, code, message, is_proven=transfer.proxy in self._proven)
                if transfer.proxy in self._unproven and transfer.has_response:
                    self._prove(transfer.proxy)
                self._remove(transfer)
                if transfer.number >= 0:
                    yield Fetched(transfer.number, result)
                elif code == pycurl.E_OPERATION_TIMEDOUT:
                    yield from self._fail_all(transfer.proxy)
                transfer.release()

    def _request_again(self) -> Iterator[Fetched]:
        """Yield the responses that libcurl could not read, and request the next ones in threads."""
        while self._responses:
            transfer, response = self._responses.popleft()
            self._threads -= 1
            if self._running.get(transfer.number) is transfer:  # it was not cancelled
                code = transfer.use_response(response) if response else pycurl.E_RECV_ERROR
                fetched = Fetched(transfer.number, _result(transfer, code, "", is_proven=False))
                self._remove(transfer)
                yield fetched
                transfer.release()
        while self._waiting and self._threads < MAX_THREADS:
            transfer = self._waiting.popleft()
            if self._running.get(transfer.number) is transfer:
                self._threads += 1
                threading.Thread(target=self._run_thread, args=(transfer,), daemon=True).start()

    def _run_thread(self, transfer: Transfer) -> None:
        response = None
        with contextlib.suppress(Exception):  # after any error the transfer has to end
            response = transfer.request_again(self._user_agent)
        self._responses.append((transfer, response))
        self.wake()

    def _probe_proxies(self) -> float:
        """Ask the proxies that have not responded; returns the seconds until the next one is due.

        A proxy that waits for a slow host is as silent as one that does not work. The first one responds at
        once to a request for a port of its own machine where nothing listens.
        """
        now, following = time.monotonic(), math.inf
        for proxy, due in list(self._unproven.items()):
            if any(one.proxy == proxy and one.has_response for one in self._running.values()):
                self._prove(proxy)
            elif due > now:
                following = min(following, due - now)
            else:
                self._unproven[proxy] = math.inf
                seconds = PROBE_TIME * connect_timeout(self._timeout)
                number = next(self._probe_numbers)
                self._start(number, PROBE_URL, RedirectHistory(), proxy=proxy, timeout=seconds)
        return following

    def _prove(self, proxy: str) -> None:
        self._proven.add(proxy)
        del self._unproven[proxy]

    def _fail_all(self, proxy: str) -> Iterator[Fetched]:
        """End all transfers through a proxy that does not respond, unless it has responded since."""
        if self._unproven.pop(proxy, None) is None:
            return
        for transfer in [one for one in self._running.values() if one.proxy == proxy]:
            seconds = float(transfer.curl.getinfo(pycurl.TOTAL_TIME))
            self._remove(transfer)
            error = FetchError(Reason.CONNECTION_ERROR, PROXY_SILENT, from_proxy=True, seconds=seconds)
            yield Fetched(transfer.number, error)
            transfer.release()

    def _remove(self, transfer: Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        del self._running[transfer.number]
        self._unused.append(transfer.curl)

    def _on_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        is_known = descriptor in self._selector.get_map()
        if what == pycurl.POLL_REMOVE:
            if is_known:
                self._selector.unregister(descriptor)
        elif is_known:
            self._selector.modify(descriptor, SELECTOR_EVENTS[what])
        else:
            self._selector.register(descriptor, SELECTOR_EVENTS[what])


def _result(
    transfer: Transfer, code: int, message: str, *, is_proven: bool
) -> Response | FetchError | Redirect:
    """Return the result of a transfer; an exception is the failure of its URL alone."""
    try:
        return transfer.result(code, message, is_proven=is_proven)
    except MemoryError:
        raise
    except Exception as error:
        why = f"The response cannot be read ({type(error).__name__})."
        return FetchError(Reason.CONNECTION_ERROR, why)
