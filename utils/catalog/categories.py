"""The category table: `ncodes.csv` as users save it, and the table of all categories that ships.

This module alone knows the columns of `ncodes.csv`, what may stand in them, and how a category is found
by its name. How a spreadsheet spells a table is known to `user_table`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from .. import files
from ..errors import DiskError, InputError
from ..models.rows import Category
from . import names
from .folder_names import folder_names
from .search import Finder
from .user_table import TableRow, read_rows

COLUMNS = ("code", "name", "to_download", "how_many")  # fixed by the file format

_CODE = re.compile(r"n[0-9]{8}")
_HOW_MANY = re.compile(r"(-1|[+-]?0+|\+?[0-9]{1,15})(\.0*)?")
_MARKS = {
    "": False,
    "false": False,
    "0": False,
    "no": False,
    "n": False,
    "true": True,
    "1": True,
    "yes": True,
    "y": True,
    "x": True,
    # what Excel makes of True and False in German, French, Spanish, Italian, Dutch, Portuguese
    **dict.fromkeys(("wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro"), True),
    **dict.fromkeys(("falsch", "faux", "falso", "onwaar"), False),
}
_OFFERED, _LISTED = 3, 5  # spellings, and categories that are called so
_LIKE_A_CODE = re.compile(r"n?[0-9]{4,12}", re.IGNORECASE)
_SURELY_MEANT = 0.85  # the likeness of a spelling that can hardly be anything else
_ONE_LETTER_WRONG = 0.88  # one of nine: 16 letters of 18 agree


@dataclass(frozen=True)
class Synset:
    """One row of the table that ships: a synset of ImageNet.

    Attributes
    ----------
    code
        The wnid.
    name
        WordNet's words joined by ", ".
    parents
        The wnids of the nearest broader categories; none for a root.
    """

    code: str
    name: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a row of `ncodes.csv` asks for: see `Category.selected` and `Category.how_many`."""

    selected: bool
    how_many: int


def read(path: Path) -> list[Category]:
    """Read `ncodes.csv`, in whatever way it was saved; the rows keep their order.

    Raises
    ------
    InputError
        If the file cannot be read, or holds what it must not; the sentence says where.
    """
    rows = read_rows(path, COLUMNS)
    by_code = _by_code(rows)
    folders = folder_names({code: row["name"] for code, row in by_code.items()})
    return [_category(row, code, folders[code]) for code, row in by_code.items()]


def marks(rows: Iterable[TableRow]) -> dict[str, Mark]:
    """Say what each row of `ncodes.csv` asks for, by its code; `read` reads the same, and names as well.

    Raises
    ------
    InputError
        If a row holds what it must not; the sentence says where.
    """
    return {code: Mark(_is_marked(row), _how_many(row)) for code, row in _by_code(rows).items()}


def is_how_many(number: int) -> bool:
    """Say whether a number may stand in the column `how_many`."""
    return _HOW_MANY.fullmatch(str(number)) is not None


def selected(categories: Iterable[Category]) -> list[Category]:
    """Return the categories that the user marked."""
    return [category for category in categories if category.selected]


def find(categories: Sequence[Category], queries: Iterable[str]) -> list[Category]:
    """Find categories by code, whole name, folder or one of the comma-separated synonyms, in any case.

    Returns
    -------
    list of Category
        Each once, marked as selected, in the order in which they were asked for.

    Raises
    ------
    InputError
        If a query fits none, or several; the sentence lists the candidates.
    """
    index = _index(categories)
    found: dict[str, Category] = {}
    faults = []
    for query in queries:
        fitting = index.get(_key(query), [])
        if len(fitting) == 1:
            found[fitting[0].code] = replace(fitting[0], selected=True)
        else:
            faults.append(_fault(index, query, fitting))
    if faults:
        raise InputError("\n".join(faults))
    return list(found.values())


def load_synsets() -> list[Synset]:
    """Read the table of all categories that ships with the tool, sorted by code."""
    packed = (resources.files("utils") / "data" / "categories.csv.gz").read_bytes()
    reader = csv.reader(io.StringIO(gzip.decompress(packed).decode(), newline=""))
    next(reader)  # the header
    return [Synset(code, name, tuple(parents.split())) for code, name, parents in reader]


def write_fresh(path: Path, old: Iterable[Category] = ()) -> None:
    """Write an `ncodes.csv` with every category.

    Parameters
    ----------
    path
        Where to; a file that is there is replaced at once.
    old
        The rows of an earlier table: their marks and numbers are carried over, and rows of the user's own,
        with codes that do not ship, are kept.

    Raises
    ------
    DiskError
        If it cannot be written.
    """
    rows = {category.code: category for category in old}
    for fresh in load_synsets():
        before = rows.get(fresh.code, Category(fresh.code, fresh.name, folder=""))
        rows[fresh.code] = replace(before, name=fresh.name)
    try:
        files.write_atomic(path, as_csv(rows.values()))
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}.") from error


def as_csv(categories: Iterable[Category]) -> bytes:
    """Spell categories as an `ncodes.csv`, sorted by code."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for category in sorted(categories, key=lambda category: category.code):
        writer.writerow([category.code, category.name, category.selected, category.how_many])
    return text.getvalue().encode()


def _category(row: TableRow, code: str, folder: str) -> Category:
    return Category(
        code=code,
        name=" ".join(row["name"].split()),
        folder=folder,
        selected=_is_marked(row),
        how_many=_how_many(row),
        line=row.line,
    )


def _is_marked(row: TableRow) -> bool:
    try:
        return _MARKS[row["to_download"].lower()]
    except KeyError:
        raise row.wrong("to_download", "say True or False (or 1/0, yes/no, y/n, x, or nothing)") from None


def _how_many(row: TableRow) -> int:
    value = row["how_many"] or "-1"
    if value == "-1":  # nearly all of them
        return -1
    if not _HOW_MANY.fullmatch(value):
        raise row.wrong("how_many", "say -1 for all images, 0 for none, or a whole number above 0")
    return int(value.partition(".")[0])


def _by_code(rows: Iterable[TableRow]) -> dict[str, TableRow]:
    by_code: dict[str, TableRow] = {}
    for row in rows:
        code = row["code"]
        if not _CODE.fullmatch(code):
            raise row.wrong("code", "say n and eight digits, as in n02119789")
        if code in by_code:
            raise row.wrong("code", f"it stands in line {by_code[code].line} already; remove one of the two")
        by_code[code] = row
    return by_code


def _index(categories: Iterable[Category]) -> dict[str, list[Category]]:
    index: dict[str, list[Category]] = {}
    for category in categories:
        synonyms = category.name.split(",")
        keys = {_key(text) for text in (category.code, category.name, category.folder, *synonyms)}
        for key in keys - {""}:
            index.setdefault(key, []).append(category)
    return index


def _key(text: str) -> str:
    """Spell a name so that case, blanks, and underscores for blanks make no difference."""
    return ", ".join(" ".join(part.split()) for part in text.replace("_", " ").casefold().split(","))


def _fault(index: dict[str, list[Category]], query: str, fitting: Sequence[Category]) -> str:
    if fitting:
        which = f"fits {len(fitting)} categories; say the code of the one that you mean"
        return f"--categories {query!r} {which}: {_listed(fitting)}."
    return f"--categories {query!r} is no code and no name in the table{_hint(index, query)}"


def _hint(index: dict[str, list[Category]], query: str) -> str:
    if "," in query and any(_key(part) in index for part in query.split(",")):
        return "; separate categories by blanks, not commas."
    near = _near_codes(index, query) if _LIKE_A_CODE.fullmatch(query) else _near_names(index, query)
    close = list({category.code: category for category in near}.values())[:_LISTED]
    return f"; did you mean {_listed(close)}?" if close else "; look for it with --find, or in ncodes.csv."


def _near_names(index: dict[str, list[Category]], query: str) -> list[Category]:
    """Give what a plural stands for, else what is called nearly so, else what has nearly such words."""
    key = _key(query)
    singulars = sorted(names.with_singulars(key) & index.keys())
    if singulars:
        return [category for singular in singulars for category in index[singular]]
    keys = names.close_spellings(key, index, at_most=_OFFERED)
    called_so = [category for key in keys for category in index[key]]
    if max(keys.values(), default=0) >= _SURELY_MEANT:
        return called_so
    everything = {category.code: category for fitting in index.values() for category in fitting}
    return [*Finder(everything.values()).nearest(names.words(query)), *called_so][:_OFFERED]


def _near_codes(index: dict[str, list[Category]], query: str) -> list[Category]:
    """Give codes that begin so, and codes with one letter wrong: all codes are somewhat alike."""
    text = f"n{query.lower().removeprefix('n')}"
    codes = [key for key in index if _CODE.fullmatch(key)]
    begun = [code for code in codes if code.startswith(text)]
    near = names.close_spellings(text, codes, at_most=_OFFERED, cutoff=_ONE_LETTER_WRONG)
    return [category for code in [*begun, *near][:_OFFERED] for category in index[code]]


def _listed(categories: Iterable[Category]) -> str:
    return ", ".join(f"{category.code} ({names.shown(category.name)})" for category in categories)
