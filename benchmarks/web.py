"""The web of the benchmarks: nginx with Lua where that is to be had, else Python; on loopback only."""

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

from .dead_ends import dead_ends
from .equipment import HERE, Equipment, lua_path
from .errors import BenchmarkError
from .links import Fate, Link
from .scenarios import SERVED

NGINX, PYTHON = "nginx with Lua", "Python"
PATIENCE = 10.0  # seconds until it must listen, or be gone
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
class Web:
    """The web, while it is up.

    Attributes
    ----------
    kind
        What it is made of; `NGINX` takes least from those who race.
    """

    kind: str
    port: int
    dead_ends: Mapping[Fate, int]

    def url(self, link: Link, run: str) -> str:
        """Spell the URL of a link in a run."""
        return f"http://{link.host}:{self.dead_ends.get(link.fate, self.port)}{link.path(run)}"


def hosts() -> list[str]:
    """Name all hosts that answer."""
    return [some.name.format(number) for some in SERVED for number in range(1, some.how_many + 1)]


def has_nginx(equipment: Equipment) -> bool:
    """Whether the better kind of web is to be had."""
    return "nginx" in equipment.programs and equipment.lua is not None


@contextlib.contextmanager
def serving(pictures: Path, folder: Path, equipment: Equipment) -> Iterator[Web]:
    """Serve a folder's pictures while entered; `folder` takes what the server writes."""
    _allow_many_files()
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    kind, port = (NGINX if has_nginx(equipment) else PYTHON), _free_port()
    make = _nginx if kind == NGINX else _plain
    command = make(pictures, folder, port, equipment)
    with dead_ends() as ports, _running(command, equipment, folder / "web.log") as process:
        _wait_for(port, process, folder / "web.log")
        yield Web(kind, port, ports)


def _nginx(pictures: Path, folder: Path, port: int, equipment: Equipment) -> list[str]:
    modules = [equipment.lua.with_name("ndk_http_module.so"), equipment.lua] if equipment.lua else []
    user = ["user root;"] if os.geteuid() == 0 else []  # else its workers could not read our folder
    text = CONFIGURATION.format(
        folder=folder,
        pictures=pictures,
        preamble="\n".join([*user, *(f"load_module {module};" for module in modules)]),
        lua_path=lua_path(),
        listens="\n        ".join(f"listen {host}:{port} backlog=4096;" for host in hosts()),
        program=HERE / "web.lua",
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    log = str(folder / "error.log")
    return [str(equipment.programs["nginx"]), "-p", str(folder), "-c", str(configuration), "-e", log]


def _plain(pictures: Path, _folder: Path, port: int, _equipment: Equipment) -> list[str]:
    return [sys.executable, "-m", "benchmarks.plain_web", str(pictures), str(port), *hosts()]


@contextlib.contextmanager
def _running(command: list[str], equipment: Equipment, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while entered."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (what we have just put together)
            command, cwd=HERE.parent, env=equipment.environment(), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until all hosts listen: a server may begin with any of them."""
    deadline = time.monotonic() + PATIENCE
    silent = hosts()
    while silent and time.monotonic() < deadline and process.poll() is None:
        if _listens(silent[-1], port):
            silent.pop()
        else:
            time.sleep(0.05)
    if silent:
        words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise BenchmarkError(f"The web does not start: {words[-1] if words else 'it says nothing'}.")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _allow_many_files() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
