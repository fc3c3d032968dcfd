"""Measure one unlimited host and seven kinds of limits, at a latency of 80 ms."""

from __future__ import annotations

import asyncio
import contextlib
import math
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo.answers import Answer

from . import machine, pictures, process_cost, tables
from .bench import MEMORY
from .downloaders import CURL, Downloader, Job, available
from .tools import Tools

LATENCY = 0.08
FIRST_HOST = "127.8.0.{}"
IN_FLIGHT = 256
DOWNLOADERS = ("part-of-imagenet", CURL, "wget2", "img2dataset-no-reencoding")


@dataclass
class Limit:
    """What a host allows; accepts everything.

    Attributes
    ----------
    text
        The limit in words.
    images
        The number of its URLs.
    ideal
        The seconds that a client needs that knows the limit.
    accepted, refused
        Requests of the present run.
    """

    text: str
    images: int
    ideal: float
    retry_after: bool = False
    accepted: int = 0
    refused: int = 0
    last_at: float = 0.0
    under_way: int = 0

    def reset(self) -> None:
        """Forget the requests of earlier runs."""
        self.accepted = self.refused = 0

    def wait(self, now: float) -> float:  # noqa: ARG002
        """Return the seconds until a request would be accepted; 0.0 if it is."""
        return 0.0

    def answer(self, now: float, body: bytes) -> Answer:
        """Answer a request."""
        wait = self.wait(now)
        if not wait:
            self.accepted += 1
            self.last_at = now
            return Answer.jpeg(body)
        self.refused += 1
        headers = (f"Retry-After: {math.ceil(wait)}",) if self.retry_after else ()
        return Answer(status=429, headers=headers, body=b"Slow down.", content_type="text/plain")


@dataclass
class Bucket(Limit):
    """So many requests a second, and so many at once; a ban, if there is one, is prolonged by requests."""

    rate: float = 1.0
    burst: int = 1
    ban: float = 0.0
    _level: float = math.inf
    _at: float = 0.0
    _banned_until: float = 0.0

    def reset(self) -> None:
        """See `Limit`."""
        super().reset()
        self._level, self._banned_until = math.inf, 0.0

    def wait(self, now: float) -> float:
        """See `Limit`."""
        if now < self._banned_until:
            self._banned_until = now + self.ban
            return self.ban
        self._level = min(self.burst, self._level + self.rate * (now - self._at))
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        self._banned_until = now + self.ban
        return max(self.ban, (1 - self._level) / self.rate)


@dataclass
class Window(Limit):
    """So many requests in a window of so many seconds, which begins with the first request."""

    count: int = 1
    length: float = 1.0
    _begin: float = -math.inf
    _used: int = 0

    def reset(self) -> None:
        """See `Limit`."""
        super().reset()
        self._begin = -math.inf

    def wait(self, now: float) -> float:
        """See `Limit`."""
        if now >= self._begin + self.length:
            self._begin, self._used = now, 0
        if self._used >= self.count:
            return self._begin + self.length - now
        self._used += 1
        return 0.0


@dataclass
class Concurrency(Limit):
    """So many requests at once."""

    most: int = 1

    def wait(self, now: float) -> float:  # noqa: ARG002
        """See `Limit`."""
        return 0.0 if self.under_way < self.most else 1.0


def limits() -> list[Limit]:
    """Return the limits of the hosts."""
    return [
        Bucket("4 a second, burst 20", 160, 35, rate=4, burst=20),
        Bucket("1 a second, burst 25", 65, 40, rate=1, burst=25),
        Bucket("3 a second, burst 10, Retry-After", 110, 33, retry_after=True, rate=3, burst=10),
        Window("30 in each 10 s", 120, 30, count=30, length=10),
        Window("40 in each 12 s, Retry-After", 130, 36, retry_after=True, count=40, length=12),
        Bucket("5 a second, burst 20; a ban of 12 s", 140, 24, rate=5, burst=20, ban=12),
        Concurrency("3 at once", 300, 8, most=3),
        Limit("everything", 400, 2),
    ]


@dataclass
class Server:
    """Serves pictures from hosts with limits, in a thread."""

    folder: Path
    limits: list[Limit]
    port: int = 0
    _bodies: list[bytes] = field(default_factory=list)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __enter__(self) -> Server:
        self._bodies = [file.read_bytes() for file in sorted(self.folder.glob("*.jpg"))]
        for number in range(len(self.limits)):
            self._loop.run_until_complete(self._start(number))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    def now(self) -> float:
        """Return the time of the server's clock."""
        return self._loop.time()

    def urls(self, run: int) -> list[str]:
        """Return the URLs of a run, in turn from each host."""
        each = [
            [
                f"http://{FIRST_HOST.format(host + 1)}:{self.port}/{run}/{number}.jpg"
                for number in range(one.images)
            ]
            for host, one in enumerate(self.limits)
        ]
        most = max(map(len, each))
        return [urls[number] for number in range(most) for urls in each if number < len(urls)]

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _start(self, host: int) -> None:
        limit = self.limits[host]

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with (
                contextlib.suppress(ConnectionError, asyncio.IncompleteReadError),
                contextlib.closing(writer),
            ):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    number = int(head.split(b" ", 2)[1].rsplit(b"/", 1)[1].split(b".")[0])
                    await asyncio.sleep(LATENCY / 2)
                    answer = limit.answer(self._loop.time(), self._bodies[number % len(self._bodies)])
                    limit.under_way += answer.status == 200
                    await asyncio.sleep(LATENCY / 2)
                    limit.under_way -= answer.status == 200
                    writer.write(answer.head(True))
                    for chunk in answer.chunks():
                        writer.write(chunk)
                    await writer.drain()

        name = FIRST_HOST.format(host + 1)
        server = await asyncio.start_server(connected, name, self.port, backlog=1024)
        self.port = self.port or server.sockets[0].getsockname()[1]
        self._servers.append(server)


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table for each downloader."""
    parent = folder or (MEMORY if MEMORY.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=parent, ignore_cleanup_errors=True) as name:
        place = Path(name)
        (place / "pictures").mkdir()
        pictures.fill(place / "pictures", 40)
        with Server(place / "pictures", limits()) as server:
            print(machine.description(place, "a server in Python"), flush=True)
            for number, downloader in enumerate(_downloaders(tools)):
                rows = list(_rows(server, downloader, place / f"run{number}", tools, number))
                print(f"\n{downloader.name}\n{tables.aligned(rows)}", flush=True)
    return 0


def _downloaders(tools: Tools) -> list[Downloader]:
    return [one for one in available(tools) if one.name in DOWNLOADERS]


def _rows(
    server: Server, downloader: Downloader, folder: Path, tools: Tools, number: int
) -> Iterator[list[str]]:
    for limit in server.limits:
        limit.reset()
    job = Job(folder, server.urls(number), IN_FLIGHT)
    job.output.mkdir(parents=True)
    begun = server.now()
    cost = process_cost.run(
        downloader.command(job, tools),
        environment=tools.environment(),
        folder=job.folder,
        log=job.folder / "screen.log",
    )
    yield ["host allows", "images", "lost", "refused", "wall s", "ideal s"]
    for limit in server.limits:
        seconds = limit.last_at - begun
        lost = limit.images - min(limit.images, limit.accepted)
        counts = [f"{limit.images}", f"{lost}", f"{limit.refused}"]
        yield [limit.text, *counts, f"{seconds:.0f}", f"{limit.ideal:.0f}"]
    yield ["all", f"{len(job.urls)}", "", "", f"{cost.wall:.0f}", ""]
