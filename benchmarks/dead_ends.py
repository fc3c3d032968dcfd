"""Ports where nobody answers: such as refuse connections, and such as swallow them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from .links import Fate
from .scenarios import ON_THEIR_OWN

FILLERS = 4  # connections that fill a queue made for none
MOMENT = 0.05  # seconds until they are in it


@contextlib.contextmanager
def dead_ends() -> Iterator[dict[Fate, int]]:
    """Give the ports of the hosts that refuse, and of those that swallow; the same on all of them."""
    with contextlib.ExitStack() as stack:
        refusing = _sockets(stack, Fate.REFUSED)
        swallowing = _sockets(stack, Fate.BLACKHOLE)
        for server in swallowing:
            server.listen(0)
            _fill_queue(stack, server)
        time.sleep(MOMENT)
        yield {Fate.REFUSED: _port(refusing[0]), Fate.BLACKHOLE: _port(swallowing[0])}


def _sockets(stack: contextlib.ExitStack, fate: Fate) -> list[socket.socket]:
    """Take the same port on all hosts of a fate; who does not listen there refuses."""
    hosts = ON_THEIR_OWN[fate]
    port, taken = 0, []
    for number in range(1, hosts.how_many + 1):
        taken.append(stack.enter_context(socket.socket()))
        taken[-1].bind((hosts.name.format(number), port))
        port = _port(taken[-1])
    return taken


def _fill_queue(stack: contextlib.ExitStack, server: socket.socket) -> None:
    """Connect until nobody else can: nobody ever accepts."""
    for _ in range(FILLERS):
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(server.getsockname())


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])
