"""A zip archive of the modules of `utils`, for workers on which the tool is not installed."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def packed() -> bytes:
    """Return the zip; equal code gives equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "utils").rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@functools.cache
def digest() -> str:
    """Return a name for the code, from its content."""
    return hashlib.sha256(packed()).hexdigest()[:16]
