"""Starting a script: signals while it loads, missing packages, old Python versions."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from utils import entrypoint
from utils.entrypoint import SIGNAL_EXITS

SCRIPTS = ("extract_images_as_per_tags.py", "download_imagenet_prerequisites.py")
LOADING = (
    "import sys, time\n"
    "from utils.entrypoint import run_main\n"
    "def main():\n"
    "    print('loading', flush=True)\n"
    "    try: time.sleep(2)\n"
    "    except BaseException: pass\n"
    "    print('loaded', flush=True); return 0\n"
    "sys.exit(run_main(main))\n"
)


def start(code: str) -> subprocess.Popen[str]:
    """Start Python code in the project's folder."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(main: str) -> tuple[int, str, str]:
    """Run a main function of one line; returns exit code, output and errors."""
    process = start(
        f"import sys\nfrom utils import entrypoint\ndef main(): {main}\nsys.exit(entrypoint.run_main(main))\n"
    )
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize("name", [name for name in SIGNAL_EXITS if hasattr(signal, name)])
def test_signal_while_loading(name: str) -> None:
    """A signal ends a script that is loading with its exit code, even if an import catches exceptions."""
    process = start(LOADING)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (SIGNAL_EXITS[name], "", "")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
@pytest.mark.parametrize("handlers", ["", "    from utils.cli.arguments import Signals; Signals()\n"])
def test_nohup(handlers: str) -> None:
    """Under `nohup` SIGHUP stays ignored, while the script loads and while it works."""
    code = LOADING.replace("def main():\n", f"def main():\n{handlers}").replace("sleep(2)", "sleep(0.3)")
    process = start(f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{code}")
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "loaded\n", "")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise ModuleNotFoundError('No module', name='pycurl')", "The package pycurl is missing. Install "),
        ("raise ImportError('another ssl\\nbackend')", "A package cannot be loaded (another ssl backend). "),
        (
            "raise ImportError('advice', name='numpy') from OSError('no such .so')",
            "The package numpy cannot be loaded (no such .so). ",
        ),
    ],
)
def test_import_error(statement: str, message: str) -> None:
    """The message names the package, the reason and the command that installs it."""
    code, _, err = run(statement)
    assert code == 2
    assert err.startswith(message)
    assert err.endswith("-r requirement.txt\n")
    assert err.count("\n") == 1


def test_old_python() -> None:
    """A Python that is too old gets one message before anything else is loaded."""
    process = start(
        "import sys\nfrom utils import entrypoint\nentrypoint.MINIMUM_PYTHON = (99, 1)\n"
        "def main(): raise ImportError('must not be loaded')\n"
        "sys.exit(entrypoint.run_main(main))\n"
    )
    out, err = process.communicate(timeout=20)
    present = ".".join(map(str, sys.version_info[:3]))
    message = f"Python 99.1 or newer is needed; this is {present}.\n"
    assert (process.returncode, out, err) == (2, "", message)
    minimum = ".".join(map(str, entrypoint.MINIMUM_PYTHON))
    assert f'requires-python = ">={minimum}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no working directory")
def test_removed_working_directory(tmp_path: Path) -> None:
    """Instead of a removed working directory, a script uses its new namesake or the project's folder."""
    removed = tmp_path / "removed"
    show = "import os; print(os.getcwd()); return 0"
    for recreate, folder in (("true", ROOT), (f"mkdir {removed}", removed)):
        removed.mkdir(exist_ok=True)
        code = f"from utils import entrypoint\ndef main(): {show}\nentrypoint.run_main(main)\n"
        commands = f'cd {removed}; rmdir {removed}; {recreate}; exec "$0" -c "$1"'
        process = subprocess.run(
            ["sh", "-c", commands, sys.executable, code],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (process.returncode, process.stdout) == (0, f"{folder}\n"), process.stderr
        assert process.stderr == (
            f"The working directory was removed. Relative paths now start at {folder}.\n"
        )


@pytest.mark.parametrize("script", SCRIPTS)
def test_safe_path(script: str, tmp_path: Path) -> None:
    """The scripts start without their folder in the module search path, from any directory."""
    process = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("name", [*SCRIPTS, "utils/__init__.py", "utils/entrypoint.py"])
def test_syntax_of_old_python(name: str) -> None:
    """Python 3.7 can parse these files, and they import nothing that it lacks."""
    text = (ROOT / name).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    assert "from __future__ import annotations" in text or name.endswith("__init__.py")
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "collections.abc", "pathlib", "types", "typing"}
