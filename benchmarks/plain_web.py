"""The web in Python, for machines without nginx: `python -m benchmarks.plain_web FOLDER PORT HOST ...`.

It answers as `web.lua` does, but takes a core for itself, so that fast clients wait for it.
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

from .links import Fate
from .pictures import PARKED, PLACEHOLDER

LONGEST_DRIP = 40  # seconds
RECOVERY = 1.0  # seconds that a recovering host needs, from its first request on
PATH = re.compile(r"/(?P<run>\w+)/(?P<fate>[a-z]+)/(?P<latency>\d+)/(?P<picture>\d+)/(?P<number>\d+)\.jpg")
WORDS = "<html><body>This is not what you were looking for.</body></html>\n"


@dataclass(frozen=True)
class RunHistory:
    """What the URL of a request says, and the host that it was sent to."""

    host: str
    run: str
    picture: str
    number: str


class Replies:
    """What each fate answers; it remembers whom it has seen.

    Parameters
    ----------
    folder
        Where the pictures lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, float] = {}
        self._by_fate: MappingProxyType[str, Callable[[RunHistory], Answer]] = MappingProxyType(
            {
                Fate.ALIVE.value: self._alive,
                Fate.BUSY.value: self._busy,
                Fate.RECOVERING.value: self._recovering,
                Fate.DRIP.value: self._drip,
                Fate.CUT.value: self._cut,
                Fate.MISSING.value: lambda _: Answer.page(WORDS, 404),
                Fate.GONE.value: lambda _: Answer.page(WORDS, 410),
                Fate.PAGE.value: lambda _: Answer.page(WORDS),
                Fate.PLACEHOLDER.value: lambda _: Answer.redirect(f"/images/{PLACEHOLDER}"),
                Fate.PARKED.value: lambda _: Answer.jpeg(self._content(PARKED)),
            }
        )

    def answer(self, path: str, host: str) -> tuple[float, Answer]:
        """Say how many seconds a request waits, and what it is answered then."""
        if path == f"/images/{PLACEHOLDER}":
            return 0.0, Answer(body=self._content(PLACEHOLDER), content_type="image/png")
        match = PATH.fullmatch(path)
        if not match or match["fate"] not in self._by_fate:
            return 0.0, Answer.page(WORDS, 404)
        asked = RunHistory(host, match["run"], match["picture"], match["number"])
        return int(match["latency"]) / 1000, self._by_fate[match["fate"]](asked)

    def _alive(self, asked: RunHistory) -> Answer:
        return Answer.jpeg(self._content(f"{asked.picture}.jpg"))

    def _busy(self, asked: RunHistory) -> Answer:
        key = f"{asked.run}/{asked.number}"
        if key in self._seen:
            return self._alive(asked)
        self._seen[key] = time.monotonic()
        return Answer(status=429, headers=("Retry-After: 1",), body=WORDS.encode(), content_type="text/html")

    def _recovering(self, asked: RunHistory) -> Answer:
        now = time.monotonic()
        first = self._seen.setdefault(f"{asked.run}@{asked.host}", now)
        return Answer.page(WORDS, 503) if now - first < RECOVERY else self._alive(asked)

    def _cut(self, asked: RunHistory) -> Answer:
        body = self._content(f"{asked.picture}.jpg")
        return Answer(body=body, cut=len(body) // 2, content_type="image/jpeg")

    def _drip(self, asked: RunHistory) -> Answer:
        body = self._content(f"{asked.picture}.jpg")
        return Answer(body=body, pace=len(body) / LONGEST_DRIP, content_type="image/jpeg")

    def _content(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


async def serve(folder: Path, port: int, hosts: list[str]) -> None:
    """Serve until the process is ended."""
    replies = Replies(folder)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, replies):
                continue
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(connected, hosts, port, backlog=4096)
    await server.serve_forever()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replies: Replies) -> bool:
    """Answer one request; say whether another may follow."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    host = re.search(r"^host: *([^:\r]*)", head, re.IGNORECASE | re.MULTILINE)
    wait, answer = replies.answer(head.split(" ", 2)[1], host[1] if host else "")
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
