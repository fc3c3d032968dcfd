"""Opens, reads and writes the files of this tool.

They are regular files. A symbolic link, a pipe or a device with the name of one is not opened: it could lead
to a file of another user, or block forever. The folders on the way to a file may be links.

Files are written atomically, so that a file is complete or does not exist, or by appending lines.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

PARTIAL_PREFIX, PARTIAL_SUFFIX = ".", ".part"
MAX_BYTES = 1 << 28
"""Bytes of a file that is read at once; the largest ones, of large datasets, have some ten MB."""
IS_LINK = "it is a symbolic link"
_BINARY = getattr(os, "O_BINARY", 0)  # without it, Windows converts line ends
_FLAGS = _BINARY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
_REASONS = {
    errno.ELOOP: IS_LINK,
    errno.EMLINK: IS_LINK,  # of O_NOFOLLOW on BSD
    errno.ENXIO: "it is a pipe or a device, not a file",
}


def open_descriptor(path: str | Path, flags: int) -> int:
    """Open a regular file, like `os.open`; can be the opener of `open`.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    """
    try:
        descriptor = os.open(path, flags | _FLAGS, 0o666)
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            os.close(descriptor)
            code = errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO
            raise OSError(code, os.strerror(code), os.fspath(path))  # noqa: TRY301  # handled as that of `open`
    except OSError as error:
        if error.errno in _REASONS:
            raise OSError(error.errno, _REASONS[error.errno], error.filename) from error
        raise
    return descriptor


def open_file(path: Path, mode: Literal["rb", "rb+", "ab", "ab+"] = "rb") -> BinaryIO:
    """Open a regular file; raises OSError as `open_descriptor` does."""
    return open(path, mode, opener=open_descriptor)  # `Path.open` has no opener


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a regular file.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file or too large.
    """
    with open_file(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_bytes(path))
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def is_file(path: Path) -> bool:
    """Whether there is a regular file, not a link to one; raises OSError if that cannot be found out."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def refuse_link(folder: Path) -> None:
    """Raise OSError if a folder is a link, behind which a run could remove other files."""
    if folder.is_symlink():
        raise OSError(errno.ELOOP, IS_LINK, os.fspath(folder))


def make_folder(folder: Path) -> None:
    """Create a folder if it does not exist.

    Raises
    ------
    OSError
        If it cannot be created, or is a link.
    """
    refuse_link(folder)
    folder.mkdir(parents=True, exist_ok=True)


def create_file(path: Path, buffering: int = -1) -> BinaryIO:
    """Open a new file for writing in place of a file or link with this name; raises OSError if that fails."""
    path.unlink(missing_ok=True)
    return path.open("xb", buffering)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when it is complete; otherwise it is deleted.

    A link with this name is replaced, not followed.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}{PARTIAL_SUFFIX}")
    try:
        with create_file(partial) as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, then rename it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with atomic_file(path) as file:
        file.write(data)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table as CSV in UTF-8 with commas, atomically.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with atomic_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def append_lines(path: Path, header: str, lines: Iterable[str]) -> None:
    """Append lines to a text file that begins with a header; an incomplete last line is ended first.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with open_file(path, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            file.write(header.encode())
        else:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.write(b"\n")
        file.writelines(line.encode() for line in lines)


def write_new(path: str, data: bytes) -> os.stat_result:
    """Write a file that does not exist and no other process reads yet; returns its status.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
    try:
        left = memoryview(data)
        while left:  # a nearly full disk takes only a part; the next call raises
            left = left[os.write(descriptor, left) :]
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
