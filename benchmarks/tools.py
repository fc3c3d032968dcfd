"""Finds or installs the other downloaders and the web server, without changing the system.

img2dataset is installed into a virtual environment of its own. Missing programs are unpacked from Debian
packages into the same folder. Programs that are not available are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".venv"
DEBIAN = FOLDER / "debian"
MARKER = FOLDER / "installed"
REQUIREMENT = HERE / "requirement.txt"
PACKAGES = {"curl": "curl", "aria2c": "aria2", "wget2": "wget2", "nginx": "nginx"}  # by program
LUA_MODULE = "ngx_http_lua_module.so"
LUA_PACKAGE = "libnginx-mod-http-lua"
MODULE_FOLDERS = (
    Path("/usr/lib/nginx/modules"),
    Path("/usr/lib64/nginx/modules"),
    DEBIAN / "usr" / "lib" / "nginx" / "modules",
)
SYSTEM_PROGRAMS = ("/usr/sbin", "/sbin")  # often not in PATH
IMG2DATASET = "img2dataset"
INSTALL_TIMEOUT = 900.0  # seconds


@dataclass(frozen=True)
class Tools:
    """The available programs.

    Attributes
    ----------
    programs
        Path by name.
    lua
        nginx's Lua module, or None.
    missing
        A sentence for each program that is not available.
    """

    programs: Mapping[str, Path]
    lua: Path | None
    missing: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """Return the environment of the programs: without proxies, with the unpacked libraries."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        folders = sorted({str(path.parent) for path in DEBIAN.rglob("*.so*")})
        libraries = [*folders, *filter(None, [kept.get("LD_LIBRARY_PATH", "")])]
        offline = {"NO_ALBUMENTATIONS_UPDATE": "1"}  # otherwise img2dataset looks for updates
        return kept | offline | ({"LD_LIBRARY_PATH": ":".join(libraries)} if folders else {})


def find(*, install: bool = True) -> Tools:
    """Find all programs; `install` installs the missing ones."""
    if install:
        _unpack_packages()
        _install_img2dataset()
    programs = {name: path for name in PACKAGES if (path := _program(name))}
    img2dataset = FOLDER / "bin" / IMG2DATASET
    if img2dataset.exists() and _is_installed():
        programs[IMG2DATASET] = img2dataset
    return Tools(programs, _lua(), tuple(_missing(programs)))


def lua_path() -> str:
    """Return nginx's search path for Lua; ";;" is the default path."""
    return f"{DEBIAN / 'usr' / 'share' / 'lua' / '5.1'}/?.lua;;"


def _missing(programs: Mapping[str, Path]) -> list[str]:
    absent = [name for name in (*PACKAGES, IMG2DATASET) if name not in programs]
    sentences = [f"{name} is not available: it is left out." for name in absent]
    if "nginx" not in absent and not _lua():
        sentences.append("nginx has no Lua module.")
    return sentences


def _program(name: str) -> Path | None:
    unpacked = [str(DEBIAN / "usr" / folder) for folder in ("bin", "sbin")]
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PROGRAMS, *unpacked])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _lua() -> Path | None:
    return next((path for folder in MODULE_FOLDERS if (path := folder / LUA_MODULE).exists()), None)


def _unpack_packages() -> None:
    """Unpack Debian packages of the missing programs, if apt-get and dpkg-deb are available."""
    wanted = [package for name, package in PACKAGES.items() if not _program(name)]
    wanted += [] if _lua() else [LUA_PACKAGE]
    if not wanted or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    print(f"Unpacking Debian packages: {', '.join(wanted)} ...", flush=True)
    archives = FOLDER / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _call("apt-get", "--quiet", "update")
    options = ("-o", "Debug::NoLocking=true", "-o", f"Dir::Cache::archives={archives}/")
    _call("apt-get", "--yes", "--no-install-recommends", "--download-only", *options, "install", *wanted)
    for archive in archives.glob("*.deb"):
        _call("dpkg-deb", "--extract", str(archive), str(DEBIAN))
    shutil.rmtree(archives)


def _install_img2dataset() -> None:
    if _is_installed():
        return
    print("Installing img2dataset into a virtual environment (800 MB) ...", flush=True)
    _call(sys.executable, "-m", "venv", str(FOLDER))
    pip = (str(FOLDER / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    if _call(*pip, "--requirement", str(REQUIREMENT)):
        MARKER.write_text(REQUIREMENT.read_text(encoding="utf-8"), encoding="utf-8")


def _is_installed() -> bool:
    return MARKER.exists() and MARKER.read_text(encoding="utf-8") == REQUIREMENT.read_text(encoding="utf-8")


def _call(*command: str) -> bool:
    """Run a command; print the last line of an error, and return whether it succeeded."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or f"{error}").strip().splitlines()
        print(f"{Path(command[0]).name}: {lines[-1] if lines else 'failed'}", flush=True)
        return False
    return True
