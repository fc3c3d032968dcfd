"""Finds existing folders of categories under other names, so that a run uses them on.

A folder may have been named when `ncodes.csv` had other rows, or renamed by the user.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ..catalog.folder_names import caseless
from ..files import open_file
from ..models.rows import Category
from ..urls import IMAGE_CODE, VALIDATION_PREFIX
from . import journal_codec
from .paths import CategoryFolder


def find(root: Path, categories: Sequence[Category]) -> dict[str, str]:
    """Find the folders whose journals hold only images of one category, and which have another name.

    Parameters
    ----------
    root
        The result folder; it may be missing.
    categories
        The rows of `ncodes.csv`.

    Returns
    -------
    dict of str to str
        The names of the folders by wnid; a category that has a folder of its own name is left out.
    """
    expected = {caseless(category.folder) for category in categories}
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):  # the run reports it
        for path in sorted(root.iterdir()):
            if caseless(path.name) not in expected and not path.is_symlink() and path.is_dir():
                codes = _codes(CategoryFolder(path).journal)
                if len(codes) == 1:
                    found.setdefault(codes.pop(), path.name)
    names = {category.code: category.folder for category in categories if category.code in found}
    return {code: found[code] for code, name in names.items() if not (root / name).exists()}


def rename(categories: Sequence[Category], folders: dict[str, str]) -> list[Category]:
    """Give categories the folders that `find` found."""
    return [replace(one, folder=folders[one.code]) if one.code in folders else one for one in categories]


def sentence(folders: dict[str, str], codes: Collection[str]) -> str:
    """Say which folders some categories use; "" for none."""
    used = [f"{folder} for {code}" for code, folder in folders.items() if code in codes]
    if not used:
        return ""
    return f"Existing folders are used on, since they hold images of one category only: {', '.join(used)}."


def _codes(journal: Path) -> set[str]:
    """Return the wnids of the images in a journal, at most two; none if it cannot be read."""
    codes: set[str] = set()
    try:
        with open_file(journal) as lines:
            for line in lines:
                image_code = str(journal_codec.parse(line).get("image_code"))
                if IMAGE_CODE.fullmatch(image_code) and not image_code.startswith(VALIDATION_PREFIX):
                    codes.add(image_code[:9])
                if len(codes) > 1:
                    break
    except OSError:
        return set()
    return codes
