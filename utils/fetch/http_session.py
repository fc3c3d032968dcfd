"""One conversation with a web server: who is shown what lets us in, and how it is cut short.

Credentials go to the scheme, host and port that the user named, and to no other to which that one
redirects.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .credentials import Credentials

MOST_REDIRECTS = 10


class StoppedError(Exception):
    """The conversation was stopped by who had begun it."""


class Line:
    """The connections of one download, which another thread may cut.

    A name look-up under way cannot be cut; what asked for it ends with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._copies: list[socket.socket] = []
        self._heard = 0.0
        self._is_cut = False

    def stop(self) -> None:
        """Cut it for good: whoever uses it gets a `StoppedError`."""
        self._stopping.set()
        self._cut()

    def is_stopped(self) -> bool:
        """Whether it was cut for good."""
        return self._stopping.is_set()

    def cut_if_silent(self, seconds: float) -> None:
        """Cut the connection if nothing has come over it for so long; the next try makes another."""
        if self._copies and time.monotonic() - self._heard > seconds:
            self._cut()

    def heard(self) -> None:
        """Take note that something has come.

        Raises
        ------
        StoppedError
            If nobody wants it any more.
        """
        self._heard = time.monotonic()
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait, as long as nobody stops it.

        Raises
        ------
        StoppedError
            If somebody does.
        """
        if self._stopping.is_set() or (seconds and self._stopping.wait(seconds)):
            raise StoppedError

    def is_cut(self) -> bool:
        """Whether the end of what came is our own doing."""
        return self._is_cut

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """Connect to the first address of a host that answers.

        Raises
        ------
        OSError
            If none does.
        """
        fault = OSError(f"{host} has no address")
        places = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _name, address in places:
            made = self._try_to_connect((family, kind, protocol), address, timeout)
            if isinstance(made, socket.socket):
                return made
            fault = made
        raise fault

    def release(self) -> None:
        """Let go of the connections: they have been closed."""
        with self._lock:
            copies, self._copies, self._is_cut = self._copies, [], False
        for copy in copies:
            copy.close()

    def _try_to_connect(
        self, kind: tuple[int, int, int], address: Any, timeout: float | None
    ) -> socket.socket | OSError:
        try:
            return self._connected(socket.socket(*kind), address, timeout)
        except OSError as error:
            return error

    def _connected(self, made: socket.socket, address: Any, timeout: float | None) -> socket.socket:
        try:
            made.settimeout(timeout)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                # TLS takes the socket itself away, but a copy leads to the same connection.
                self._copies.append(made.dup())
            self.heard()
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made

    def _cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for copy in self._copies:
                _shut(copy)


@contextmanager
def talking(url: str, line: Line, credentials: Credentials | None) -> Iterator[requests.Session]:
    """Open a session that asks for one URL, and for what that redirects to."""
    try:
        with _Session(url, line, credentials) as session:
            yield session
    finally:
        line.release()


class _Session(requests.Session):
    """A session over one line, which tells nobody else what was meant for the URL's own host."""

    def __init__(self, url: str, line: Line, credentials: Credentials | None) -> None:
        super().__init__()
        self._url, self._credentials = url, credentials
        self.max_redirects = MOST_REDIRECTS
        self.hooks["response"] = [_drop_body_of_redirect]
        if credentials:  # in place of what .netrc or the URL may hold
            self.auth = _signer(credentials)
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(line))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if not self._credentials:
            return
        own = self._credentials.headers()
        url = prepared_request.url or ""
        if not self.should_strip_auth(self._url, url):  # type: ignore[no-untyped-call]
            prepared_request.headers.update(own)
            return
        for name, value in own.items():
            if prepared_request.headers.get(name) == value:
                del prepared_request.headers[name]


def _signer(credentials: Credentials) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(credentials.headers())
        return request

    return sign


def _drop_body_of_redirect(response: requests.Response, **_settings: object) -> None:
    """Keep requests from reading the whole page of a redirect, however long it is."""
    if response.is_redirect:
        response.raw.close()
        response._content = b""


class _Adapter(HTTPAdapter):
    """Makes its connections by the line; those to a SOCKS proxy know their own way."""

    def __init__(self, line: Line) -> None:
        self._pools = _pools(line)
        super().__init__()

    def init_poolmanager(self, *places: Any, **settings: Any) -> None:
        super().init_poolmanager(*places, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(line: Line) -> dict[str, type[HTTPConnectionPool]]:
    class Connection(_OverLine, HTTPConnection):
        _line = line

    class SecureConnection(_OverLine, HTTPSConnection):
        _line = line

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}


class _OverLine:
    """A connection of urllib3's, but for how its socket is made."""

    _line: Line

    def _new_conn(self) -> socket.socket:
        connection: Any = self
        try:
            return self._line.connect(connection._dns_host, connection.port, connection.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, "it does not answer") from error
        except OSError as error:
            raise NewConnectionError(connection, f"{type(error).__name__}: {error}") from error


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is not connected, so nobody waits for it
