"""Reads responses with header lines that have no colon, which browsers ignore and libcurl rejects.

libcurl has no option for them. They are rare, so they are requested once more with http.client, in threads.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import pycurl

from ..models.http_defaults import MAX_IMAGE_BYTES
from .certificates import Authorities
from .redirects import RedirectGuard

_CHUNK = 1 << 16


@dataclass(frozen=True)
class LenientResponse:
    """What was received.

    Attributes
    ----------
    code
        curl's code for the error that occurred; 0 for none.
    header_lines
        The status line and the lines with a colon.
    body
        The body without its transfer encoding.
    """

    code: int
    header_lines: tuple[bytes, ...] = ()
    body: bytes = b""


def fetch(
    url: str, headers: dict[str, str], *, guard: RedirectGuard, authorities: Authorities, seconds: float
) -> LenientResponse:
    """Request a URL; never raises.

    Parameters
    ----------
    seconds
        The limit of time in all.
    """
    connection = _Connection(url, guard, authorities, seconds)
    timer = threading.Timer(seconds, connection.abort)
    timer.daemon = True
    timer.start()
    try:
        result = _read(connection, headers)
    except (OSError, http.client.HTTPException, ValueError):
        result = LenientResponse(pycurl.E_RECV_ERROR)
    finally:
        timer.cancel()
        connection.close()
    return LenientResponse(pycurl.E_OPERATION_TIMEDOUT) if connection.aborted else result


def _read(connection: _Connection, headers: dict[str, str]) -> LenientResponse:
    connection.request("GET", connection.target, headers=connection.login | headers)
    response = connection.getresponse()
    body = bytearray()
    while chunk := response.read(_CHUNK):
        body += chunk
        if len(body) > MAX_IMAGE_BYTES:
            return LenientResponse(pycurl.E_FILESIZE_EXCEEDED)
    lines: list[bytes] = response.header_lines  # type: ignore[attr-defined]  # of `_Response`
    return LenientResponse(pycurl.E_PARTIAL_FILE if response.length else 0, tuple(lines), bytes(body))


class _HeaderFilter:
    """A file that leaves header lines without a colon out, and keeps the others."""

    def __init__(self, file: Any, lines: list[bytes]) -> None:
        self._file = file
        self._lines = lines
        self._in_headers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(limit)
        if line.startswith(b"HTTP/"):
            self._in_headers = True
            self._lines.append(line)
            return line
        while self._in_headers and line.strip() and b":" not in line and line[:1] not in b" \t":
            line = self._file.readline(limit)
        if self._in_headers:
            self._in_headers = bool(line.strip())
            self._lines.append(line)
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.header_lines: list[bytes] = []
        self.fp: Any = _HeaderFilter(self.fp, self.header_lines)


class _Connection(http.client.HTTPConnection):
    response_class = _Response

    def __init__(self, url: str, guard: RedirectGuard, authorities: Authorities, timeout: float) -> None:
        parts = urlsplit(url)
        default_port = http.client.HTTPS_PORT if parts.scheme == "https" else http.client.HTTP_PORT
        super().__init__(parts.hostname or "", parts.port or default_port, timeout=timeout)
        self.default_port = default_port  # for the Host header
        self.target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(user.encode()).decode()
        self.login = {} if parts.username is None else {"Authorization": f"Basic {encoded}"}
        self.aborted = False
        self._guard = guard
        self._is_secure, self._authorities = parts.scheme == "https", authorities

    def connect(self) -> None:
        error = OSError("the host has no address")
        for *kind, _name, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            made = self._guard.open_socket(0, (*kind, address))
            if isinstance(made, int):
                continue
            try:
                made.settimeout(self.timeout)
                made.connect(address)
            except OSError as failure:
                made.close()
                error = failure
                continue
            self.sock = self._secured(made) if self._is_secure else made
            return
        raise error

    def abort(self) -> None:
        """Close the connection in any state."""
        self.aborted = True
        if self.sock:
            with contextlib.suppress(OSError):  # not connected any more
                self.sock.shutdown(socket.SHUT_RDWR)

    def _secured(self, made: socket.socket) -> ssl.SSLSocket:
        context = ssl.create_default_context(
            cafile=self._authorities.file, capath=self._authorities.folder or None
        )
        return context.wrap_socket(made, server_hostname=self.host)
