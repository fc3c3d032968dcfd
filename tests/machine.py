"""What tests do to the machine under a run: other files in place of the system's, a name server."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import struct
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

NAME_SERVER = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""An address of its own for each process that runs tests; resolvers know no other port than 53."""
A_RECORD, SERVER_FAILURE, NO_SUCH_NAME = 1, 2, 3


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to come true; it must."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def workers(parent: int) -> list[int]:
    """Find the worker processes of a run."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = []
    for pid in children:
        with contextlib.suppress(OSError):  # it has ended in between
            found += [int(pid)] if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes() else []
    return found


def group_of(leader: int) -> list[int]:
    """Find the living processes of a session's group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            found += [int(path.parent.name)] if int(group) == leader and state != "Z" else []
    return found


def mounting(commands: Sequence[str]) -> tuple[str, ...]:
    """Give the beginning of a command line that runs the rest with mounts which nobody else sees."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    return ("unshare", "--mount", "sh", "-ec", "; ".join([*commands, 'exec "$0" "$@"']))


def replacing(files: Mapping[Path, Path]) -> tuple[str, ...]:
    """Let a run see other files in the places of the system's: places and what is seen there."""
    return mounting(
        [f"mount --bind {shlex.quote(str(seen))} {shlex.quote(str(place))}" for place, seen in files.items()]
    )


class NameServer:
    """Answers what names resolve to, as scripted, and counts who was asked for.

    A script is a list of address, SERVER_FAILURE or NO_SUCH_NAME, for one look-up after the other; the last
    counts for ever.
    """

    def __init__(self, **scripts: Sequence[str | int]) -> None:
        self.asked: Counter[str] = Counter()
        self._scripts = {name.replace("_", "."): deque(script) for name, script in scripts.items()}

    def __enter__(self) -> NameServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((NAME_SERVER, 53))
        except OSError:
            self._socket.close()
            pytest.skip("only root may play a name server")
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                question, client = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), client)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12)
        name, kind = _spelled(query[12:end]), int.from_bytes(query[end + 1 : end + 3])
        script = self._scripts.get(name, deque([NO_SUCH_NAME]))
        told = script[0]
        if kind == A_RECORD:  # the one for IPv6 comes at the same time, and is the same look-up
            self.asked[name] += 1
            told = script.popleft() if len(script) > 1 else script[0]
        address = isinstance(told, str) and kind == A_RECORD
        code = 0 if isinstance(told, str) else told
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, int(address), 0, 0)
        body = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(str(told)) if address else b""
        return head + query[12 : end + 5] + body


def _spelled(labels: bytes) -> str:
    parts = []
    while labels:
        parts.append(labels[1 : 1 + labels[0]].decode())
        labels = labels[1 + labels[0] :]
    return ".".join(parts)


@contextlib.contextmanager
def asking(folder: Path, server: NameServer) -> Iterator[tuple[str, ...]]:
    """Run a name server; gives the beginning of a command line that asks no other."""
    config = folder / "resolv.conf"
    config.write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n")
    with server:
        yield replacing({Path(os.path.realpath("/etc/resolv.conf")): config})
