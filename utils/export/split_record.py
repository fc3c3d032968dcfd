"""The record of splits: the side of each image in earlier exports, for each seed.

It is a file in the result folder to which each export appends; the last line of an image is valid. An export
with `--val_fraction 0` is not recorded, because it has no split. If there is no record for a seed, as in
folders of the first version, it begins with the exports that still exist.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import wrap_os_errors
from ..files import append_lines, open_file, read_json
from . import tables
from .dataset import MARKER, Split

HEADER = "seed,sha256,split\n"
_LINE = re.compile(rb"([0-9]{1,20}),([0-9a-f]{64}),(train|val)\r?\n")


def read(path: Path, seed: int, exports: Iterable[Path]) -> dict[str, Split]:
    """Read the sides of images for a seed, by checksum.

    Parameters
    ----------
    exports
        The folders of exports, which are read if there is no record for the seed.

    Raises
    ------
    DiskError, FolderError
        If the record exists and cannot be read.
    """
    recorded: dict[str, Split] = {}
    with wrap_os_errors(path), contextlib.suppress(FileNotFoundError), open_file(path) as file:
        for line in file:
            if (found := _LINE.fullmatch(line)) and int(found[1]) == seed:
                recorded[found[2].decode()] = Split(found[3].decode())
    if not recorded:
        for folder in exports:
            recorded |= _read_export(folder, seed)
        if recorded:
            append(path, seed, recorded)
    return recorded


def append(path: Path, seed: int, sides: Mapping[str, Split]) -> None:
    """Record the sides of images, by checksum.

    Raises
    ------
    DiskError, FolderError
        If the record cannot be written.
    """
    lines = (f"{seed},{checksum},{side.value}\n" for checksum, side in sides.items())
    with wrap_os_errors(path):
        append_lines(path, HEADER, lines)


def _read_export(folder: Path, seed: int) -> dict[str, Split]:
    """Read the table of an export with this seed; a folder that is no export, or damaged, has no images."""
    try:
        options = read_json(folder / MARKER)["options"]
        if options["seed"] != seed or not options["val_fraction"]:
            return {}
        with io.TextIOWrapper(open_file(folder / tables.IMAGES), encoding="utf-8", newline="") as file:
            return {row["sha256"]: Split(row["split"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
