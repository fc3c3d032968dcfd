"""A web server on loopback that answers as it is told, and misbehaves as it is told.

It keeps what each path answers and what it was asked. It alone knows asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Any

from .answers import Answer, Length, Reply, Request, resumable

__all__ = ["Answer", "Length", "Reply", "Request", "Web", "resumable"]

HOST = "127.0.0.1"
BACKLOG = 1024
TICK = 0.05  # seconds between the drips of a paced body
LONGEST_HEAD = 256 * 1024  # bytes of a request's head that are read


class Web:
    """One host of the web, for as long as it is entered: `with Web() as web: ...`.

    Attributes
    ----------
    port
        Where it listens; a free one.
    requests
        All that it was asked, in the order of arrival.
    most_at_once
        How many requests were being answered at once, at most.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._scripts: dict[str, list[Reply]] = {}
        self._otherwise: Reply = Answer.page("Not found", 404)
        self._connections: set[asyncio.Task[None]] = set()
        self._running = threading.Event()

    def __enter__(self) -> Web:
        self._listener = _listen(0)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._work, name="web", daemon=True)
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def url(self, path: str) -> str:
        """Spell the URL of a path."""
        return f"http://{HOST}:{self.port}{path}"

    def answer(self, path: str, *replies: Reply) -> None:
        """Say what a path answers: the replies one after the other, and the last for ever.

        Parameters
        ----------
        path
            As `Request.path`: give a whole URL where we play the proxy.
        *replies
            Answers, or functions that make one of a `Request`.
        """
        if not replies:
            raise ValueError(f"No answer given for {path}.")
        self._scripts[path] = list(replies)

    def otherwise(self, reply: Reply) -> None:
        """Say what all other paths answer."""
        self._otherwise = reply

    def count(self, path: str) -> int:
        """Count the requests for a path."""
        return sum(request.path == path for request in self.requests)

    def refuse(self) -> None:
        """Refuse connections, and break those that are there, until `accept_again`."""
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()

    def accept_again(self) -> None:
        """Listen again, at the same port."""
        self._listener = _listen(self.port)
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._listener, self._accept)

    def _work(self) -> None:
        # A selector loop on Windows, too: only that one calls us for each connection that waits.
        with contextlib.closing(asyncio.SelectorEventLoop()) as self._loop:
            self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self._loop.set_exception_handler(_unless_a_client_left)
        self._loop.add_reader(self._listener, self._accept)
        self._running.set()
        await self._stop.wait()
        await self._leave()

    async def _leave(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()
        await asyncio.sleep(0)  # what was accepted a moment ago starts, for only then it cleans up
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets one round later

    def _accept(self) -> None:
        # Not asyncio.start_server: a connection that it has accepted and not yet handed over would stay open
        # when the server stops.
        with contextlib.suppress(BlockingIOError):  # the client has gone again
            client, _address = self._listener.accept()
            client.setblocking(False)
            connection = self._loop.create_task(self._serve(client))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=LONGEST_HEAD)
        writer.transport.set_write_buffer_limits(0)  # drained means: the kernel has it
        try:
            # A client that hangs up or talks no HTTP ends its connection, and so does the end of the server.
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    continue
        finally:
            writer.transport.abort() if self._stop.is_set() else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether another may follow."""
        request = await _read(reader)
        self.requests.append(request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            answer = self._choose(request)
            await asyncio.sleep(answer.delay)
            keep_alive = not answer.closes and request.headers.get("connection", "").lower() != "close"
            await _send(writer, answer, head_only=request.method == "HEAD", keep_alive=keep_alive)
            if answer.hang:
                await reader.read()  # until the client has had enough
            if answer.reset:
                _reset(writer)
        finally:
            self._at_once -= 1
        return keep_alive

    def _choose(self, request: Request) -> Answer:
        script = self._scripts.get(request.path)
        if script is None and request.method == "CONNECT":
            return Answer.page("No tunnels here", 502)
        reply = self._otherwise if script is None else script.pop(0) if len(script) > 1 else script[0]
        return reply if isinstance(reply, Answer) else reply(request)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def _unless_a_client_left(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what went wrong, but not that a client hung up while it was being answered: they may."""
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


async def _read(reader: asyncio.StreamReader) -> Request:
    """Read one request; its body is dropped."""
    try:
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(int(request.headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise ConnectionAbortedError("The client stopped, or talks no HTTP.") from error
    return request


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _version = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, value = (part.strip() for part in line.split(":", 1))
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return Request(method=method, path=path, headers=headers, at=time.monotonic())


async def _send(writer: asyncio.StreamWriter, answer: Answer, *, head_only: bool, keep_alive: bool) -> None:
    if answer.silent:
        return
    if answer.raw is not None:
        await _write(writer, answer.raw, answer.pace)
        return
    await _write(writer, answer.head(keep_alive), None)
    if head_only or answer.bodiless:
        return
    for piece in answer.pieces():
        await _write(writer, piece, answer.pace)


async def _write(writer: asyncio.StreamWriter, data: bytes, pace: float | None) -> None:
    step = max(1, int(pace * TICK)) if pace else max(1, len(data))
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
        await writer.drain()
        if pace:
            await asyncio.sleep(step / pace)


def _reset(writer: asyncio.StreamWriter) -> None:
    no_linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    writer.transport.abort()
