"""The readers of files, in the order in which they are asked."""

from __future__ import annotations

from pathlib import Path

from .compressed_tars import CompressedTar
from .folders import LabelFile
from .parquet_files import ParquetReader
from .reader import Reader, require_file
from .tar_files import CategoryTar, ShardReader, TarOfTars, TarReader
from .zip_files import ZipReader

FILE_READERS: tuple[type[Reader], ...] = (
    LabelFile,
    ParquetReader,
    ZipReader,
    CompressedTar,
    TarOfTars,
    ShardReader,
    TarReader,
)
EXTENSIONS = (".tar", ".zip", ".parquet", ".tgz", ".tar.gz")
LAYOUTS = (
    "tars of categories (<wnid>.tar), a tar of such tars (ILSVRC2012_img_train.tar), "
    "class folders (<wnid>/*.JPEG, at most five levels down), a validation set (ILSVRC2012_val_*.JPEG), "
    "WebDataset shards (*.jpg with *.json or *.cls), parquet files (image, label), "
    "and class folders or a validation set in a tar, tar.gz or zip"
)
"""What is looked for, in words."""
START_BYTES = 4096


def open_file(path: Path, name: str) -> Reader | None:
    """Return the reader of a file; None if no layout is recognised.

    Parameters
    ----------
    name
        The name of the file, relative to the copy.

    Raises
    ------
    OSError, EOFError, ValueError
        If it cannot be read, or is damaged.
    """
    if CategoryTar.recognise(path, b""):  # by its name alone: thousands of them need not be opened
        return CategoryTar(path, name)
    require_file(path)
    with path.open("rb") as file:
        start = file.read(START_BYTES)
    return next((one(path, name) for one in FILE_READERS if one.recognise(path, start)), None)
