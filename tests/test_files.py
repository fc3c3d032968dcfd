"""Opening, reading and writing files: regular files only, atomically."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import ROOT
from utils import files
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


NOT_A_FILE = {
    "link": (lambda path, target: path.symlink_to(target), "it is a symbolic link"),
    "dangling link": (lambda path, _target: path.symlink_to("missing"), "it is a symbolic link"),
    "link to a device": (lambda path, _target: path.symlink_to("/dev/zero"), "it is a symbolic link"),
    "pipe": (lambda path, _target: os.mkfifo(path), "it is a pipe or a device, not a file"),
    "folder": (lambda path, _target: path.mkdir(), "Is a directory"),
}
OPEN: dict[str, Callable[[Path], object]] = {
    "read": files.read_bytes,
    "read JSON": files.read_json,
    "append": lambda path: files.open_file(path, "ab").close(),
    "read and append": lambda path: files.append_lines(path, "header\n", ["line\n"]),
    "lock": lambda path: os.close(files.open_descriptor(path, os.O_RDWR | os.O_CREAT)),
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither pipes in folders nor O_NOFOLLOW")
@pytest.mark.parametrize("opened", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize(("kind", "message"), NOT_A_FILE.values(), ids=NOT_A_FILE)
def test_only_regular_files_are_opened(
    tmp_path: Path, kind: Callable[[Path, Path], None], message: str, opened: Callable[[Path], object]
) -> None:
    """Links are not followed, pipes not waited for, and nothing is created or changed behind them."""
    target, path = tmp_path / "precious", tmp_path / "path"
    target.write_bytes(b"1")
    kind(path, target)
    with pytest.raises(OSError, match=message) as caught:
        opened(path)
    assert caught.value.filename == str(path)
    assert not files.is_file(path)
    assert target.read_bytes() == b"1"
    assert names(tmp_path) == ["path", "precious"]


@pytest.mark.parametrize("opened", OPEN.values(), ids=OPEN)
def test_regular_files_are_opened(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    """Also if a folder on the way is a link."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder" / "path").write_bytes(b"1")
    opened(tmp_path / "link" / "path")
    assert files.is_file(tmp_path / "link" / "path")


@pytest.mark.parametrize("planted", ["path", ".path.part"])
def test_writing_replaces_links(tmp_path: Path, planted: str) -> None:
    """Of the name and of the temporary name."""
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / planted).symlink_to("precious")
    write_atomic(tmp_path / "path", b"data")
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert (tmp_path / "path").read_bytes() == b"data"
    assert not (tmp_path / "path").is_symlink()
    assert names(tmp_path) == ["path", "precious"]


def test_new_files_replace_nothing(tmp_path: Path) -> None:
    """Neither a file nor what a link leads to."""
    for name in ("file", "target"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "link").symlink_to("target")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            files.write_new(str(tmp_path / name), b"data")
        assert (tmp_path / name).read_bytes() == b"mine"


def test_linked_folder_is_refused(tmp_path: Path) -> None:
    """A folder is created once; a link to one is refused, and nothing is created behind it."""
    for _ in range(2):
        files.make_folder(tmp_path / "folder")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("missing")
    for name in ("link", "dangling"):
        with pytest.raises(OSError, match="it is a symbolic link"):
            files.make_folder(tmp_path / name)
    assert names(tmp_path) == ["dangling", "folder", "link"]


def test_too_large_file(tmp_path: Path) -> None:
    """It is not read into memory."""
    path = tmp_path / "path"
    path.write_bytes(b"1234")
    assert files.read_bytes(path, 4) == b"1234"
    with pytest.raises(OSError, match="File too large"):
        files.read_bytes(path, 3)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 200_000, b"1" * 5_000])
def test_invalid_json(tmp_path: Path, data: bytes) -> None:
    """It raises ValueError, whatever it is."""
    path = tmp_path / "path"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r".+"):
        files.read_json(path)
