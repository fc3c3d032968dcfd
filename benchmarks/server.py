"""The web server of the benchmarks, on loopback: nginx with Lua, or Python if that is not available."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchmarkError
from .scenarios import HOSTS, SERVED, Behaviour, Link
from .tools import HERE, Tools, lua_path

NGINX, PYTHON = "nginx with Lua", "Python"
START_TIMEOUT = STOP_TIMEOUT = 10.0  # seconds
BACKLOG_CONNECTIONS = 4  # fill the backlog of a socket with listen(0)
BACKLOG_DELAY = 0.05  # seconds until they have filled it
CONFIGURATION = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{preamble}
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type image/jpeg;
    lua_package_path "{lua_path}";
    lua_shared_dict seen 16m;
    server {{
        {listens}
        set $pictures {pictures}/;
        location / {{ content_by_lua_file {program}; }}
        location /pictures/ {{ internal; alias {pictures}/; }}
        location /images/ {{ types {{ image/png png; }} alias {pictures}/; }}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A running web server.

    Attributes
    ----------
    kind
        `NGINX` or `PYTHON`; `NGINX` uses less CPU time.
    port
        The port of all hosts that respond.
    other_ports
        The ports of refused and blackholed connections.
    """

    kind: str
    port: int
    other_ports: Mapping[Behaviour, int]

    def url(self, link: Link, run: str) -> str:
        """Return the URL of a link in a run."""
        return f"http://{link.host}:{self.other_ports.get(link.behaviour, self.port)}{link.path(run)}"


def hosts() -> list[str]:
    """Return all hosts that respond."""
    return [name for group in SERVED for name in group.names()]


def has_nginx(tools: Tools) -> bool:
    """Whether nginx with Lua is available."""
    return "nginx" in tools.programs and tools.lua is not None


@contextlib.contextmanager
def serving(pictures: Path, folder: Path, tools: Tools) -> Iterator[Server]:
    """Serve a folder of pictures; `folder` is for the files of the server."""
    _raise_file_limit()
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    kind, port = (NGINX if has_nginx(tools) else PYTHON), _free_port()
    if kind == NGINX:
        command = _nginx(pictures, folder, port, tools)
    else:
        command = [sys.executable, "-m", "benchmarks.python_server", str(pictures), str(port), *hosts()]
    log = folder / "server.log"
    with unresponsive_ports() as ports, _running(command, tools, log) as process:
        _wait_until_started(port, process, log)
        yield Server(kind, port, ports)


def _nginx(pictures: Path, folder: Path, port: int, tools: Tools) -> list[str]:
    modules = [tools.lua.with_name("ndk_http_module.so"), tools.lua] if tools.lua else []
    user = ["user root;"] if os.geteuid() == 0 else []  # otherwise its workers cannot read the folder
    text = CONFIGURATION.format(
        folder=folder,
        pictures=pictures,
        preamble="\n".join([*user, *(f"load_module {module};" for module in modules)]),
        lua_path=lua_path(),
        listens="\n        ".join(f"listen {host}:{port} backlog=4096;" for host in hosts()),
        program=HERE / "server.lua",
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    log = str(folder / "error.log")
    return [str(tools.programs["nginx"]), "-p", str(folder), "-c", str(configuration), "-e", log]


@contextlib.contextmanager
def unresponsive_ports() -> Iterator[dict[Behaviour, int]]:
    """Reserve a port that refuses connections, and one that does not complete the handshake.

    The ports are the same on all hosts of a behaviour.
    """
    with contextlib.ExitStack() as stack:
        refusing = _bound_sockets(stack, Behaviour.REFUSED)  # no listen(): connections are refused
        blackholes = _bound_sockets(stack, Behaviour.BLACKHOLE)
        for blackhole in blackholes:
            blackhole.listen(0)
            for _ in range(BACKLOG_CONNECTIONS):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(blackhole.getsockname())
        time.sleep(BACKLOG_DELAY)
        yield {Behaviour.REFUSED: _port(refusing[0]), Behaviour.BLACKHOLE: _port(blackholes[0])}


def _bound_sockets(stack: contextlib.ExitStack, behaviour: Behaviour) -> list[socket.socket]:
    """Bind the same port on all hosts of a behaviour."""
    port, bound = 0, []
    for host in HOSTS[behaviour].names():
        bound.append(stack.enter_context(socket.socket()))
        bound[-1].bind((host, port))
        port = _port(bound[-1])
    return bound


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[str], tools: Tools, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; it is terminated at exit."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=HERE.parent, env=tools.environment(), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_started(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until all hosts accept connections."""
    deadline = time.monotonic() + START_TIMEOUT
    waiting = hosts()
    while waiting and time.monotonic() < deadline and process.poll() is None:
        if _accepts_connections(waiting[-1], port):
            waiting.pop()
        else:
            time.sleep(0.05)
    if waiting:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise BenchmarkError(f"The web server did not start: {lines[-1] if lines else 'no output'}")


def _accepts_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return _port(server)


def _raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
