"""The category table `ncodes.csv`, and the table of all ImageNet categories that ships with the tool."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import re
import sys
import unicodedata
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from .. import files
from ..errors import DiskError, InputError
from ..models.rows import Category
from . import truth_words
from .folder_names import MAX_BYTES, MAX_CHARACTERS, caseless, folder_name, folder_names
from .user_table import TableRow, read_table

COLUMNS = ("code", "name", "to_download", "how_many")
CLASS = "class"
"""The optional column."""
CODE, CODE_LENGTH = re.compile(r"n[0-9]{8}"), 9
FOLDER_HASHES = "folder_hashes.bin"
"""The file with `pack_folder_hashes` of the table that ships, beside it."""
MANY_ROWS = 5_000

_FRACTION = (
    r"([.,]0*)?"  # pandas writes 10.0 where values are missing; spreadsheets use the locale's separator
)
_HOW_MANY = re.compile(rf"(-1|[+-]?0+|\+?[0-9]{{1,15}}){_FRACTION}")
_WITH_SEPARATORS = re.compile(r"[+-]?[0-9]{1,3}([.,'\u2019\s][0-9]{3})+")
"""1.000 is a thousand or one, depending on the locale."""
_BIT = re.compile(rf"[01]{_FRACTION}")
_TRUE = ("true", "1", "yes", "y", "x")
_FALSE = ("", "false", "0", "no", "n")
_CONTROL = ("Cc", "Cs", "Zl", "Zp")  # also lone surrogates, and line and paragraph separators
_BOOLEANS = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)


@dataclass(frozen=True)
class Synset:
    """One row of the table that ships: a synset of ImageNet.

    Attributes
    ----------
    code
        The wnid.
    name
        The words of WordNet, joined by ", ".
    parents
        The wnids of the nearest broader categories; none for a root.
    lexname
        The lexicographer file of WordNet: "animal", "artifact", "person", ...
    """

    code: str
    name: str
    parents: tuple[str, ...]
    lexname: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """The columns `to_download`, `how_many` and `class` of a row; see `Category`."""

    selected: bool
    how_many: int
    class_name: str = ""


def read(path: Path, also: Iterable[str] = ()) -> list[Category]:
    """Read `ncodes.csv`; the rows keep their order.

    Folder names are unique within the rows and the table that ships, together. So they do not depend on which
    rows the file has.

    Parameters
    ----------
    path
        The file.
    also
        Codes of categories to append, from the table that ships, if the file lacks them. Their `line` is 0.

    Raises
    ------
    InputError
        If the file cannot be read or contains an invalid value.
    """
    rows = _rows_by_code(read_table(path, COLUMNS, optional=[CLASS]).rows)
    classes = _parse_classes(rows)
    names = {code: " ".join(row["name"].split()) for code, row in rows.items()}
    missing = [code for code in dict.fromkeys(also) if code not in rows]
    shipped = {synset.code: synset.name for synset in load_synsets()} if missing else {}
    added = [code for code in missing if code in shipped]
    names |= {code: shipped[code] for code in added}
    folders = folder_names(names, _shipped_rivals(names))
    return [
        Category(
            code=code,
            name=names[code],
            folder=folders[code],
            selected=_parse_selected(row),
            how_many=_parse_how_many(row),
            line=row.line,
            class_name=classes[code],
        )
        for code, row in rows.items()
    ] + [Category(code, shipped[code], folders[code]) for code in added]


def read_marks(rows: Iterable[TableRow]) -> dict[str, Mark]:
    """Return the mark of each row of `ncodes.csv` by code.

    Raises
    ------
    InputError
        If a row contains an invalid value.
    """
    by_code = _rows_by_code(rows)
    classes = _parse_classes(by_code)
    return {
        code: Mark(_parse_selected(row), _parse_how_many(row), classes[code]) for code, row in by_code.items()
    }


def require_how_many(number: int) -> None:
    """Raise InputError if a number is not allowed in the column `how_many`."""
    if not _HOW_MANY.fullmatch(str(number)):
        raise InputError(
            f"how_many cannot be {number}; use -1 for all images, 0 for none, or a whole number above 0."
        )


def normalize_class(text: str) -> str:
    """Return the name of a class, without superfluous blanks.

    Its length is limited as that of folder names, since some exports have a folder for each class.

    Raises
    ------
    ValueError
        If the name is not allowed; the message says what to do.
    """
    text = text.strip()
    if any(unicodedata.category(letter) in _CONTROL for letter in text):
        raise ValueError("use a name without line breaks, tabs and other control characters")
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(name) > MAX_CHARACTERS or len(name.encode()) > MAX_BYTES:
        raise ValueError(f"use at most {MAX_CHARACTERS} characters ({MAX_BYTES} bytes in UTF-8)")
    return name


def pack_folder_hashes(names: Mapping[str, str]) -> bytes:
    """Pack sorted hashes of folder names, then the numbers of their wnids, as 32-bit little-endian integers.

    Parameters
    ----------
    names
        The ImageNet names by wnid.
    """
    pairs = sorted((_folder_hash(code, name), int(code[1:])) for code, name in names.items())
    packed = array("I", [hash_ for hash_, _ in pairs] + [number for _, number in pairs])
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def codes_of_folders(folders: Iterable[str]) -> set[str]:
    """Return the wnids of all categories that ship and may have one of these folders, and some others."""
    codes: set[str] = set()
    for folder in folders:
        codes |= _shipped_with(_hash(folder)) | {folder[-CODE_LENGTH:]}  # names may end with the code
    return codes


def _folder_hash(code: str, name: str) -> int:
    return _hash(folder_name(name, code))


def _hash(folder: str) -> int:
    return zlib.crc32(caseless(folder).encode(errors="surrogateescape"))


@functools.cache
def _folder_hashes() -> array[int]:
    packed = array("I", (resources.files("utils") / "data" / FOLDER_HASHES).read_bytes())
    if sys.byteorder == "big":
        packed.byteswap()
    return packed


def _shipped_with(hash_: int) -> set[str]:
    """Return the wnids of the categories that ship and whose folder name has this hash."""
    packed = _folder_hashes()
    count = len(packed) // 2
    start = bisect_left(packed, hash_, 0, count)
    end = bisect_right(packed, hash_, start, count)
    return {f"n{number:08}" for number in packed[count + start : count + end]}


def _shipped_rivals(names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the categories that ship, and may have the folder name of another one of these.

    Hashes tell them, because to compute the names of all folders that ship takes a quarter of a second. Of a
    complete table, only changed names are left to compare.
    """
    if len(names) > MANY_ROWS:
        return [(one.code, one.name) for one in load_synsets() if names.get(one.code) != one.name]
    codes: dict[int, set[str]] = {}
    for code, name in names.items():
        codes.setdefault(_folder_hash(code, name), set()).add(code)
    rivals: set[str] = set()
    for hash_, own in codes.items():
        shipped = _shipped_with(hash_)
        rivals |= shipped if len(own) > 1 else shipped - own
    return [(one.code, one.name) for one in load_synsets() if one.code in rivals] if rivals else []


@functools.cache
def load_synsets() -> tuple[Synset, ...]:
    """Read the table of all categories that ships with the tool, sorted by code."""
    data = (resources.files("utils") / "data" / "categories.csv.gz").read_bytes()
    reader = csv.reader(io.StringIO(gzip.decompress(data).decode(), newline=""))
    next(reader)  # the header
    return tuple(
        Synset(code, name, tuple(parents.split()), lexname) for code, name, parents, lexname in reader
    )


def write_fresh(path: Path, old: Iterable[Category] = ()) -> None:
    """Write an `ncodes.csv` with all categories, atomically.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    old
        The rows of the previous table. Their marks and classes are kept, and so are rows whose codes do not
        ship.

    Raises
    ------
    DiskError
        If the file cannot be written.
    """
    rows = {category.code: category for category in old}
    for synset in load_synsets():
        category = rows.get(synset.code, Category(synset.code, synset.name, folder=""))
        rows[synset.code] = replace(category, name=synset.name)
    try:
        files.write_atomic(path, to_csv(rows.values()))
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}.") from error


def to_csv(categories: Iterable[Category]) -> bytes:
    """Format categories as an `ncodes.csv`, sorted by code; it has the column `class` only if one is set."""
    rows = sorted(categories, key=lambda category: category.code)
    has_classes = any(category.class_name for category in rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *[CLASS] * has_classes])
    for one in rows:
        cells = [one.code, one.name, one.selected, one.how_many]
        writer.writerow([*cells, *[one.class_name] * has_classes])
    return text.getvalue().encode()


def _parse_selected(row: TableRow) -> bool:
    value = row["to_download"].lower()
    if value in _BOOLEANS:  # nearly all rows
        return _BOOLEANS[value]
    selected = value[0] == "1" if _BIT.fullmatch(value) else truth_words.parse(value)
    if selected is None:
        raise row.error("to_download", "use True or False (or 1/0, yes/no, y/n, x, or nothing)")
    return selected


def _parse_how_many(row: TableRow) -> int:
    value = (row["how_many"] or "-1").replace("\u2212", "-")  # the minus sign of Nordic locales
    if value == "-1":  # nearly all rows
        return -1
    if _WITH_SEPARATORS.fullmatch(value):
        raise row.error("how_many", "write a whole number without separators, as in 1000")
    if not _HOW_MANY.fullmatch(value):
        raise row.error("how_many", "use -1 for all images, 0 for none, or a whole number above 0")
    return int(re.split("[.,]", value)[0])


def _parse_classes(rows: Mapping[str, TableRow]) -> dict[str, str]:
    """Return the class of each row by its code."""
    classes = dict.fromkeys(rows, "")
    first: dict[str, str] = {}  # code of the first row of each class
    for code, row in rows.items():
        if not row[CLASS]:  # nearly all rows
            continue
        try:
            name = classes[code] = normalize_class(row[CLASS])
        except ValueError as error:
            raise row.error(CLASS, str(error)) from None
        if classes[earlier := first.setdefault(caseless(name), code)] != name:
            raise row.error(
                CLASS,
                f"it differs only in capitals from {classes[earlier]!r} in line {rows[earlier].line}; spell "
                "both in the same way",
            )
    return classes


def _rows_by_code(rows: Iterable[TableRow]) -> dict[str, TableRow]:
    by_code: dict[str, TableRow] = {}
    for row in rows:
        code = row["code"]
        if not CODE.fullmatch(code):
            raise row.error("code", "use n and eight digits, as in n02119789")
        if code in by_code:
            raise row.error("code", f"it occurs in line {by_code[code].line} already; remove one of the two")
        by_code[code] = row
    return by_code
