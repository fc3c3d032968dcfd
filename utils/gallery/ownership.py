"""Which files in the result folder are ours to write over: those that say so near their beginning.

A page or a card that somebody made or changed is left as it is.
"""

from __future__ import annotations

from pathlib import Path

MARK = "Written anew by part-of-imagenet after every run; remove this line, and the file stays as it is."
"""Whoever wants to keep changes removes it."""
LOOKED_AT = 2_000
"""Bytes from the beginning."""


def is_ours(path: Path) -> bool:
    """Whether a file may be written: it is not there yet, or bears our mark.

    Raises
    ------
    OSError
        If it is there and cannot be read, e.g. because it is a folder.
    """
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(LOOKED_AT)
    except FileNotFoundError:
        return True
