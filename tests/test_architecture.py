"""The floors of the house, as `utils` and its packages draw them, and who keeps which outside library."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import utils

UTILS = Path(utils.__file__).parent
PACKAGES = sorted(path.parent.name for path in UTILS.glob("*/__init__.py"))
MODULES = sorted(
    ".".join(path.relative_to(UTILS).with_suffix("").parts)
    for path in UTILS.rglob("*.py")
    if path.name != "__init__.py"
)
GROUND = [module for module in MODULES if "." not in module]
KEEPERS = {
    "cloudpickle": {"cluster.dask_workers"},
    "distributed": {"cluster.dask_scheduler", "cluster.dask_workers", "cluster.errand"},
    "PIL": {"judging.images", "exports.pictures"},
    "certifi": {"web.transfer"},
    "multiprocessing": {"run.pool", "run.worker_process"},
    "numpy": {"exports.near", "exports.pictures"},
    "pandas": {"exports.contents"},
    "psutil": {"cluster.dask_scheduler"},
    "pycurl": {"web.fetch", "web.transfer", "web.curl_reasons", "web.redirects"},
    "requests": {"downloads.web_file", "downloads.web_session"},
    "simplejpeg": {"judging.images"},
    "speedtest": {"web.speed"},
    "tqdm": {"commands.screen"},
    "urllib3": {"downloads.web_file", "downloads.web_session"},
    "xml": {"annotations.voc"},
}


def floors() -> dict[str, int]:
    """Read the floor of every package, and of every module on the ground, off the table in `utils`."""
    rows = re.findall(r"^(\d+) +([\w, ]+?)(?:  +\S.*)?$", utils.__doc__ or "", flags=re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in names.split(", ")}


def rooms(package: str) -> list[str]:
    """Read the modules of a package off its docstring, from the top down."""
    text = ast.get_docstring(ast.parse((UTILS / package / "__init__.py").read_text(encoding="utf-8"))) or ""
    return re.findall(r"^    (\w+)  +\S.*$", text, flags=re.MULTILINE)


def home(module: str) -> str:
    """Name the package of a module; one on the ground stands for itself."""
    return module.partition(".")[0]


def path_of(module: str) -> Path:
    """Say where a module's source is."""
    return UTILS / f"{module.replace('.', '/')}.py"


def imports(module: str) -> Iterator[str]:
    """Give what a module imports: our own modules with "." before them, as in ".web.fetch"."""
    for node in ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            above = module.split(".")[: -node.level]
            base = [*above, *(node.module or "").split(".")] if node.module else above
            inside = path_of(".".join(base)).exists()
            found = [base] if inside else [[*base, name.name] for name in node.names]
            yield from ("." + ".".join(parts) for parts in found)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def ours(module: str) -> set[str]:
    """Give the modules of the house that a module imports."""
    return {name[1:] for name in imports(module) if name.startswith(".")}


def test_every_package_has_its_floor() -> None:
    """The table names every package and every module on the ground, and none that is not there."""
    assert sorted(floors()) == sorted([*PACKAGES, *GROUND])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_named(package: str) -> None:
    """A package's docstring names each of its modules once."""
    assert sorted(rooms(package)) == sorted(m.partition(".")[2] for m in MODULES if home(m) == package)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """A module imports from packages on lower floors, and in its own from modules that are named below it."""
    floor, package = floors(), home(module)
    order = [f"{package}.{name}" for name in rooms(package)] if package in PACKAGES else []
    below = set(order[order.index(module) + 1 :]) if order else set()
    allowed = {other for other in MODULES if floor[home(other)] < floor[package]} | below
    assert ours(module) <= allowed


@pytest.mark.parametrize("module", MODULES)
def test_libraries_have_keepers(module: str) -> None:
    """Each outside library is imported by its keeper alone."""
    outside = {name for name in imports(module) if name in KEEPERS or name not in sys.stdlib_module_names}
    foreign = {
        name for name in outside if not name.startswith(".") and module not in KEEPERS.get(name, set())
    }
    assert not foreign


def test_workers_load_little() -> None:
    """A worker process loads neither pandas nor requests nor tqdm: it would start late."""
    seen: set[str] = set()
    waiting = ["run.worker_process"]
    while waiting:
        for name in imports(waiting.pop()):
            if name not in seen:
                seen.add(name)
                waiting += [name[1:]] if name.startswith(".") else []
    assert not seen & {"pandas", "requests", "tqdm", "speedtest"}
    assert ".judging.images" in seen


def test_files_are_short() -> None:
    """No file of the house is longer than can be read in one go."""
    lengths = {module: len(path_of(module).read_text().splitlines()) for module in MODULES}
    assert {module: lines for module, lines in lengths.items() if lines > 300} == {}
