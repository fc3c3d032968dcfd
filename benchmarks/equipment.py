"""Gets the other downloaders, and the web server, without touching the system.

img2dataset is installed into an environment of its own. Programs that are not there come from Debian's
packages, unpacked into the same folder. What cannot be had is named, and done without.
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
REQUIREMENT = HERE / "requirement.txt"
PACKAGES = {"curl": "curl", "aria2c": "aria2", "wget2": "wget2", "nginx": "nginx"}  # by the program in them
LUA_MODULE = "ngx_http_lua_module.so"
LUA_PACKAGE = "libnginx-mod-http-lua"
SYSTEM_MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"))
SYSTEM_PROGRAMS = ("/usr/sbin", "/sbin")  # not on everybody's PATH
IMG2DATASET = "img2dataset"
PATIENCE = 900.0  # seconds for an installation


@dataclass(frozen=True)
class Equipment:
    """What was found or installed.

    Attributes
    ----------
    programs
        By name; what is missing is not in it.
    lua
        nginx's module, if there is one.
    missing
        A sentence for everything that cannot be had.
    """

    programs: Mapping[str, Path]
    lua: Path | None
    missing: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """Give the environment in which the programs run: without proxies, and with unpacked libraries."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        folders = sorted({str(path.parent) for path in _debian().rglob("*.so*")})
        libraries = [*folders, *filter(None, [kept.get("LD_LIBRARY_PATH", "")])]
        quiet = {"NO_ALBUMENTATIONS_UPDATE": "1"}  # else img2dataset asks the internet for news
        return kept | quiet | ({"LD_LIBRARY_PATH": ":".join(libraries)} if folders else {})


def get(*, install: bool = True) -> Equipment:
    """Find everything, and install what is not there unless told otherwise."""
    if install:
        _unpack_packages()
        _install_img2dataset()
    programs = {name: path for name in PACKAGES if (path := _program(name))}
    peer = FOLDER / "bin" / IMG2DATASET
    if peer.exists() and _is_installed():
        programs[IMG2DATASET] = peer
    return Equipment(programs, _lua(), tuple(_missing(programs)))


def lua_path() -> str:
    """Say where nginx finds what its Lua module is made of; ";;" is where it looks by itself."""
    share = _debian() / "usr" / "share" / "lua" / "5.1"
    return f"{share}/?.lua;;"


def _missing(programs: Mapping[str, Path]) -> list[str]:
    absent = [name for name in (*PACKAGES, IMG2DATASET) if name not in programs]
    sentences = [f"{name} is neither installed nor to be had here: it is left out." for name in absent]
    if "nginx" not in absent and not _lua():
        sentences.append("nginx has no Lua here.")
    return sentences


def _debian() -> Path:
    return FOLDER / "debian"


def _program(name: str) -> Path | None:
    unpacked = [str(_debian() / "usr" / folder) for folder in ("bin", "sbin")]
    places = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PROGRAMS, *unpacked])
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def _lua() -> Path | None:
    folders = (*SYSTEM_MODULES, _debian() / "usr" / "lib" / "nginx" / "modules")
    return next((folder / LUA_MODULE for folder in folders if (folder / LUA_MODULE).exists()), None)


def _unpack_packages() -> None:
    """Unpack the packages of programs that are not there; a machine that has no apt-get goes without."""
    wanted = [package for name, package in PACKAGES.items() if not _program(name)]
    wanted += [] if _lua() else [LUA_PACKAGE]
    if not wanted or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    print(f"Getting {', '.join(wanted)} from Debian's packages ...", flush=True)
    archives = FOLDER / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _call("apt-get", "--quiet", "update")
    bounds = ("-o", "Debug::NoLocking=true", "-o", f"Dir::Cache::archives={archives}/")
    _call("apt-get", "--yes", "--no-install-recommends", "--download-only", *bounds, "install", *wanted)
    for archive in archives.glob("*.deb"):
        _call("dpkg-deb", "--extract", str(archive), str(_debian()))
    shutil.rmtree(archives)


def _install_img2dataset() -> None:
    if _is_installed():
        return
    print("Installing img2dataset into an environment of its own; it brings 800 MB ...", flush=True)
    _call(sys.executable, "-m", "venv", str(FOLDER))
    pip = (str(FOLDER / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    if _call(*pip, "--requirement", str(REQUIREMENT)):
        _marker().write_text(REQUIREMENT.read_text(encoding="utf-8"), encoding="utf-8")


def _is_installed() -> bool:
    marker = _marker()
    return marker.exists() and marker.read_text(encoding="utf-8") == REQUIREMENT.read_text(encoding="utf-8")


def _marker() -> Path:
    return FOLDER / "installed"


def _call(*command: str) -> bool:
    """Run a command; if it fails, say so in a line and go on."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or f"{error}").strip().splitlines()
        print(f"{Path(command[0]).name}: {words[-1] if words else 'failed'}", flush=True)
        return False
    return True
