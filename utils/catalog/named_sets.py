"""Sets of categories: `@NAME` is a set that ships with the tool, `@PATH` a file of codes.

A set names categories, not the very images of the dataset that it is known from.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .. import files
from ..errors import InputError
from ..text import join_names
from . import names
from .categories import CODE
from .user_table import decode

PREFIX = "@"
MAX_CHOICES = 12
_MAX_BYTES = 10_000_000  # a file of all codes has 0.2 million
_NAMES_IN_NOTE = re.compile(r"[\w-]+")
_CODES = re.compile(rf"\b{CODE.pattern}\b", re.IGNORECASE)


@dataclass(frozen=True)
class NamedSet:
    """A set of categories that ships with the tool.

    Attributes
    ----------
    note
        What it is, and what distinguishes it from others of similar names.
    source
        Where its codes are from.
    codes
        The wnids: sorted, unless the order is a part of the set.
    """

    name: str
    note: str
    source: str
    codes: tuple[str, ...]


@functools.cache
def load() -> dict[str, NamedSet]:
    """Read the sets that ship with the tool, by name."""
    data = json.loads(gzip.decompress((resources.files("utils") / "data" / "sets.json.gz").read_bytes()))
    return {one["name"]: NamedSet(**{**one, "codes": tuple(one["codes"].split())}) for one in data}


def find(text: str) -> list[NamedSet]:
    """Return the sets whose names contain a text, ignoring case, hyphens and underscores.

    Where the name has hyphens and the text has none, the text must end with a word: "imagenette" is not in
    "mini-imagenet-test".
    """
    words = "[-_]?".join(map(re.escape, _key(text)))
    pattern = re.compile(rf"{re.escape(text)}|{words}(?![a-z0-9])", re.IGNORECASE)
    return [one for one in load().values() if pattern.search(one.name)]


def codes_of(queries: Iterable[str]) -> list[str]:
    """Return the codes of all sets among some queries; queries for single categories are ignored.

    Raises
    ------
    InputError
        As `codes`.
    """
    return [code for query in queries if query.startswith(PREFIX) for code in codes(query)]


def codes(query: str) -> tuple[str, ...]:
    """Return the codes of `@NAME` or `@PATH`; a file with the name of a set is `@./NAME`.

    Raises
    ------
    InputError
        If there is neither such a set nor such a file, or the file cannot be read; the message lists names.
    """
    text = query.removeprefix(PREFIX)
    exact = [one for one in load().values() if _key(one.name) == _key(text)]
    if exact:
        return exact[0].codes
    path = Path(text).expanduser() if text.strip() else Path()
    if path.is_file() or "/" in text or path.suffix == ".txt":
        return _read(query, path)
    raise InputError(f"--categories {query!r} is neither a set nor a file of codes{_hint(text)}")


def _hint(text: str) -> str:
    listing = "--find @ lists all sets"
    versions = [one for one in load().values() if _is_family(_key(text), _key(one.name))]
    if len(versions) > 1:
        described = [f"{PREFIX}{one.name} ({len(one.codes):,})" for one in versions]
        return f"; there are several of this name: {join_names(described, MAX_CHOICES)}. {listing}."
    known_as = [one for one in load().values() if _key(text) in map(_key, _NAMES_IN_NOTE.findall(one.note))]
    similar = [one.name for one in versions or known_as]
    similar = similar or list(names.similar_spellings(text.casefold(), load(), limit=3))
    if similar:
        return f"; did you mean {' or '.join(PREFIX + name for name in similar)}? {listing}."
    return f". {listing}."


def _is_family(key: str, name: str) -> bool:
    """Whether a name begins with a text, without going on in the middle of a number."""
    rest = name.removeprefix(key)
    return bool(key) and rest != name and not (key[-1].isdigit() and rest[:1].isdigit())


def _key(text: str) -> str:
    return text.casefold().replace("-", "").replace("_", "")


@functools.cache
def _read(query: str, path: Path) -> tuple[str, ...]:
    """Read a file of codes: one a line, a text may follow it; `#` begins a comment."""
    try:
        decoded = decode(files.read_bytes(path.resolve(), _MAX_BYTES))
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the path
        why = "it is a folder" if path.is_dir() else getattr(error, "strerror", None) or error
        raise InputError(f"--categories {query}: the file {path} cannot be read ({why}).") from error
    if decoded is None:
        raise InputError(f"--categories {query}: {path} is not a text file. Write one code a line.")
    found: list[str] = []
    for number, line in enumerate(decoded.text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content and not (in_line := _CODES.findall(content)):
            raise InputError(
                f"{path}, line {number}: {content[:60]!r} is not allowed; write one code a "
                "line, as in n02119789 (# begins a comment)."
            )
        found += in_line if content else ()
    if not found:
        raise InputError(f"--categories {query}: {path} has no codes. Write one a line, as in n02119789.")
    return tuple(dict.fromkeys(code.lower() for code in found))
