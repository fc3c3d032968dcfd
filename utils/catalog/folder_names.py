"""What the folders of categories are called: names that every file system and shell can bear.

This module alone knows which names they cannot, and what is done where two categories share one.
It works on text only.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

LONGEST = 100  # characters
# File systems take 255 bytes a name, and the name of a report under way needs 26 more than its folder's.
LONGEST_BYTES = 200

_MINDED = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f]')
# Windows gives these names to devices, in any case and with any extension.
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)


def folder_name(name: str, code: str) -> str:
    r"""Spell a category's name so that it can be a folder.

    Every run of blanks becomes one `_`; what file systems and shells mind is removed: the characters
    ``/ \ : * ? " < > |``, control characters, dots and hyphens at the beginning, dots at the end. A name
    that Windows keeps for a device gets a `_` in front. What is longer than `LONGEST` is cut.

    Parameters
    ----------
    name
        ImageNet's name.
    code
        The wnid; it takes the name's place if nothing is left of that.

    Examples
    --------
    >>> folder_name("kit fox, Vulpes macrotis", "n02119789")
    'kit_fox,_Vulpes_macrotis'
    >>> folder_name("con", "n10000000")
    '_con'
    """
    text = _MINDED.sub("", "_".join(name.split()))
    text = text.lstrip(".-").rstrip(".")
    if text.partition(".")[0].upper() in _DEVICES:
        text = f"_{text}"
    return _cut(text, LONGEST, LONGEST_BYTES) or code


def folder_names(names: Mapping[str, str]) -> dict[str, str]:
    """Give every category of a table a folder of its own.

    Where two would share one (on a file system that minds neither case nor the way in which Unicode
    composes letters), each of them gets `_<code>` appended.

    Parameters
    ----------
    names
        ImageNet's name of every wnid.

    Returns
    -------
    dict of str to str
        The folder of every wnid, in the order of `names`.
    """
    folders = {code: folder_name(name, code) for code, name in names.items()}
    marked: set[str] = set()
    # Again until nothing changes: a name with its code may be what a third one is called by nature.
    while newly := _sharing(folders) - marked:
        folders.update({code: _with_code(folders[code], code) for code in newly})
        marked |= newly
    return folders


def _sharing(folders: Mapping[str, str]) -> set[str]:
    keys = {code: _same(folder) for code, folder in folders.items()}
    counts = Counter(keys.values())
    return {code for code, key in keys.items() if counts[key] > 1}


def _same(folder: str) -> str:
    """Spell alike what a forgiving file system takes for the same name."""
    if folder.isascii():
        return folder.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folder).casefold())


def _with_code(folder: str, code: str) -> str:
    suffix = f"_{code}"
    return _cut(folder, LONGEST - len(suffix), LONGEST_BYTES - len(suffix)) + suffix


def _cut(text: str, characters: int, size: int) -> str:
    text = text[:characters]
    while len(text.encode()) > size:
        text = text[:-1]
    return text.rstrip(".")
