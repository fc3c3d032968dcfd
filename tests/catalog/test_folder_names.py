"""Tests of `utils.catalog.folder_names`."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.catalog.folder_names import MAX_BYTES, MAX_CHARACTERS, folder_name, folder_names

CODE = "n02119789"
# Parts of hostile names, which hypothesis combines.
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


def is_safe(folder: str) -> bool:
    """Check independently of the module that all file systems accept a name."""
    stem = folder.split(".")[0].upper()
    return (
        0 < len(folder) <= MAX_CHARACTERS
        and len(folder.encode()) <= MAX_BYTES
        and not re.search(r'[/\\:*?"<>|\s]', folder)
        and not any(unicodedata.category(character) == "Cc" for character in folder)
        and folder[0] not in ".-"
        and folder[-1] not in ". "
        and not re.fullmatch(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]", stem)
    )


def normalized(folder: str) -> str:
    """Return a key that is equal for names that a file system may consider the same."""
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
def test_folder_name(name: str, folder: str) -> None:
    """Spaces become `_`, forbidden characters go, long names are cut; an empty result becomes the code."""
    assert folder_name(name, CODE) == folder


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_any_name_gives_a_safe_folder(name: str) -> None:
    """All file systems accept the folder name of any category name."""
    assert is_safe(folder_name(name, CODE))


@settings(max_examples=100, deadline=None)
@given(st.lists(HOSTILE, max_size=8))
def test_folders_are_unique(names: list[str]) -> None:
    """Folder names differ even where case and Unicode composition are ignored, and are safe."""
    folders = folder_names({f"n{number:08}": name for number, name in enumerate(names)})
    assert len({normalized(folder) for folder in folders.values()}) == len(names)
    assert all(is_safe(folder) for folder in folders.values())


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
def test_ambiguous_names_get_a_suffix(names: list[str], folders: list[str]) -> None:
    """Each ambiguous name gets `_<code>`, and so does a third name that equals one with its suffix."""
    table = {f"n{number:08}": name for number, name in enumerate(names)}
    assert list(folder_names(table).values()) == folders


def test_longest_folder_can_be_created(tmp_path: Path) -> None:
    """The folder and the longest file in it can be created."""
    folder = tmp_path / folder_name("犬é" * 100, CODE)
    folder.mkdir()
    partial = folder / f".{folder.name}_download_report.csv.part"
    partial.write_bytes(b"")
    assert partial.exists()
