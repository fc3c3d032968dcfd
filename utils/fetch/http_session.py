"""A requests session for one download: cancellable connections, credentials, and error messages.

Credentials are sent to the scheme, host and port of the given URL, and to no other to which it redirects.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .certificates import Authorities
from .credentials import Credentials
from .proxies import Proxies

MAX_REDIRECTS = 10
_DESCRIPTIONS = {  # by what an error's text contains, in this order
    "TooManyRedirects": "it redirects too many times",
    "ProxyError": "the proxy from the environment does not let it through",
    "SSLError": "its certificate is not accepted, or it does not support TLS",
    "NameResolutionError": "its host name does not resolve",
    "gaierror": "its host name does not resolve",
    "Connection refused": "the connection is refused",
    "ConnectTimeout": "it does not respond",
    "Read timed out": "it stopped sending",
    "InvalidURL": "this is not a valid URL",
    "SOCKS support": "a SOCKS proxy needs the package PySocks, see requirement.txt",
    "InvalidSchema": "it redirects to neither http nor https",
    "LocationParseError": "this is not a valid URL",
    "Unicode": "this is not a valid URL",
    "RemoteDisconnected": "the connection closed before a response arrived",
    "BadStatusLine": "it does not speak HTTP",
    "InvalidHeader": "its headers contradict each other",
    "got more than": "its headers are too long",
    "ValueError": "it redirects to an invalid URL",
}


class CancelledError(Exception):
    """The download was cancelled."""


class Connections:
    """The connections of one download, which another thread can close.

    A name resolution that is running cannot be interrupted; the download ends after it.

    Attributes
    ----------
    aborted
        Whether the current connection was closed on this side.
    """

    def __init__(self) -> None:
        self.aborted = False
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._duplicates: list[socket.socket] = []
        self._active_at = 0.0

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Close the connections for good; the download gets a `CancelledError`."""
        self._cancelled.set()
        self._abort()

    def abort_if_idle(self, seconds: float) -> None:
        """Close the connection if no data has arrived for this time; the download retries."""
        if self._duplicates and time.monotonic() - self._active_at > seconds:
            self._abort()

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Close the connection if the context takes longer; the download retries."""
        timer = threading.Timer(seconds, self._abort)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def mark_active(self) -> None:
        """Record that data has arrived.

        Raises
        ------
        CancelledError
            If the download was cancelled.
        """
        self._active_at = time.monotonic()
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Sleep, or until the download is cancelled.

        Raises
        ------
        CancelledError
            If it is cancelled.
        """
        if self._cancelled.wait(seconds):
            raise CancelledError

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """Connect to the first address of a host that accepts.

        Raises
        ------
        OSError
            If none does.
        """
        if self.aborted:  # on the way to the target of a redirect
            raise ConnectionAbortedError
        error = OSError(f"{host} has no address")
        addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _name, address in addresses:
            try:
                return self._connect(socket.socket(family, kind, protocol), address, timeout)
            except OSError as failure:  # noqa: PERF203 - few addresses
                error = failure
        raise error

    def release(self) -> None:
        """Forget the connections, which have been closed."""
        with self._lock:
            duplicates, self._duplicates, self.aborted = self._duplicates, [], False
        for duplicate in duplicates:
            duplicate.close()

    def _connect(self, made: socket.socket, address: Any, timeout: float | None) -> socket.socket:
        try:
            made.settimeout(timeout)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                # TLS detaches the socket itself; a duplicate still reaches the connection.
                self._duplicates.append(made.dup())
            self.mark_active()
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made

    def _abort(self) -> None:
        with self._lock:
            self.aborted = True
            for duplicate in self._duplicates:
                with contextlib.suppress(OSError):  # not connected
                    duplicate.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def open_session(
    url: str, connections: Connections, credentials: Credentials | None
) -> Iterator[requests.Session]:
    """Open a session for one URL and the redirects from it."""
    try:
        with _Session(url, connections, credentials) as session:
            yield session
    finally:
        connections.release()


def describe_error(error: Exception) -> str:
    """Return a short description of an error of requests, urllib3 or the system, whose texts are nested."""
    text = f"{type(error).__name__} {error!r} {error}"
    found = (description for sign, description in _DESCRIPTIONS.items() if sign in text)
    return next(found, f"it cannot be reached ({type(error).__name__})")


class _Session(requests.Session):
    """A session that sends the credentials to the URL's own host only."""

    def __init__(self, url: str, connections: Connections, credentials: Credentials | None) -> None:
        super().__init__()
        self._url = url
        self._credential_headers = credentials.headers() if credentials else {}
        self.max_redirects = MAX_REDIRECTS
        self.hooks["response"] = [_skip_body_of_redirect]
        if credentials:  # instead of those in .netrc or the URL
            self.auth = self._add_credentials
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(connections))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if not self.should_strip_auth(self._url, prepared_request.url or ""):  # type: ignore[no-untyped-call]
            self._add_credentials(prepared_request)
            return
        for name, value in self._credential_headers.items():
            if prepared_request.headers.get(name) == value:
                del prepared_request.headers[name]

    def _add_credentials(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._credential_headers)
        return request


def _skip_body_of_redirect(response: requests.Response, **_settings: object) -> None:
    """Stop requests from reading the body of a redirect, which may be endless."""
    if response.is_redirect:
        response.raw.close()
        response._content = b""


class _Adapter(HTTPAdapter):
    """Opens its connections through `Connections`, except those to a SOCKS proxy."""

    def __init__(self, connections: Connections) -> None:
        self._pool_classes = _pool_classes(connections)
        self._proxies = Proxies.from_environment(os.environ)
        self._authorities = Authorities.from_environment(os.environ)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *arguments: Any, **settings: Any) -> requests.Response:
        settings["verify"] = self._authorities.file
        if self._proxies.by_scheme:  # else requests may know of others, from the settings of the system
            proxy = self._proxies.for_url(request.url or "")
            settings["proxies"] = {"all": proxy} if proxy else {}
        return super().send(request, *arguments, **settings)

    def cert_verify(self, conn: Any, *_request: object, **_settings: object) -> None:
        # For an http URL, requests would not verify the certificate of a proxy.
        conn.cert_reqs, conn.ca_certs = "CERT_REQUIRED", self._authorities.file
        conn.ca_cert_dir = self._authorities.folder or None

    def init_poolmanager(self, *sizes: Any, **settings: Any) -> None:
        super().init_poolmanager(*sizes, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pool_classes
        return manager


def _pool_classes(owner: Connections) -> dict[str, type[HTTPConnectionPool]]:
    class Connection(_CancellableConnection, HTTPConnection):
        connections = owner

    class SecureConnection(_CancellableConnection, HTTPSConnection):
        connections = owner

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}


class _CancellableConnection:
    """Mixin for urllib3's connections that opens their sockets through `Connections`."""

    connections: Connections

    def _new_conn(self) -> socket.socket:
        connection: Any = self
        try:
            return self.connections.connect(connection._dns_host, connection.port, connection.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, "it does not respond") from error
        except OSError as error:
            raise NewConnectionError(connection, f"{type(error).__name__}: {error}") from error
