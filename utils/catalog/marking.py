"""Marks written into the user's `ncodes.csv`, as if by hand.

This module alone knows how a mark is written. Only cells that have to say something else are touched; the
file is replaced at once, and only by what reads back as it was meant.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import DiskError, InputError
from ..text import listed
from . import categories, cell_edits, user_table
from .categories import Mark
from .user_table import UserTable

BACKUP_SUFFIX = ".bak"
_CODES_NAMED = 20  # of those that are not in the table
_ANY_WRITE = 0o222


@dataclass(frozen=True)
class Marked:
    """What became of the rows.

    Attributes
    ----------
    changed, already
        Rows that were changed, or would be by a dry run, and rows that said the same before.
    backup
        The file as it was before; None if nothing was written: nothing had to change, or the run was dry.
    """

    changed: int
    already: int
    backup: Path | None


def mark(path: Path, codes: Collection[str], *, how_many: int | None, dry_run: bool = False) -> Marked:
    """Set `to_download` to True in the rows of some categories.

    Encoding, line ends, separators, quotes, blanks, order and further columns stay as they are; so does a
    cell that says the same in other words (x, WAHR, 200.0). Where the path is a link, its target is edited,
    and the backup lies beside that.

    Parameters
    ----------
    path
        An `ncodes.csv` as any program saves it.
    codes
        The wnids.
    how_many
        Put into that column: -1 for all, 0 for none, or a number; None leaves what stands there.
    dry_run
        Only say what would be changed.

    Raises
    ------
    InputError
        If a code is not in the table, `how_many` is no such number, or the table cannot be read, may not be
        written to, or with the change would not read back as it should. It is left as it was.
    DiskError
        If the backup or the table cannot be written. The table is left as it was.
    """
    return _set(path, codes, selected=True, how_many=how_many, dry_run=dry_run)


def unmark(path: Path, codes: Collection[str], *, dry_run: bool = False) -> Marked:
    """Set `to_download` to False and `how_many` to -1 in the rows of some categories; else like `mark`.

    Raises
    ------
    InputError, DiskError
        As `mark` does.
    """
    return _set(path, codes, selected=False, how_many=-1, dry_run=dry_run)


def _set(
    path: Path, codes: Collection[str], *, selected: bool, how_many: int | None, dry_run: bool
) -> Marked:
    table = user_table.read_table(path, categories.COLUMNS)
    before = categories.marks(table.rows)
    asked = dict.fromkeys(codes)
    _check_known(path, asked, before)
    _check_how_many(how_many)
    after = before | {
        code: Mark(selected, before[code].how_many if how_many is None else how_many) for code in asked
    }
    lines = {row["code"]: row.line for row in table.rows}
    values = {lines[code]: _cells(before[code], after[code]) for code in asked if before[code] != after[code]}
    data = _edited(table, values, after) if values else None
    backup = _replace(table, data) if data is not None and not dry_run else None
    return Marked(changed=len(values), already=len(asked) - len(values), backup=backup)


def _check_known(path: Path, asked: Collection[str], known: Collection[str]) -> None:
    unknown = [code for code in asked if code not in known]
    if unknown:
        named = listed([repr(code) for code in unknown], _CODES_NAMED)
        raise InputError(f"{path} has no row for {named}. Give codes that stand in its column code.")


def _check_how_many(how_many: int | None) -> None:
    if how_many is not None and not categories.is_how_many(how_many):
        raise InputError(
            f"how_many cannot be {how_many}; say -1 for all images, 0 for none, or a whole number above 0."
        )


def _cells(before: Mark, after: Mark) -> dict[str, str]:
    """Spell what has changed, as `ncodes.csv` came."""
    cells = {}
    if before.selected != after.selected:
        cells["to_download"] = str(after.selected)
    if before.how_many != after.how_many:
        cells["how_many"] = str(after.how_many)
    return cells


def _edited(table: UserTable, values: Mapping[int, Mapping[str, str]], wanted: Mapping[str, Mark]) -> bytes:
    """Return the new bytes, which say exactly what is wanted."""
    result = cell_edits.edited(table, values)
    if categories.marks(result.rows) != wanted:
        raise InputError(f"{table.path} is left as it was, for the change would say something else.")
    return result.data


def _replace(table: UserTable, data: bytes) -> Path:
    """Put new bytes in the place of the table's file, and the old ones beside it."""
    target = table.path.resolve() if table.path.is_symlink() else table.path
    if not (target.is_file() and os.access(target, os.W_OK) and target.stat().st_mode & _ANY_WRITE):
        raise InputError(f"{table.path} is write-protected. Take the protection away, or give another file.")
    backup = target.with_name(target.name + BACKUP_SUFFIX)
    like = target.stat()
    _write(backup, table.data, like)
    _write(target, data, like)
    return backup


def _write(path: Path, data: bytes, like: os.stat_result) -> None:
    """Write a file whole, with the owner and the mode that the table's has."""
    try:
        _write_like(path, data, like)
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror}. The table is left as it was; put that right, and "
            "try again."
        ) from error


def _write_like(path: Path, data: bytes, like: os.stat_result) -> None:
    with files.atomic_file(path) as file:
        with contextlib.suppress(PermissionError, AttributeError):  # only root may, and Windows cannot
            shutil.chown(file.name, like.st_uid, like.st_gid)
        # before there is anything in it that others should not read
        Path(file.name).chmod(stat.S_IMODE(like.st_mode))
        file.write(data)
