"""Folder names of categories, valid on all file systems and unique within a table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

MAX_CHARACTERS = 100
# File systems allow 255 bytes a name, and the name of an unfinished report is 26 longer than its folder's.
MAX_BYTES = 200

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f]')
# Windows reserves these names, in any case and with any extension.
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)


def folder_name(name: str, code: str) -> str:
    r"""Turn the name of a category into a folder name.

    Each run of whitespace becomes one `_`. Removed are the characters ``/ \ : * ? " < > |``, control
    characters, leading dots and hyphens, and trailing dots. Names that Windows reserves get a leading `_`.
    The result has at most `MAX_CHARACTERS` characters and `MAX_BYTES` bytes.

    Parameters
    ----------
    name
        The ImageNet name.
    code
        The wnid, which is returned if nothing is left of the name.

    Examples
    --------
    >>> folder_name("kit fox, Vulpes macrotis", "n02119789")
    'kit_fox,_Vulpes_macrotis'
    >>> folder_name("con", "n10000000")
    '_con'
    """
    text = _FORBIDDEN.sub("", "_".join(name.split()))
    text = text.lstrip(".-").rstrip(".")
    if text.partition(".")[0].upper() in _RESERVED:
        text = f"_{text}"
    return _truncate(text) or code


def folder_names(names: Mapping[str, str], others: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return a unique folder name for each category of a table.

    Names that a file system could take for the same, because it ignores case or normalises Unicode, all get
    the suffix `_<code>`.

    Parameters
    ----------
    names
        The ImageNet names by wnid.
    others
        Wnids and names of further categories, from which the folders have to differ, too.

    Returns
    -------
    dict of str to str
        The folder names by wnid, in the order of `names`.
    """
    folders = {(code, name): folder_name(name, code) for code, name in (*names.items(), *others)}
    suffixed: set[tuple[str, str]] = set()
    # Repeated, because a name with its code appended can equal the name of a third category.
    while new := _ambiguous(folders) - suffixed:
        for code, name in new:
            suffix = f"_{code}"
            folders[code, name] = _truncate(folders[code, name], len(suffix)) + suffix
        suffixed |= new
    return {code: folders[code, name] for code, name in names.items()}


def caseless(name: str) -> str:
    """Return the same text for names that a file system could take for the same."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _ambiguous(folders: Mapping[tuple[str, str], str]) -> set[tuple[str, str]]:
    """Return the categories (wnid and name) with a folder name that another wnid has as well."""
    keys = {one: caseless(folder) for one, folder in folders.items()}
    codes: dict[str, set[str]] = {}
    for (code, _), key in keys.items():
        codes.setdefault(key, set()).add(code)
    return {one for one, key in keys.items() if len(codes[key]) > 1}


def _truncate(text: str, reserved: int = 0) -> str:
    """Cut a name, leaving room for `reserved` ASCII characters."""
    text = text[: MAX_CHARACTERS - reserved]
    while len(text.encode()) > MAX_BYTES - reserved:
        text = text[:-1]
    return text.rstrip(".")
