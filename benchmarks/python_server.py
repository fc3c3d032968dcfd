"""The web server in Python: `python -m benchmarks.python_server FOLDER PORT HOST ...`.

It responds like `server.lua`, but uses a whole core, so that fast clients wait for it.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from demo.answers import Answer

from .pictures import PARKED, PLACEHOLDER
from .scenarios import Behaviour

LONGEST_DRIP = 40  # seconds
RECOVERY = 1.0  # seconds of 503 from the first request to a recovering host
PATH = re.compile(
    r"/(?P<run>\w+)/(?P<behaviour>[a-z]+)/(?P<latency>\d+)/(?P<picture>\d+)/(?P<number>\d+)\.jpg"
)
PAGE = "<html><body>This is not what you were looking for.</body></html>\n"


@dataclass(frozen=True)
class LinkRequest:
    """The parts of a requested URL, and the host."""

    host: str
    run: str
    picture: str
    number: str


class Responses:
    """Makes the responses of all behaviours from a folder of pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, float] = {}
        self._responses: MappingProxyType[str, Callable[[LinkRequest], Answer]] = MappingProxyType(
            {
                Behaviour.ALIVE.value: self._alive,
                Behaviour.BUSY.value: self._busy,
                Behaviour.RECOVERING.value: self._recovering,
                Behaviour.DRIP.value: self._drip,
                Behaviour.CUT.value: self._cut,
                Behaviour.MISSING.value: lambda _: Answer.page(PAGE, 404),
                Behaviour.GONE.value: lambda _: Answer.page(PAGE, 410),
                Behaviour.PAGE.value: lambda _: Answer.page(PAGE),
                Behaviour.PLACEHOLDER.value: lambda _: Answer.redirect(f"/images/{PLACEHOLDER}"),
                Behaviour.PARKED.value: lambda _: Answer.jpeg(self._content(PARKED)),
            }
        )

    def answer(self, path: str, host: str) -> tuple[float, Answer]:
        """Return the seconds before the response, and the response."""
        if path == f"/images/{PLACEHOLDER}":
            return 0.0, Answer(body=self._content(PLACEHOLDER), content_type="image/png")
        match = PATH.fullmatch(path)
        if not match or match["behaviour"] not in self._responses:
            return 0.0, Answer.page(PAGE, 404)
        request = LinkRequest(host, match["run"], match["picture"], match["number"])
        return int(match["latency"]) / 1000, self._responses[match["behaviour"]](request)

    def _alive(self, request: LinkRequest) -> Answer:
        return Answer.jpeg(self._content(f"{request.picture}.jpg"))

    def _busy(self, request: LinkRequest) -> Answer:
        key = f"{request.run}/{request.number}"
        if key in self._seen:
            return self._alive(request)
        self._seen[key] = time.monotonic()
        return Answer(status=429, headers=("Retry-After: 1",), body=PAGE.encode(), content_type="text/html")

    def _recovering(self, request: LinkRequest) -> Answer:
        now = time.monotonic()
        first = self._seen.setdefault(f"{request.run}@{request.host}", now)
        return Answer.page(PAGE, 503) if now - first < RECOVERY else self._alive(request)

    def _cut(self, request: LinkRequest) -> Answer:
        body = self._content(f"{request.picture}.jpg")
        return Answer(body=body, cut=len(body) // 2, content_type="image/jpeg")

    def _drip(self, request: LinkRequest) -> Answer:
        body = self._content(f"{request.picture}.jpg")
        return Answer(body=body, pace=len(body) / LONGEST_DRIP, content_type="image/jpeg")

    def _content(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


async def serve(folder: Path, port: int, hosts: list[str]) -> None:
    """Serve until the process ends."""
    responses = Responses(folder)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, responses):
                continue
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client has disconnected
        finally:
            writer.close()

    server = await asyncio.start_server(connected, hosts, port, backlog=4096)
    await server.serve_forever()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, responses: Responses) -> bool:
    """Respond to one request; return whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    host = re.search(r"^host: *([^:\r]*)", head, re.IGNORECASE | re.MULTILINE)
    wait, answer = responses.answer(head.split(" ", 2)[1], host[1] if host else "")
    await asyncio.sleep(wait)
    keep_alive = not answer.closes and "connection: close" not in head.lower()
    writer.write(answer.head(keep_alive))
    for chunk in answer.chunks():
        await _write(writer, chunk, answer.pace)
    await writer.drain()
    return keep_alive


async def _write(writer: asyncio.StreamWriter, data: bytes, pace: float | None) -> None:
    step = int(pace) + 1 if pace else len(data)
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
        await writer.drain()
        if pace:
            await asyncio.sleep(len(data[start : start + step]) / pace)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
