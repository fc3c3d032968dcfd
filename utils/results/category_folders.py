"""Which categories a result folder has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import wrap_os_errors
from ..models.rows import Category
from .paths import CategoryFolder


def categories_in(root: Path, everything: Sequence[Category]) -> list[Category]:
    """Find the categories that have a folder of images, also those that `ncodes.csv` does not know."""
    by_folder = {category.folder: category for category in everything}
    names = [path.name for path in sorted(root.glob("*")) if _has_images(CategoryFolder(path))]
    return [by_folder.get(name) or Category(code="", name=name, folder=name) for name in names]


def _has_images(folder: CategoryFolder) -> bool:
    try:
        folder.images.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # whoever works with it says what is wrong
    return True


def require_readable_boxes(folder: CategoryFolder) -> None:
    """See that a category's boxes can be read; it need not have a folder of them.

    Raises
    ------
    DiskError, FolderError
        If they cannot.
    """
    with wrap_os_errors(folder.path), contextlib.suppress(FileNotFoundError):
        os.scandir(folder.annotations).close()
