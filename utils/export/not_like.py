"""Finds images that look like images in other folders, e.g. those of an evaluation set."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import InputError, wrap_os_errors
from ..models.images import EXTENSIONS
from . import image_hash
from .dataset import Similar
from .fingerprints import ImageHash
from .near_duplicates import nearest


def image_files(folders: Iterable[Path]) -> list[Path]:
    """List the image files in folders and all folders below them; links are followed.

    Raises
    ------
    InputError
        If a folder does not exist, cannot be read, or has no image files.
    """
    found = []
    for folder in folders:
        files = sorted(_walk(folder))
        if not files:
            raise InputError(f"--not_like {folder} has no images. Give a folder of image files.")
        found += files
    return found


def find_similar(
    folders: Iterable[Path], hashes: Mapping[str, ImageHash], print_line: Callable[[str], None]
) -> dict[str, Similar]:
    """Find the images that are near-duplicates of image files in folders, each with the most similar one.

    Parameters
    ----------
    hashes
        By the checksum of each image.
    print_line
        Called with a message, because this takes a while, and about images that cannot be compared.

    Returns
    -------
    dict of str to Similar
        By checksum.

    Raises
    ------
    InputError
        As `image_files`.
    DiskError, FolderError
        If a file cannot be read.
    """
    paths = image_files(folders)
    print_line(f"Hashing {len(paths):,} images of --not_like ...")
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, about odd metadata
        files = list(pool.map(_read, paths))
    by_checksum = {checksum: path for path, checksum, _ in files}
    known = [(one, path) for path, _, one in files if one is not None]
    if flat := len(files) - len(known):
        print_line(f"Flat or not decodable: {flat:,} of them. Only identical files are left out for these.")
    ours = {checksum: one.hash for checksum, one in hashes.items() if one.hash is not None}
    found = nearest(list(ours.values()), [one for one, _ in known])
    checksums = list(ours)
    similar = {checksums[index]: Similar(known[other][1], bits) for index, (other, bits) in found.items()}
    equal = {checksum: Similar(by_checksum[checksum], 0) for checksum in hashes.keys() & by_checksum.keys()}
    return similar | equal


def _read(path: Path) -> tuple[Path, str, int | None]:
    """Return a path with the checksum and the hash of its file."""
    with wrap_os_errors(path):
        data = path.read_bytes()
    return path, hashlib.sha256(data).hexdigest(), image_hash.compute(data).hash


def _walk(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise InputError(f"--not_like {error.filename or folder}: {error.strerror}. Give a folder of images.")

    seen = set()
    for directory, subfolders, names in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(directory)
        if real in seen:  # links may form a loop
            subfolders.clear()
            continue
        seen.add(real)
        for path in (Path(directory, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() in EXTENSIONS and path.is_file():  # no pipes, no broken links
                yield path
