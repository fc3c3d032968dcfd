"""A local web server with scripted responses, also faulty ones."""

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
TICK = 0.05  # seconds between the writes of a body with a pace
MAX_HEAD = 256 * 1024  # bytes of a request's head


class Web:
    """A web server on a free port of loopback, in a thread: `with Web() as web: ...`.

    Attributes
    ----------
    port
        The port.
    requests
        All requests, in the order of arrival.
    most_at_once
        Maximum number of concurrent requests so far.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._active = 0
        self._scripts: dict[str, list[Reply]] = {}
        self._otherwise: Reply = Answer.page("Not found", 404)
        self._connections: set[asyncio.Task[None]] = set()
        self._running = threading.Event()

    def __enter__(self) -> Web:
        self._listener = _listen(0)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run_loop, name="web", daemon=True)
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://{HOST}:{self.port}{path}"

    def answer(self, path: str, *replies: Reply) -> None:
        """Set the replies of a path: one after the other, the last one repeatedly.

        Parameters
        ----------
        path
            As `Request.path`: a whole URL if the server is used as proxy.
        *replies
            Answers, or functions from `Request` to `Answer`.
        """
        if not replies:
            raise ValueError(f"No answer given for {path}.")
        self._scripts[path] = list(replies)

    def otherwise(self, reply: Reply) -> None:
        """Set the reply of all other paths."""
        self._otherwise = reply

    def count(self, path: str) -> int:
        """Count the requests for a path."""
        return sum(request.path == path for request in self.requests)

    def refuse(self) -> None:
        """Refuse new connections and close the present ones, until `accept_again`."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def accept_again(self) -> None:
        """Listen again on the same port."""
        self._listener = _listen(self.port)
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._listener, self._accept)

    def _run_loop(self) -> None:
        # On Windows, too: only a selector loop supports add_reader.
        with contextlib.closing(asyncio.SelectorEventLoop()) as self._loop:
            self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self._loop.set_exception_handler(_ignore_disconnects)
        self._loop.add_reader(self._listener, self._accept)
        self._running.set()
        await self._stop.wait()
        await self._close()

    async def _close(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()
        await asyncio.sleep(0)  # lets tasks of new connections start, so that they clean up
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the next iteration

    def _accept(self) -> None:
        # asyncio.start_server would leave connections open that it has accepted but not yet handed over when
        # the server stops.
        with contextlib.suppress(BlockingIOError):  # the client has disconnected
            client, _address = self._listener.accept()
            client.setblocking(False)
            # asyncio does it only for sockets created with a protocol. Without it, each body waits 40 ms for
            # the acknowledgement of its head.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._loop.create_task(self._serve(client))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=MAX_HEAD)
        writer.transport.set_write_buffer_limits(0)  # drain() returns when the kernel has the bytes
        try:
            # The connection ends if the client disconnects or sends no HTTP, or if the server stops.
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    continue
        finally:
            writer.transport.abort() if self._stop.is_set() else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Respond to one request; return whether the connection stays open."""
        request = await _read(reader)
        self.requests.append(request)
        self._active += 1
        self.most_at_once = max(self.most_at_once, self._active)
        try:
            answer = self._answer_for(request)
            await asyncio.sleep(answer.delay)
            keep_alive = not answer.closes and request.headers.get("connection", "").lower() != "close"
            await _send(writer, answer, head_only=request.method == "HEAD", keep_alive=keep_alive)
            if answer.hang:
                await reader.read()  # until the client disconnects
            if answer.reset:
                _reset(writer)
        finally:
            self._active -= 1
        return keep_alive

    def _answer_for(self, request: Request) -> Answer:
        script = self._scripts.get(request.path)
        if script is None and request.method == "CONNECT":
            return Answer.page("No tunnels here", 502)
        reply = self._otherwise if script is None else script.pop(0) if len(script) > 1 else script[0]
        return reply if isinstance(reply, Answer) else reply(request)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def _ignore_disconnects(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle errors of the loop, except disconnects of clients."""
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


async def _read(reader: asyncio.StreamReader) -> Request:
    """Read one request, and discard its body."""
    try:
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(int(request.headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise ConnectionAbortedError("the client disconnected, or sent no HTTP") from error
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
    for chunk in answer.chunks():
        await _write(writer, chunk, answer.pace)


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
