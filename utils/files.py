"""Writes files: atomically, so that a file is complete or does not exist, or by appending lines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

PARTIAL_PREFIX, PARTIAL_SUFFIX = ".", ".part"
_BINARY = getattr(os, "O_BINARY", 0)  # without it, Windows converts line ends


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when it is complete; otherwise it is deleted.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
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


def append_lines(path: Path, header: str, lines: Iterable[str]) -> None:
    """Append lines to a text file that begins with a header; an incomplete last line is ended first.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            file.write(header.encode())
        else:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.write(b"\n")
        file.writelines(line.encode() for line in lines)


def write_new(path: str, data: bytes) -> os.stat_result:
    """Write a file that no other process reads yet, with few system calls; returns its status.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
    try:
        left = memoryview(data)
        while left:  # a nearly full disk takes only a part; the next call raises
            left = left[os.write(descriptor, left) :]
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
