"""Atomic writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.files import atomic_file, write_atomic


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_complete_file(tmp_path: Path) -> None:
    """A file is complete under its name, and no other file is left."""
    path = tmp_path / "a.jpg"
    for data in (b"first", b"", b"second" * 10_000):
        write_atomic(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["a.jpg"]


def fail_while_writing(path: Path, error: BaseException) -> None:
    """Raise an error after a part of a file has been written; the part does not have the file's name."""
    before = path.exists()
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        assert path.exists() is before
        raise error


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError()])
def test_error_while_writing(tmp_path: Path, error: BaseException) -> None:
    """After an error the old content is unchanged, and no other file is left."""
    path = tmp_path / "a.jpg"
    for before in ([], ["a.jpg"]):
        with pytest.raises(type(error)):
            fail_while_writing(path, error)
        assert names(tmp_path) == before
        path.write_bytes(b"old")
    assert path.read_bytes() == b"old"


def test_file_size_limit(tmp_path: Path) -> None:
    """If the system refuses further bytes, no file is left."""
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from utils.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(Path(sys.argv[1]), bytes(5000))\n"
        "except OSError as error: print(error.strerror)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "File too large\n"
    assert names(tmp_path) == []


def test_invalid_paths(tmp_path: Path) -> None:
    """A missing folder, a file in place of a folder and a name that is too long raise OSError."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing" / "a", tmp_path / "file" / "a", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match="o"):
            write_atomic(path, b"data")
    assert names(tmp_path) == ["file"]
