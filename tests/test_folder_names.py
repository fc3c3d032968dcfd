"""Folder names can be borne by every file system, and no two categories share one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.catalog.folder_names import LONGEST, LONGEST_BYTES, folder_name, folder_names

CODE = "n02119789"
# Pieces of which hostile names are made; hypothesis glues them together in all ways.
PIECES = [
    *'/\\:*?"<>|\0\x1f\x7f\x85\t\n .-_,=~$%',
    "CON",
    "nul",
    "Com1",
    "crane",
    "CRANE",
    "é",
    "e\u0301",
    "ß",
    "ss",
]
PIECES += ["犬" * 90, "x" * 90, f"_{CODE}", "n00000000"]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=150)


def safe(folder: str) -> bool:
    """Tell by other means than the module whether every system takes a name."""
    stem = folder.split(".")[0].upper()
    return (
        0 < len(folder) <= LONGEST
        and len(folder.encode()) <= LONGEST_BYTES
        and not re.search(r'[/\\:*?"<>|\s]', folder)
        and not any(unicodedata.category(character) == "Cc" for character in folder)
        and folder[0] not in ".-"
        and folder[-1] not in ". "
        and not re.fullmatch(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]", stem)
    )


def same(folder: str) -> str:
    """Spell alike what a file system may take for the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folder).casefold())


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("hinny", "hinny"),
        ("kit fox, Vulpes macrotis", "kit_fox,_Vulpes_macrotis"),
        ("  a \t b\n\nc ", "a_b_c"),
        ("read/write head", "readwrite_head"),
        ('a/b\\c:d*e?f"g<h>i|j\x00k\x01l\x7fm', "abcdefghijklm"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1", "_Com1"),
        ("console", "console"),
        ("etc.", "etc"),
        ("etc. ...", "etc._"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("..", CODE),
        (".", CODE),
        ("", CODE),
        ("???", CODE),
        ("=1+1", "=1+1"),
        ("x" * 300, "x" * 100),
        ("x" * 99 + ".y", "x" * 99),
        ("犬" * 100, "犬" * 66),
    ],
)
def test_a_name_becomes_a_folder(name: str, folder: str) -> None:
    """Blanks become one `_`; what systems mind goes; 100 characters stay; nothing left gives the code."""
    assert folder_name(name, CODE) == folder


@settings(max_examples=300, deadline=None)
@given(HOSTILE)
def test_no_name_makes_an_unsafe_folder(name: str) -> None:
    """Whatever the name, its folder is one that every system takes."""
    assert safe(folder_name(name, CODE))


@settings(max_examples=300, deadline=None)
@given(st.lists(HOSTILE, max_size=8))
def test_no_two_categories_share_a_folder(names: list[str]) -> None:
    """Whatever the names, folders differ even where neither case nor composition counts, and are safe."""
    folders = folder_names({f"n{number:08}": name for number, name in enumerate(names)})
    assert len({same(folder) for folder in folders.values()}) == len(names)
    assert all(safe(folder) for folder in folders.values())


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["crane", "crane"], ["crane_n00000000", "crane_n00000001"]),
        (["Turkey", "turkey", "hen"], ["Turkey_n00000000", "turkey_n00000001", "hen"]),
        (["caf\u00e9", "cafe\u0301"], ["caf\u00e9_n00000000", "cafe\u0301_n00000001"]),
        (["Stra\u00dfe", "STRASSE"], ["Stra\u00dfe_n00000000", "STRASSE_n00000001"]),
        (["x" * 120, "x" * 130], ["x" * 90 + "_n00000000", "x" * 90 + "_n00000001"]),
        (
            ["crane", "crane", "crane n00000001"],
            ["crane_n00000000", "crane_n00000001", "crane_n00000001_n00000002"],
        ),
        (["?", "n00000000"], ["n00000000_n00000000", "n00000000_n00000001"]),
    ],
)
def test_categories_of_one_name_get_their_codes(names: list[str], folders: list[str]) -> None:
    """Each of those that would share a folder gets `_<code>`, a third that is called so by nature too."""
    table = {f"n{number:08}": name for number, name in enumerate(names)}
    assert list(folder_names(table).values()) == folders


def test_a_folder_can_really_be_made(tmp_path: Path) -> None:
    """The longest folder name leaves room for the files that are named after it."""
    folder = tmp_path / folder_name("犬é" * 100, CODE)
    folder.mkdir()
    partial = folder / f".{folder.name}_download_report.csv.part"
    partial.write_bytes(b"")
    assert partial.exists()
