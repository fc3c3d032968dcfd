"""Files are there whole or not at all, and a result folder belongs to one run at a time."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils.errors import FolderError, FolderInUseError, InputError
from utils.files import atomic_file, write_atomic
from utils.models.images import ImageFormat
from utils.results.paths import LOCK_NAME, CategoryFolder, FolderLock, result_folder

PROJECT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from utils.results.paths import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(30)
"""


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock of a folder."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """Under its name, with nothing beside it."""
    path = tmp_path / "a.jpg"
    for data in (b"first", b"", b"second" * 10_000):
        write_atomic(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["a.jpg"]


def break_off(path: Path, error: BaseException) -> None:
    """Stop in the midst of writing; the half file is not to be seen under its name."""
    before = path.exists()
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        assert path.exists() is before
        raise error


@pytest.mark.parametrize("error", [OSError("no more room"), KeyboardInterrupt(), ValueError()])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    """Whatever broke the writing off; what was there before stays."""
    path = tmp_path / "a.jpg"
    for before in ([], ["a.jpg"]):
        with pytest.raises(type(error)):
            break_off(path, error)
        assert path.exists() is bool(before)
        assert names(tmp_path) == before
        path.write_bytes(b"old")
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """The real thing: a file may grow no further."""
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from utils.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(Path(sys.argv[1]), bytes(5000))\n"
        "except OSError as error: print(error.strerror)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "File too large\n"
    assert names(tmp_path) == []


def test_where_nothing_can_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder that is missing, a file where a folder should be, a name that is too long."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing" / "a", tmp_path / "file" / "a", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match="o"):
            write_atomic(path, b"data")
    assert names(tmp_path) == ["file"]


def test_a_categorys_files_lie_where_promised(tmp_path: Path) -> None:
    """And are spelled with slashes."""
    folder = CategoryFolder(tmp_path / "hinny")
    folder.make()
    folder.make()
    assert names(folder.path) == ["Annotation", "Images"]
    image = folder.image("n02390258_1", ImageFormat.JPEG)
    assert folder.relative(image) == "Images/n02390258_1.jpg"
    assert folder.relative(folder.annotation("n02390258_1")) == "Annotation/n02390258_1.xml"
    assert folder.relative(folder.report) == "hinny_download_report.csv"


def test_folders_that_cannot_be_made_stop_their_category(tmp_path: Path) -> None:
    """With a sentence that names them."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot work with .*/file/hinny: Not a directory\."):
        CategoryFolder(tmp_path / "file" / "hinny").make()
    (tmp_path / "hinny").mkdir()
    (tmp_path / "hinny" / "Annotation").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot work with .*/hinny/Annotation: File exists\."):
        CategoryFolder(tmp_path / "hinny").make()
    with pytest.raises(InputError, match=r"--save_dir .*Give another folder\."):
        result_folder(tmp_path / "file")


def test_partial_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    """And nothing else, however similar its name."""
    folder = CategoryFolder(tmp_path / "hinny")
    folder.make()
    ours = [folder.images / ".a.jpg.part", folder.annotations / ".a.xml.part", folder.path / ".r.csv.part"]
    others = [folder.images / "a.jpg", folder.images / "a.part", folder.images / ".hidden", folder.journal]
    for path in ours + others:
        path.write_bytes(b"x")
    folder.remove_partials()
    assert [path.exists() for path in ours + others] == [False] * 3 + [True] * 4


def test_the_result_folder_is_made(tmp_path: Path) -> None:
    """With those above it; one that is there already is fine."""
    for _ in range(2):
        assert result_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "partial_imagenet"
    assert (tmp_path / "a" / "b" / "partial_imagenet").is_dir()


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    """While the first one is at work, from the same process or another; after it there is no trace."""
    in_use = pytest.raises(FolderInUseError, match="Another run is using")
    with FolderLock(tmp_path), in_use, FolderLock(tmp_path):
        pass
    assert names(tmp_path) == []
    with held_elsewhere(tmp_path), pytest.raises(FolderInUseError), FolderLock(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="Windows' locks are others")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on, and it is said once that nothing keeps a second one out; no file is left."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)  # as Lustre does without -o flock, and NFS without lockd
    for _ in range(2):
        with FolderLock(tmp_path):
            assert names(tmp_path) == [LOCK_NAME]
        assert names(tmp_path) == []
    (record,) = caplog.records
    assert f"{tmp_path} has no locks ({os.strerror(code)})" in record.getMessage()


def test_a_killed_runs_lock_is_free(tmp_path: Path) -> None:
    """Though its file is still there."""
    with held_elsewhere(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names(tmp_path) == [LOCK_NAME]
        with FolderLock(tmp_path):
            assert names(tmp_path) == [LOCK_NAME]
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_locked_is_an_input_error(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(InputError, match="cannot be written to"), FolderLock(tmp_path / "missing"):
        pass


def _compete(folder: Path, rounds: int) -> None:
    """Take the lock again and again; whoever holds it finds nobody else inside."""
    inside = folder / "inside"
    entered = 0
    deadline = time.monotonic() + 20
    while entered < rounds and time.monotonic() < deadline:
        with contextlib.suppress(FolderInUseError), FolderLock(folder):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            inside.unlink()
            entered += 1
    os._exit(0 if entered == rounds else 1)


def test_removing_the_lock_never_lets_two_in(tmp_path: Path) -> None:
    """Runs that end remove the lock's file while others just open it."""
    context = multiprocessing.get_context("spawn")
    rivals = [context.Process(target=_compete, args=(tmp_path, 300)) for _ in range(3)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0, 0, 0]
    assert names(tmp_path) == []
