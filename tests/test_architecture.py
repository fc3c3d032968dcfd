"""The floors of the house, as `utils/__init__.py` draws them, and who keeps which outside library."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import utils

UTILS = Path(utils.__file__).parent
MODULES = sorted(path.stem for path in UTILS.glob("*.py") if path.stem != "__init__")
KEEPERS = {
    "PIL": {"images"},
    "certifi": {"transfer"},
    "multiprocessing": {"pool", "worker_process"},
    "pandas": {"report"},
    "pycurl": {"fetch", "transfer", "curl_reasons", "redirects"},
    "requests": {"web_file", "web_session"},
    "simplejpeg": {"images"},
    "speedtest": {"speed"},
    "tqdm": {"screen"},
    "urllib3": {"web_file", "web_session"},
    "xml": {"voc"},
}


def floors() -> dict[str, int]:
    """Read the floor of every module off the table: "names: what they do; names: ..." behind each number."""
    found: dict[str, int] = {}
    table = (utils.__doc__ or "").split("=====\n")[-2].rpartition("\n")[0]
    for floor, text in re.findall(r"^(\d+) +(.*?)(?=^\d|\Z)", table, flags=re.MULTILINE | re.DOTALL):
        for clause in text.split(";"):
            names = clause.partition(":")[0].split(",")
            found.update({name.strip(): int(floor) for name in names})
    return found


def imports(module: str) -> Iterator[str]:
    """Give what a module imports: "." before our own."""
    for node in ast.walk(ast.parse((UTILS / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield from [f".{node.module}"] if node.module else [f".{name.name}" for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_every_module_has_its_floor() -> None:
    """The table names every module, and none that is not there."""
    assert sorted(floors()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """A module imports from floors strictly below its own."""
    at = floors()
    above = {name[1:] for name in imports(module) if name.startswith(".") and at[name[1:]] >= at[module]}
    assert not above, f"{module} (floor {at[module]}) imports {above}"


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
    waiting = ["worker_process"]
    while waiting:
        for name in imports(waiting.pop()):
            if name not in seen:
                seen.add(name)
                waiting += [name[1:]] if name.startswith(".") else []
    assert not seen & {"pandas", "requests", "tqdm", "speedtest"}


def test_files_are_short() -> None:
    """No file of the house is longer than can be read in one go."""
    lengths = {module: len((UTILS / f"{module}.py").read_text().splitlines()) for module in MODULES}
    assert {module: lines for module, lines in lengths.items() if lines > 300 and module != "models"} == {}
