"""Requests and responses of the local web servers, and the bytes of a response."""

from __future__ import annotations

import gzip
import http.client
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeAlias

CHUNK = 16 * 1024  # bytes of a body that are sent at once
BODILESS = frozenset({204, 304})


class Length(Enum):
    """The `Content-Length` header, if it is not a fixed number."""

    COUNTED = "the length of the body"
    OMITTED = "no header: the body ends with the connection"


@dataclass(frozen=True)
class Request:
    """A received request.

    Attributes
    ----------
    path
        The request target as sent: path and query, a whole URL if the server is used as proxy, or `host:port`
        of a CONNECT.
    headers
        By lower-case name; repeated headers are joined by ", ".
    at
        Time of arrival, by `time.monotonic`.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True)
class Answer:
    """A response, right or wrong.

    Attributes
    ----------
    headers
        Additional headers, each as "Name: value".
    content_type
        The header is left out if empty.
    delay
        Seconds before anything is sent.
    pace
        Bytes per second of the body, or of `raw`; None for no limit.
    cut
        The connection is closed after this number of bytes of the body.
    reset, hang
        Nothing is sent, or as much as `cut` or `raw` say; then the connection is reset, or stays open.
    length
        The `Content-Length` header.
    raw
        Sent instead of head and body; then the connection is closed.
    endless
        The body is repeated until the client disconnects.
    gzip
        The body is compressed; `cut` and `length` count compressed bytes.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[str, ...] = ()
    content_type: str = "application/octet-stream"
    delay: float = 0.0
    pace: float | None = None
    cut: int | None = None
    reset: bool = False
    hang: bool = False
    chunked: bool = False
    length: int | Length = Length.COUNTED
    raw: bytes | None = None
    endless: bool = False
    gzip: bool = False

    @classmethod
    def jpeg(cls, body: bytes) -> Answer:
        """Return a response with a JPEG."""
        return cls(body=body, content_type="image/jpeg")

    @classmethod
    def page(cls, text: str, status: int = 200) -> Answer:
        """Return a response with an HTML page."""
        return cls(status=status, body=text.encode(), content_type="text/html; charset=utf-8")

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Answer:
        """Return a redirect."""
        return cls(status=status, headers=(f"Location: {location}",))

    @cached_property
    def encoded(self) -> bytes:
        """The body as sent; cached, because compressing a bomb takes long."""
        return gzip.compress(self.body, mtime=0) if self.gzip else self.body

    @property
    def bodiless(self) -> bool:
        """Whether a response with this status has no body."""
        return self.status in BODILESS

    @property
    def silent(self) -> bool:
        """Whether nothing is sent."""
        return (self.hang or self.reset) and self.cut is None and self.raw is None

    @property
    def closes(self) -> bool:
        """Whether the connection is closed after this response."""
        misbehaves = self.hang or self.reset or self.endless or self.cut is not None or self.raw is not None
        return misbehaves or (self.length is not Length.COUNTED and not self.chunked)

    def head(self, keep_alive: bool) -> bytes:
        """Return status line, headers and the empty line."""
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Unknown')}"]
        lines += [f"Content-Type: {self.content_type}"] * bool(self.content_type) + [*self.headers]
        lines += ["Content-Encoding: gzip"] * self.gzip + ["Transfer-Encoding: chunked"] * self.chunked
        if isinstance(self.length, int):
            lines.append(f"Content-Length: {self.length}")
        elif self.length is Length.COUNTED and not (self.chunked or self.endless or self.bodiless):
            lines.append(f"Content-Length: {len(self.encoded)}")
        lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as sent, up to `cut`."""
        body = self.encoded[: self.cut]
        if self.endless:
            body = (body or b"\0") * (CHUNK // max(1, len(body)) + 1)
        for whole in itertools.repeat(body) if self.endless else (body,):
            for start in range(0, len(whole), CHUNK):
                chunk = whole[start : start + CHUNK]
                yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.chunked else chunk
        if self.chunked and self.cut is None:
            yield b"0\r\n\r\n"


Reply: TypeAlias = Answer | Callable[[Request], Answer]


def resumable(body: bytes, etag: str = '"1"') -> Callable[[Request], Answer]:
    """Return a reply that serves a file and supports Range with If-Range."""

    def reply(request: Request) -> Answer:
        headers = (f"ETag: {etag}", "Accept-Ranges: bytes")
        start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if not start or request.headers.get("if-range", etag) != etag:
            return Answer(body=body, headers=headers)
        if int(start[1]) >= len(body):
            return Answer(status=416, headers=(*headers, f"Content-Range: bytes */{len(body)}"))
        part = f"Content-Range: bytes {start[1]}-{len(body) - 1}/{len(body)}"
        return Answer(status=206, body=body[int(start[1]) :], headers=(*headers, part))

    return reply
