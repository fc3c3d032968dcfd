"""Atomic writes: a file appears whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PARTIAL_PREFIX, PARTIAL_SUFFIX = ".", ".part"
_OUR_SUFFIX = f".{os.urandom(4).hex()}{PARTIAL_SUFFIX}"
"""How partial files end where several processes may be writing the same file, on whichever machines."""
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write line ends of its own


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when all is written; else nothing is left behind.

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


def write_atomic(path: Path, data: bytes, *, shared: bool = False) -> os.stat_result:
    """Write a file so that it is there whole under its name, or not at all; returns its stat.

    What `atomic_file` does, by as few calls of the system as there can be: it is done for every image.

    Parameters
    ----------
    shared
        Whether others may be writing the same file; whoever cleans its folder removes what they leave.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder, name = os.path.split(path)
    suffix = _OUR_SUFFIX if shared else PARTIAL_SUFFIX
    partial = os.path.join(folder, f"{PARTIAL_PREFIX}{name}{suffix}")  # noqa: PTH118  # quicker
    try:
        status = _write_new(partial, data)
        os.replace(partial, path)  # noqa: PTH105
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return status


def _write_new(path: str, data: bytes) -> os.stat_result:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
    try:
        left = memoryview(data)
        while left:  # a nearly full disk takes a part; the rest then says why
            left = left[os.write(descriptor, left) :]
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
