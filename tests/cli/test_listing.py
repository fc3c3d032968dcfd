"""Lists of categories fit the terminal, and their CSV can be read back."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from utils.cli.listing import COLUMNS, SUBCATEGORY, Row, as_csv, as_table, legend, wrapped
from utils.text import display_width

DOG = Row(
    "n02109811", "sled dog, sledge dog", 1234, 0, 2, ("organism", "animal", "pet", "dog", "sled dog"), "x"
)
HUSKY = Row("n02110185", "Siberian husky", 7, 360, 0, (*DOG.path, "Siberian husky"), SUBCATEGORY)
UNKNOWN = Row("n00000001", "mine", None, None, 0, ("mine",))
ODD = Row("n00000002", 'the "big", =cmd; 狼\x1b[2J', 1, 1, 0, ("狼" * 30, "the"), "x")
LONG = Row("n00000003", "a, " * 60, 1, 1, 12345, tuple(f"level number {level}" for level in range(14)), "x")
ALL = [DOG, HUSKY, UNKNOWN, ODD, LONG]


def test_csv() -> None:
    """Names, numbers and paths can be read back from CSV; unknown numbers are empty."""
    rows = list(csv.DictReader(io.StringIO(as_csv(ALL), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == [row.name.replace("\x1b", "%1B") for row in ALL]
    assert rows[1] == {
        "code": "n02110185",
        "name": "Siberian husky",
        "urls": "7",
        "annotated": "360",
        "subcategories": "0",
        "path": "organism > animal > pet > dog > sled dog > Siberian husky",
        "match": "subcategory",
    }
    assert (rows[2]["urls"], rows[2]["annotated"], rows[2]["subcategories"]) == ("", "", "0")
    assert as_csv([]).strip() == ",".join(COLUMNS)


def test_csv_without_formulas() -> None:
    """No name, path or class is a formula in a spreadsheet, whatever separates its cells."""
    hostile = replace(DOG, name="=1+1", path=("@a", "b;=1+1"), class_name='dog;"-1')
    (row,) = csv.DictReader(io.StringIO(as_csv([hostile]), newline=""))
    assert (row["name"], row["path"], row["class"]) == ("'=1+1", "'@a > b%3B=1+1", 'dog%3B"-1')


@pytest.mark.parametrize("width", [1, 40, 59, 60, 79, 80, 100, 120, 200, 400])
@pytest.mark.parametrize("rows", [[DOG], [DOG, HUSKY], [UNKNOWN], ALL], ids=len)
def test_width(width: int, rows: list[Row]) -> None:
    """No line fills the terminal or is wider; codes and numbers are never cut."""
    table = as_table(rows, width)
    assert max(map(display_width, table.splitlines())) < max(width, 40)
    for row in rows:
        assert row.code in table
        assert str(row.subcategories) in table


@pytest.mark.parametrize("width", [60, 80, 200, None])
def test_alignment(width: int | None) -> None:
    """Text starts at its header, and numbers end at theirs."""
    header, *lines = as_table(ALL, width).splitlines()
    lines = [line for line in lines if not line.startswith(" ")]
    assert len(lines) == len(ALL)
    end = header.index("below") + len("below")
    for row, line in zip(ALL, lines, strict=True):
        wide = line.count("狼", 0, end)
        assert line[: end - wide].endswith(f" {row.subcategories}")
        assert line.index(row.code) == 0


def test_narrow_terminal() -> None:
    """On a narrow terminal each path takes a line of its own."""
    assert as_table([DOG, HUSKY], 60).splitlines() == [
        "code       name                  URLs  boxed  below",
        "n02109811  sled dog, sledge dog  1234      0      2",
        "           organism > animal > pet > dog > sled dog",
        "n02110185  + Siberian husky         7    360      0",
        "           organism > … > dog > sled dog > Siberian husky",
    ]


def test_short_path() -> None:
    """A path loses its middle first, then its beginning."""
    paths = {
        width: as_table([HUSKY], width).splitlines()[1].partition("  0  ")[2] for width in range(80, 110)
    }
    assert paths[109] == "organism > animal > pet > dog > sled dog > Siberian husky"
    assert paths[95] == "organism > … > sled dog > Siberian husky"
    assert paths[85] == "… > sled dog > Siberian husky"


CLASSES = [replace(DOG, class_name="dog"), HUSKY, replace(LONG, class_name="long " * 10)]


@pytest.mark.parametrize("width", [1, 40, 60, 79, 80, 100, 120, 200])
def test_width_with_classes(width: int) -> None:
    """The column of classes never makes a line too long."""
    assert max(map(display_width, as_table(CLASSES, width).splitlines())) < max(width, 40)


def test_classes() -> None:
    """Classes stand beside names if one of the rows has a class, and there is room for them."""
    assert as_table(CLASSES[:2], 66).splitlines() == [
        "code       name                  class  URLs  boxed  below",
        "n02109811  sled dog, sledge dog  dog    1234      0      2",
        "           organism > animal > pet > dog > sled dog",
        "n02110185  + Siberian husky                7    360      0",
        "           organism > … > pet > dog > sled dog > Siberian husky",
    ]
    assert as_table(CLASSES[:2], 50) == as_table([DOG, HUSKY], 50)
    assert "long long long long…" in as_table(CLASSES, 200)
    assert "class: the name" in legend(CLASSES)
    assert "class" not in legend([DOG])
    rows = list(csv.DictReader(io.StringIO(as_csv(CLASSES), newline="")))
    assert [row["class"] for row in rows] == ["dog", "", "long " * 10]


def test_no_terminal() -> None:
    """Without a terminal paths are whole, and only very long names are cut."""
    table = as_table(ALL, None)
    assert " > ".join(LONG.path) in table
    assert LONG.name not in table


def test_legend() -> None:
    """The legend explains only signs that occur, and is wrapped between words."""
    assert "+" in legend([DOG, HUSKY])
    assert "+" not in legend([DOG])
    assert wrapped(legend([HUSKY]), None).count("\n") == 0
    assert max(map(len, wrapped(legend([HUSKY]), 50).splitlines())) < 50
    assert " ".join(wrapped(legend([HUSKY]), 50).split()) == legend([HUSKY])
