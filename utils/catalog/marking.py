"""Mark and unmark categories in the user's `ncodes.csv`.

Only cells with another value are edited. The file is replaced atomically, after the edited table has been
read back and compared with the requested values.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import files
from ..errors import DiskError, InputError
from ..text import join_names
from . import categories
from .categories import CLASS, Mark
from .cell_edits import append_column, edit_cells
from .folder_names import caseless
from .user_table import UserTable, read_table

BACKUP_SUFFIX = ".bak"
_MAX_CODES_NAMED = 20
_ANY_WRITE = 0o222


@dataclass(frozen=True)
class MarkResult:
    """The result of `mark` or `unmark`.

    Attributes
    ----------
    changed
        The number of rows that were changed, or would be without `dry_run`.
    unchanged
        The number of rows that had these values already.
    backup
        The file with the previous content; None if nothing was written.
    """

    changed: int
    unchanged: int
    backup: Path | None


def mark(
    path: Path,
    codes: Collection[str],
    *,
    how_many: int | None,
    class_name: str | None = None,
    dry_run: bool = False,
) -> MarkResult:
    """Set `to_download` to True in the rows of some categories.

    The format of the file is kept: encoding, line ends, separators, quotation marks, blanks, order, further
    columns, and cells that express the same value in another way (x, WAHR, 200.0). If the path is a symbolic
    link, its target is edited, and the backup is written beside the target.

    Parameters
    ----------
    path
        An `ncodes.csv`.
    codes
        The wnids.
    how_many
        The value for the column `how_many`: -1 for all, 0 for none, or a number; None keeps the column.
    class_name
        The value for the column `class`, as `categories.normalize_class` returns it; the column is added if
        the table lacks it. None keeps it.
    dry_run
        Count the changes, but write nothing.

    Raises
    ------
    InputError
        If a code is not in the table, `how_many` or `class_name` is invalid, or the table cannot be read, is
        write-protected, or would not read back correctly. The table is not changed.
    DiskError
        If the backup or the table cannot be written. The table is not changed.
    """
    values = {"selected": True, "how_many": how_many, "class_name": class_name}
    changes = {name: value for name, value in values.items() if value is not None}
    return _update(path, codes, changes, dry_run=dry_run)


def unmark(path: Path, codes: Collection[str], *, dry_run: bool = False) -> MarkResult:
    """Set `to_download` to False and `how_many` to -1 in the rows of some categories. See `mark`."""
    return _update(path, codes, {"selected": False, "how_many": -1}, dry_run=dry_run)


def _update(path: Path, codes: Collection[str], changes: Mapping[str, Any], *, dry_run: bool) -> MarkResult:
    """Change the marks of some categories; `changes` are new values by the attributes of `Mark`."""
    table = read_table(path, categories.COLUMNS, optional=[CLASS])
    before = categories.read_marks(table.rows)
    codes = dict.fromkeys(codes)
    unknown = [repr(code) for code in codes if code not in before]
    if unknown:
        named = join_names(unknown, _MAX_CODES_NAMED)
        raise InputError(f"{path} has no row for {named}. Use codes from its column code.")
    categories.require_how_many(changes.get("how_many", -1))
    after = before | {code: replace(before[code], **changes) for code in codes}
    lines = {row["code"]: row.line for row in table.rows}
    _require_one_spelling(path, after, changes.get("class_name", ""), lines)
    values = {
        lines[code]: _new_values(before[code], after[code]) for code in codes if before[code] != after[code]
    }
    backup = None
    if values:
        is_missing = CLASS not in table.header.columns and any(CLASS in one for one in values.values())
        edited = edit_cells(append_column(table, CLASS) if is_missing else table, values)
        if categories.read_marks(edited.rows) != after:
            raise InputError(f"{path} was not changed, because the change would set other values.")
        if not dry_run:
            backup = _replace(table, edited.data)
    return MarkResult(changed=len(values), unchanged=len(codes) - len(values), backup=backup)


def _require_one_spelling(
    path: Path, marks: Mapping[str, Mark], class_name: str, lines: Mapping[str, int]
) -> None:
    """Raise InputError if another row has the class in other capitals."""
    for code, one in marks.items():
        if one.class_name != class_name and caseless(one.class_name) == caseless(class_name):
            raise InputError(
                f"The class {class_name!r} differs only in capitals from {one.class_name!r} in {path}, line "
                f"{lines[code]}. Use the same spelling."
            )


def _new_values(before: Mark, after: Mark) -> dict[str, str]:
    values = {}
    if before.selected != after.selected:
        values["to_download"] = str(after.selected)
    if before.how_many != after.how_many:
        values["how_many"] = str(after.how_many)
    if before.class_name != after.class_name:
        values[CLASS] = after.class_name
    return values


def _replace(table: UserTable, data: bytes) -> Path:
    """Replace the file of a table, after writing its previous content to a backup."""
    target = table.path.resolve() if table.path.is_symlink() else table.path
    if not (target.is_file() and os.access(target, os.W_OK) and target.stat().st_mode & _ANY_WRITE):
        raise InputError(f"{table.path} is write-protected. Make it writable, or use another file.")
    backup = target.with_name(target.name + BACKUP_SUFFIX)
    status = target.stat()
    _write(backup, table.data, status)
    _write(target, data, status)
    return backup


def _write(path: Path, data: bytes, status: os.stat_result) -> None:
    """Write a file atomically, with the owner and mode of `status`."""
    try:
        with files.atomic_file(path) as file:
            with contextlib.suppress(PermissionError, AttributeError):  # needs root; missing on Windows
                shutil.chown(file.name, status.st_uid, status.st_gid)
            # before the file has content that others must not read
            Path(file.name).chmod(stat.S_IMODE(status.st_mode))
            file.write(data)
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror}. The table was not changed. Fix this and try again."
        ) from error
