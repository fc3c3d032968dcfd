"""What the web is asked and what it answers; it alone knows what an `Answer` looks like on the wire."""

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

PIECE = 16 * 1024  # bytes of a body that are sent at once
BODILESS = frozenset({204, 304})


class Length(Enum):
    """What `Content-Length` says where it is no number of the script's."""

    COUNTED = "the truth"
    OMITTED = "nothing: the body ends where the connection does"


@dataclass(frozen=True)
class Request:
    """What the server was asked.

    Attributes
    ----------
    path
        The target as it was sent: path and query, a whole URL from a client that takes us for its proxy, or
        `host:port` of a CONNECT.
    headers
        By lower-case name; what was sent twice is joined by ", ".
    at
        When its head had arrived, by `time.monotonic`.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    Attributes
    ----------
    headers
        Further ones, each as "Name: value".
    content_type
        Empty: the header is left out.
    delay
        Seconds before anything is sent.
    pace
        Bytes of the body (or of `raw`) per second.
    cut
        So many bytes of the body are sent, and the connection closed.
    reset, hang
        Nothing is sent (with `cut` or `raw`, as much as those say); then the connection is aborted with RST,
        or stays open in silence.
    length
        What `Content-Length` states.
    raw
        Sent in place of head and body, and the connection closed.
    endless
        The body is repeated for as long as the client listens.
    gzip
        The body travels compressed; `cut` and `length` count compressed bytes.
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
        """Answer with a JPEG."""
        return cls(body=body, content_type="image/jpeg")

    @classmethod
    def page(cls, text: str, status: int = 200) -> Answer:
        """Answer with a page for people."""
        return cls(status=status, body=text.encode(), content_type="text/html; charset=utf-8")

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Answer:
        """Send the client elsewhere."""
        return cls(status=status, headers=(f"Location: {location}",))

    @cached_property
    def coded(self) -> bytes:
        """The body as it travels; kept, for a bomb takes its time to compress."""
        return gzip.compress(self.body, mtime=0) if self.gzip else self.body

    @property
    def bodiless(self) -> bool:
        """Whether HTTP allows no body with this status."""
        return self.status in BODILESS

    @property
    def silent(self) -> bool:
        """Whether nothing at all is sent."""
        return (self.hang or self.reset) and self.cut is None and self.raw is None

    @property
    def closes(self) -> bool:
        """Whether the connection cannot serve another request."""
        misbehaves = self.hang or self.reset or self.endless or self.cut is not None or self.raw is not None
        return misbehaves or (self.length is not Length.COUNTED and not self.chunked)

    def head(self, keep_alive: bool) -> bytes:
        """Give status line and headers, up to the empty line."""
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Unknown')}"]
        lines += [f"Content-Type: {self.content_type}"] * bool(self.content_type) + [*self.headers]
        lines += ["Content-Encoding: gzip"] * self.gzip + ["Transfer-Encoding: chunked"] * self.chunked
        if isinstance(self.length, int):
            lines.append(f"Content-Length: {self.length}")
        elif self.length is Length.COUNTED and not (self.chunked or self.endless or self.bodiless):
            lines.append(f"Content-Length: {len(self.coded)}")
        lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8")

    def pieces(self) -> Iterator[bytes]:
        """Give the body piece by piece as it travels, no further than `cut`."""
        body = self.coded[: self.cut]
        if self.endless:
            body = (body or b"\0") * (PIECE // max(1, len(body)) + 1)
        for whole in itertools.repeat(body) if self.endless else (body,):
            for start in range(0, len(whole), PIECE):
                piece = whole[start : start + PIECE]
                yield b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece
        if self.chunked and self.cut is None:
            yield b"0\r\n\r\n"


Reply: TypeAlias = Answer | Callable[[Request], Answer]


def resumable(body: bytes, etag: str = '"1"') -> Callable[[Request], Answer]:
    """Answer with a file of which a client may ask for the rest, with Range and If-Range."""

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
