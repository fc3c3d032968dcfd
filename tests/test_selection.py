"""What is marked or named is selected, and with it what lies below, each once and with the right number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from utils.catalog import categories, selection
from utils.catalog.categories import ShippedCategory
from utils.catalog.hierarchy import Hierarchy
from utils.errors import InputError
from utils.models.rows import Category
from utils.models.settings import Settings

TREE = Hierarchy(
    ShippedCategory(code, code, tuple(above.split()))
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
SLED_DOG, MALAMUTE, HUSKY, CARTON = "n02109811", "n02110063", "n02110185", "n02971356"


def table(*without: str, **marked: int) -> list[Category]:
    """Make a table of all that are in the hierarchy and one that is not; some marked, with numbers."""
    codes = ["cup", "husky", "animal", "mine", "pet", "canine", "dog", "sled dog", "wolf"]
    return [
        Category(code, code, code, selected=code in marked, how_many=marked.get(code, -1))
        for code in codes
        if code not in without
    ]


def selected(everything: list[Category], *codes: str) -> dict[str, int]:
    """Give the `how_many` of everything that is selected, in order."""
    chosen = [category for category in everything if category.code in codes]
    chosen = sorted(chosen, key=lambda category: codes.index(category.code))
    found = selection.with_subcategories(chosen, everything, TREE)
    assert all(category.selected for category in found)
    assert len({category.code for category in found}) == len(found)
    return {category.code: category.how_many for category in found}


def test_all_below_comes_along() -> None:
    """Each behind what it lies below, and with its number; what is not below does not come."""
    assert selected(table(dog=20), "dog") == {"dog": 20, "sled dog": 20, "husky": 20}
    assert selected(table(mine=3, cup=4), "mine", "cup") == {"mine": 3, "cup": 4}


def test_only_what_is_in_the_table_comes() -> None:
    """A row that the user removed is not brought back; what lies below it still comes."""
    assert selected(table("sled dog", dog=20), "dog") == {"dog": 20, "husky": 20}


def test_a_marked_one_keeps_its_own_number() -> None:
    """And what lies below it has that as well; the nearest selected category counts."""
    everything = table(animal=100, dog=20, husky=3)
    numbers = selected(everything, "animal", "dog", "husky")
    assert numbers == {
        "animal": 100,
        "pet": 100,
        "dog": 20,
        "sled dog": 20,
        "husky": 3,
        "canine": 100,
        "wolf": 100,
    }


def test_marks_count_even_if_others_are_named() -> None:
    """Who names `animal`, and has marked `dog` with a number, wants that number of dogs."""
    assert selected(table(dog=20), "animal")["husky"] == 20
    assert selected(table(dog=20), "animal")["wolf"] == -1


def test_the_number_of_an_unmarked_row_is_nobodys() -> None:
    """A number beside a False is not meant for a subcategory that comes along."""
    everything = [replace(one, how_many=7) if one.code == "husky" else one for one in table(dog=20)]
    assert selected(everything, "dog")["husky"] == 20


def settings(folder: Path, text: str, **flags: object) -> Settings:
    """Make settings for a table of these rows."""
    path = folder / "ncodes.csv"
    path.write_text(f"code,name,to_download,how_many\n{text}", encoding="utf-8")
    return Settings(folder, folder, folder, path, **flags)  # type: ignore[arg-type]


ROWS = (
    f'{SLED_DOG},"sled dog, sledge dog",True,5\n{MALAMUTE},malamute,False,9\n{HUSKY},Siberian husky,True,2\n'
    f"{CARTON},carton,False,-1\n"
)


@pytest.mark.parametrize(
    ("flags", "expected", "brought"),
    [
        ({}, {SLED_DOG: 5, HUSKY: 2}, 0),
        ({"with_subcategories": True}, {SLED_DOG: 5, MALAMUTE: 5, HUSKY: 2}, 1),
        ({"categories": ("carton",)}, {CARTON: -1}, 0),
        (
            {"categories": ("carton", "sledge dog"), "with_subcategories": True},
            {CARTON: -1, SLED_DOG: 5, MALAMUTE: 5, HUSKY: 2},
            2,
        ),
    ],
)
def test_flags_decide(
    tmp_path: Path, flags: dict[str, object], expected: dict[str, int], brought: int
) -> None:
    """Names go before marks, and subcategories come if they are asked for."""
    wanted = settings(tmp_path, ROWS, **flags)
    found = selection.selected(categories.read(wanted.ncode_data), wanted)
    assert {category.code: category.how_many for category in found.categories} == expected
    assert found.brought == brought


def test_nothing_marked_says_what_to_do(tmp_path: Path) -> None:
    """In one sentence, with the file's name and flags that work."""
    wanted = settings(tmp_path, "")
    with pytest.raises(InputError, match=r"No category is marked in .*ncodes.csv.*--find carton --mark"):
        selection.selected([], wanted)
