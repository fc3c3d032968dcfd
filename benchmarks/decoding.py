"""Measures strict JPEG decoding alone: the part of the work that no checking downloader can save."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from pathlib import Path

from .downloaders import PROCESSES
from .pictures import picture_file

CHUNK = 50  # pictures that a process takes at once


def seconds(pictures: Path, count: int) -> float:
    """Return the seconds in which `PROCESSES` processes read, hash and decode so many pictures.

    Starting the processes and loading the decoder is not included.
    """
    files = [picture_file(pictures, number) for number in range(count)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(_decode, files[:PROCESSES], chunksize=1)
        start = time.monotonic()
        pool.map(_decode, files, chunksize=CHUNK)
        return time.monotonic() - start


def _decode(file: Path) -> str:
    import simplejpeg

    data = file.read_bytes()
    simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
    return hashlib.sha256(data).hexdigest()
