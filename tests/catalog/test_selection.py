"""Tests of `utils.catalog.selection`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories, named_sets, search, selection
from utils.catalog.categories import Synset
from utils.catalog.hierarchy import Hierarchy
from utils.errors import InputError
from utils.models.rows import Category
from utils.models.settings import Settings

TREE = Hierarchy(
    Synset(code, code, tuple(above.split()))
    for code, above in {
        "animal": "",
        "pet": "animal",
        "canine": "animal",
        "dog": "canine pet",
        "sled dog": "dog",
        "husky": "sled dog",
        "wolf": "canine",
        "cup": "",
    }.items()
)
CRANE, SHIH_TZU = "n02012849", "n02086240"
SLED_DOG, MALAMUTE, HUSKY, CARTON = "n02109811", "n02110063", "n02110185", "n02971356"


def table(*without: str, **marked: int) -> list[Category]:
    """Return the categories of `TREE` and one unknown to it; `marked` gives the `how_many` of marked ones."""
    codes = ["cup", "husky", "animal", "mine", "pet", "canine", "dog", "sled dog", "wolf"]
    return [
        Category(code, code, code, selected=code in marked, how_many=marked.get(code, -1))
        for code in codes
        if code not in without
    ]


def select(everything: list[Category], *codes: str) -> dict[str, int]:
    """Select categories with their subcategories; return the `how_many` of each, in order."""
    chosen = [category for category in everything if category.code in codes]
    chosen = sorted(chosen, key=lambda category: codes.index(category.code))
    found = selection.with_subcategories(chosen, everything, TREE)
    assert all(category.selected for category in found)
    assert len({category.code for category in found}) == len(found)
    return {category.code: category.how_many for category in found}


def test_subcategories_follow_their_parent() -> None:
    """A subcategory takes the `how_many` of the category that it belongs to."""
    assert select(table(dog=20), "dog") == {"dog": 20, "sled dog": 20, "husky": 20}
    assert select(table(mine=3, cup=4), "mine", "cup") == {"mine": 3, "cup": 4}


def test_subcategories_missing_from_the_table_are_skipped() -> None:
    """The subcategories of a missing category are still selected."""
    assert select(table("sled dog", dog=20), "dog") == {"dog": 20, "husky": 20}


def test_marked_subcategory_keeps_its_own_number() -> None:
    """Its own subcategories inherit that number: the nearest selected category counts."""
    everything = table(animal=100, dog=20, husky=3)
    numbers = select(everything, "animal", "dog", "husky")
    assert numbers == {
        "animal": 100,
        "pet": 100,
        "dog": 20,
        "sled dog": 20,
        "husky": 3,
        "canine": 100,
        "wolf": 100,
    }


def test_marked_subcategory_of_a_named_category() -> None:
    """With `--categories animal`, a marked `dog` keeps its own number."""
    assert select(table(dog=20), "animal")["husky"] == 20
    assert select(table(dog=20), "animal")["wolf"] == -1


def test_number_of_an_unmarked_subcategory_is_ignored() -> None:
    """The `how_many` of a row with `to_download` False does not count."""
    everything = [replace(one, how_many=7) if one.code == "husky" else one for one in table(dog=20)]
    assert select(everything, "dog")["husky"] == 20


def settings(folder: Path, text: str, **flags: object) -> Settings:
    """Write an `ncodes.csv` and return settings that read it."""
    path = folder / "ncodes.csv"
    path.write_text(f"code,name,to_download,how_many\n{text}", encoding="utf-8")
    return Settings(folder, folder, folder, path, **flags)  # type: ignore[arg-type]


ROWS = (
    f'{SLED_DOG},"sled dog, sledge dog",True,5\n{MALAMUTE},malamute,False,9\n{HUSKY},Siberian husky,True,2\n'
    f"{CARTON},carton,False,-1\n"
)


@pytest.mark.parametrize(
    ("flags", "expected", "subcategories"),
    [
        ({}, {SLED_DOG: 5, HUSKY: 2}, 0),
        ({"with_subcategories": True}, {SLED_DOG: 5, MALAMUTE: 5, HUSKY: 2}, 1),
        ({"categories": ("carton",)}, {CARTON: -1}, 0),
        ({"how_many": 4}, {SLED_DOG: 4, HUSKY: 4}, 0),
        ({"how_many": 0, "with_subcategories": True}, {SLED_DOG: 0, MALAMUTE: 0, HUSKY: 0}, 1),
        (
            {"categories": ("carton", "sledge dog"), "with_subcategories": True},
            {CARTON: -1, SLED_DOG: 5, MALAMUTE: 5, HUSKY: 2},
            2,
        ),
    ],
)
def test_flags(
    tmp_path: Path, flags: dict[str, object], expected: dict[str, int], subcategories: int
) -> None:
    """`--categories` replaces the marks, `--how_many` the column, `--with_subcategories` adds categories."""
    wanted = settings(tmp_path, ROWS, **flags)
    found = selection.selected(categories.read(wanted.ncode_data), wanted)
    assert {category.code: category.how_many for category in found.categories} == expected
    assert found.subcategories == subcategories


def test_nothing_marked(tmp_path: Path) -> None:
    """The error names the file and the flags that help; its examples fit the table that ships."""
    wanted = settings(tmp_path, "")
    with pytest.raises(InputError, match=r"No category is marked in .*ncodes.csv") as raised:
        selection.selected([], wanted)
    assert selection.EXAMPLE_FIND in str(raised.value)
    assert selection.EXAMPLE_NAMES in str(raised.value)
    shipped = categories.read(ROOT / "ncodes.csv")
    named = search.find_named(shipped, selection.EXAMPLE_NAMES.split()[1:])
    assert [category.name for category in named] == ["zebra", "carton"]
    assert search.SearchIndex(shipped).search(["zebra"], lambda _code: 0)[0].fit is search.Fit.KIND


def test_categories_of_a_set(tmp_path: Path) -> None:
    """Sets mix with codes and names; a category is selected once, at its first place."""
    wanted = settings(tmp_path, ROWS, categories=("carton", "@imagewoof", SHIH_TZU))
    found = selection.selected(selection.read(wanted), wanted).categories
    assert [category.code for category in found] == [CARTON, *named_sets.load()["imagewoof"].codes]
    assert all(category.selected for category in found)


def test_categories_of_a_set_without_rows(tmp_path: Path) -> None:
    """They get name and folder from the table that ships, and `line` is 0; rows that exist are used."""
    (tmp_path / "set.txt").write_text(f"{CRANE}\n{HUSKY}\n")
    wanted = settings(tmp_path, ROWS, categories=(f"@{tmp_path / 'set.txt'}",))
    crane, husky = selection.selected(selection.read(wanted), wanted).categories
    assert (crane.code, crane.folder, crane.line, crane.how_many) == (CRANE, f"crane_{CRANE}", 0, -1)
    assert (husky.code, husky.line, husky.how_many) == (HUSKY, 4, 2)


def test_unknown_code_in_a_file(tmp_path: Path) -> None:
    """A code that is neither in the table nor ships is named."""
    (tmp_path / "set.txt").write_text(f"n99999999\n{HUSKY}\n")
    wanted = settings(tmp_path, ROWS, categories=(f"@{tmp_path / 'set.txt'}",))
    with pytest.raises(InputError, match=r"set\.txt.*there is no category n99999999"):
        selection.selected(selection.read(wanted), wanted)
