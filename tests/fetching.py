"""Helpers for tests of HTTP: fetching URLs to the end, and servers on plain sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from utils.fetch.client import Fetcher
from utils.models.tasks import FetchError, Redirect, RedirectHistory, Response

PATIENCE = 20.0
TIMEOUT = 1.5


def finish(fetcher: Fetcher) -> dict[int, Response | FetchError]:
    """Poll a fetcher until all requests have ended, and follow redirects at once."""
    results: dict[int, Response | FetchError] = {}
    histories: dict[int, RedirectHistory] = {}
    deadline = time.monotonic() + PATIENCE
    while fetcher.in_flight:
        assert time.monotonic() < deadline, f"still running: {fetcher.in_flight}"
        for fetched in fetcher.poll(0.1):
            number, result = fetched.number, fetched.result
            assert number not in results
            if isinstance(result, Redirect):
                histories[number] = result.history
                fetcher.start(number, result.target.address, result.history)
            else:
                results[number] = _in_all(result, histories.get(number, RedirectHistory()))
    return results


def _in_all(result: Response | FetchError, history: RedirectHistory) -> Response | FetchError:
    """Add the seconds of the redirects before it, and their status if there was no response in the end."""
    status = result.http_status or history.http_status
    return replace(result, seconds=history.seconds + result.seconds, http_status=status)


def fetch_all(urls: Sequence[str], timeout: float = TIMEOUT) -> list[Response | FetchError]:
    """Fetch URLs concurrently; returns their results in order."""
    with contextlib.closing(Fetcher(timeout)) as fetcher:
        for number, url in enumerate(urls):
            fetcher.start(number, url)
        results = finish(fetcher)
    return [results[number] for number in range(len(urls))]


def fetch(url: str, timeout: float = TIMEOUT) -> Response | FetchError:
    """Fetch one URL."""
    (result,) = fetch_all([url], timeout)
    return result


def fetch_body(url: str, timeout: float = 5.0) -> Response:
    """Fetch one URL, which must return a body."""
    result = fetch(url, timeout)
    assert isinstance(result, Response), result
    return result


def fetch_error(url: str, timeout: float = TIMEOUT) -> FetchError:
    """Fetch one URL, which must fail."""
    result = fetch(url, timeout)
    assert isinstance(result, FetchError), result
    return result


def unused_port() -> int:
    """Return a port where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None], address: str = "127.0.0.1") -> Iterator[int]:
    """Listen, and call a function in a thread for each connection; yields the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, backlog=64) as server:
        thread = threading.Thread(target=_accept, args=(server, handle))
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def blackhole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Yield a port whose connections time out: its queue is full, and nothing accepts."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server((address, port), family=family, backlog=0))
        port = int(server.getsockname()[1])
        for _ in range(4):
            client = stack.enter_context(socket.socket(family))
            client.setblocking(False)
            client.connect_ex((address, port))
        time.sleep(0.05)
        yield port


def _accept(server: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    threads = []
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            threads.append(threading.Thread(target=_serve, args=(client, handle)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _serve(client: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    with client, contextlib.suppress(OSError):
        client.settimeout(10)
        handle(client)
