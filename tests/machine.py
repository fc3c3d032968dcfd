"""Changes to the machine that a run sees: mounts, system files, a name server."""

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
"""Each test process has its own address, because resolvers use port 53 only."""
A_RECORD, SERVER_FAILURE, NO_SUCH_NAME = 1, 2, 3


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a condition is true; fail after a timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.005)


def workers(parent: int) -> list[int]:
    """Return the process ids of a run's workers."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = []
    for pid in children:
        with contextlib.suppress(OSError):  # it has ended
            found += [int(pid)] if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes() else []
    return found


def process_group(leader: int) -> list[int]:
    """Return the ids of the running processes in the process group of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            found += [int(path.parent.name)] if int(group) == leader and state != "Z" else []
    return found


def with_mounts(commands: Sequence[str]) -> tuple[str, ...]:
    """Return the beginning of a command line that runs the rest in its own mount namespace."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    return ("unshare", "--mount", "sh", "-ec", "; ".join([*commands, 'exec "$0" "$@"']))


def with_files(files: Mapping[Path, Path]) -> tuple[str, ...]:
    """Return the beginning of a command line for which paths show other files."""
    return with_mounts(
        [f"mount --bind {shlex.quote(str(seen))} {shlex.quote(str(place))}" for place, seen in files.items()]
    )


def without_shared_memory(devices: Path) -> list[str]:
    """Return the commands for `with_mounts` that mount a folder, which is made, as /dev without /dev/shm."""
    devices.mkdir()
    names = ("null", "urandom")
    return [
        *(f"touch {devices}/{name}; mount --bind /dev/{name} {devices}/{name}" for name in names),
        f"mount --rbind {devices} /dev",
    ]


class NameServer:
    """A name server with scripted answers, which counts look-ups by name.

    A script has an address, SERVER_FAILURE or NO_SUCH_NAME for each look-up; the last is repeated.
    """

    def __init__(self, **scripts: Sequence[str | int]) -> None:
        self.lookups: Counter[str] = Counter()
        self._scripts = {name.replace("_", "."): deque(script) for name, script in scripts.items()}

    def __enter__(self) -> NameServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((NAME_SERVER, 53))
        except OSError:
            self._socket.close()
            pytest.skip("only root may use port 53")
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
        name, kind = _decode_name(query[12:end]), int.from_bytes(query[end + 1 : end + 3], "big")
        script = self._scripts.get(name, deque([NO_SUCH_NAME]))
        answer = script[0]
        if kind == A_RECORD:  # the query for IPv6 belongs to the same look-up
            self.lookups[name] += 1
            answer = script.popleft() if len(script) > 1 else script[0]
        address = isinstance(answer, str) and kind == A_RECORD
        code = 0 if isinstance(answer, str) else answer
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, int(address), 0, 0)
        body = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(str(answer)) if address else b""
        return head + query[12 : end + 5] + body


def _decode_name(labels: bytes) -> str:
    parts = []
    while labels:
        parts.append(labels[1 : 1 + labels[0]].decode())
        labels = labels[1 + labels[0] :]
    return ".".join(parts)


@contextlib.contextmanager
def with_name_server(folder: Path, server: NameServer) -> Iterator[tuple[str, ...]]:
    """Run a name server; yields the beginning of a command line that uses only this one."""
    config = folder / "resolv.conf"
    config.write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n")
    with server:
        yield with_files({Path(os.path.realpath("/etc/resolv.conf")): config})
