"""Addresses without a scheduler, and the scheduler of `--scheduler local`, which requires keys."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Web
from tests.machine import with_mounts, without_shared_memory
from tests.project import ROOT, Project
from utils.cluster.connection import LOCAL_FAILED, MISSING_TLS, TIMEOUT

RED = "n00000001"
Server = Callable[[socket.socket], None]


def message(content: object) -> bytes:
    """Encode a message as Dask does."""
    from distributed.protocol import dumps  # takes long, so not when tests are collected
    from distributed.protocol.utils import pack_frames

    frames = pack_frames(dumps(content))
    return struct.pack("<Q", len(frames)) + frames


HANDSHAKE = {"compression": None, "python": list(sys.version_info[:3]), "pickle-protocol": 5}


def wait_for_end(connection: socket.socket) -> None:
    """Read until the other side closes the connection."""
    while connection.recv(65_536):
        pass


def sends(*parts: object) -> Server:
    """Return a server that sends these bytes and messages, and then nothing."""

    def serve(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part if isinstance(part, bytes) else message(part))
        wait_for_end(connection)

    return serve


NONSENSE: dict[str, Server] = {
    "HTTP": sends(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "an alert of TLS": sends(b"\x15\x03\x01\x00\x02\x02\x46"),
    "zeros": sends(bytes(1000)),
    "an odd message": sends(HANDSHAKE, {"op": "odd"}, ["odd", 7]),
    "HTTP after the handshake": sends(HANDSHAKE, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a worker": sends(HANDSHAKE, {"type": "Worker", "id": 1}),
    "silence": wait_for_end,
    "the end": lambda _connection: None,
}


@contextlib.contextmanager
def serving(serve: Server) -> Iterator[str]:
    """Serve connections on a port, and give its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listening:
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def red(project: Project, web: Web) -> Project:
    """Make a project with one URL."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    return project


@pytest.mark.parametrize("serve", NONSENSE.values(), ids=NONSENSE)
def test_nonsense(red: Project, serve: Server) -> None:
    """Whatever answers at the address: a sentence within seconds, and no request."""
    with serving(serve) as address:
        finished = red.run("--scheduler", address, timeout=60)
    assert finished.code == 2
    assert finished.err.startswith(f"--scheduler {address} cannot be reached (")
    assert finished.err.count("\n") == 1
    assert finished.seconds < 4 * TIMEOUT
    assert red.folders() == set()


CONNECT = """
import sys
from pathlib import Path
from distributed import Client
from distributed.security import Security
from utils.cluster.connection import LOCAL, DaskConnection
from utils.errors import InputError

if __name__ == "__main__":
    scratch = Path(sys.argv[1])
    connection = DaskConnection(LOCAL, cores=1, scratch=scratch)
    addresses = [connection.client.scheduler.address, *connection.client.nthreads()]
    for address in addresses:
        print(address.partition(":")[0])
        for other in (address, address.replace("tls:", "tcp:")):
            try:
                DaskConnection(other, cores=1, scratch=scratch)
            except InputError:
                print("refused")
        try:
            Client(address, security=Security.temporary(), timeout=2, set_as_default=False)
        except OSError:
            print("refused")
    print(connection.client.submit(lambda: 6 * 7).result(30))
    connection.close()
"""


def test_local_scheduler_has_keys(tmp_path: Path) -> None:
    """Connections to the scheduler and its workers require its keys; with them, tasks run."""
    script = tmp_path / "connect.py"
    script.write_text(CONNECT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.split() == [*["tls", "refused", "refused", "refused"] * 2, "42"], done.stderr


def test_without_cryptography(red: Project, tmp_path: Path) -> None:
    """The error says what to install."""
    (tmp_path / "lacks" / "cryptography").mkdir(parents=True)
    (tmp_path / "lacks" / "cryptography" / "__init__.py").write_text("raise ImportError\n")
    finished = red.run("--scheduler", "local", prefix=("env", f"PYTHONPATH={tmp_path / 'lacks'}"))
    assert (finished.code, finished.err) == (2, f"{MISSING_TLS}\n")
    assert red.folders() == set()


def test_no_shared_memory(red: Project, tmp_path: Path) -> None:
    """Without /dev/shm Dask can start no workers; the message says what works there."""
    finished = red.run(
        "--scheduler", "local", prefix=with_mounts(without_shared_memory(tmp_path / "devices"))
    )
    assert finished.code == 2
    assert finished.err.startswith(LOCAL_FAILED)
    assert "Leave out --scheduler" in finished.err
    assert finished.err.count("\n") == 1
