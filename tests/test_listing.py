"""Lists fit where they are shown, and read back where they are read by programs."""

from __future__ import annotations

import csv
import io

import pytest

from utils.cli.listing import COLUMNS, SUBCATEGORY, Row, as_csv, as_table, legend, wrapped

DOG = Row(
    "n02109811", "sled dog, sledge dog", 1234, 0, 2, ("organism", "animal", "pet", "dog", "sled dog"), "x"
)
HUSKY = Row("n02110185", "Siberian husky", 7, 360, 0, (*DOG.path, "Siberian husky"), SUBCATEGORY)
UNKNOWN = Row("n00000001", "mine", None, None, 0, ("mine",))
ODD = Row("n00000002", 'the "big", =cmd; 狼\x1b[2J', 1, 1, 0, ("狼" * 30, "the"), "x")
LONG = Row("n00000003", "a, " * 60, 1, 1, 12345, tuple(f"level number {level}" for level in range(14)), "x")
ALL = [DOG, HUSKY, UNKNOWN, ODD, LONG]


def test_csv_reads_back() -> None:
    """Every name, number and path comes back as it was; what is not known is empty."""
    rows = list(csv.DictReader(io.StringIO(as_csv(ALL), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == [row.name for row in ALL]
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


def columns_of(text: str) -> int:
    """Count the columns that a line takes on a terminal, where each of these letters takes two."""
    return len(text) + text.count("狼")


@pytest.mark.parametrize("width", [1, 40, 59, 60, 79, 80, 100, 120, 200, 400])
@pytest.mark.parametrize("rows", [[DOG], [DOG, HUSKY], [UNKNOWN], ALL], ids=len)
def test_no_line_is_wider_than_the_terminal(width: int, rows: list[Row]) -> None:
    """None is wrapped, whatever names there are; codes and numbers are always whole."""
    table = as_table(rows, width)
    assert max(map(columns_of, table.splitlines())) < max(width, 40)
    for row in rows:
        assert row.code in table
        assert str(row.subcategories) in table


@pytest.mark.parametrize("width", [60, 80, 200, None])
def test_columns_stand_below_each_other(width: int | None) -> None:
    """Texts begin where their header begins, numbers end where theirs ends."""
    header, *lines = as_table(ALL, width).splitlines()
    lines = [line for line in lines if not line.startswith(" ")]
    assert len(lines) == len(ALL)
    end = header.index("below") + len("below")
    for row, line in zip(ALL, lines, strict=True):
        wide = line.count("狼", 0, end)
        assert line[: end - wide].endswith(f" {row.subcategories}")
        assert line.index(row.code) == 0


def test_a_narrow_terminal_shows_a_path_on_a_line_of_its_own() -> None:
    """So that the nearest parents can still be read."""
    assert as_table([DOG, HUSKY], 60).splitlines() == [
        "code       name                  URLs  boxed  below",
        "n02109811  sled dog, sledge dog  1234      0      2",
        "           organism > animal > pet > dog > sled dog",
        "n02110185  + Siberian husky         7    360      0",
        "           organism > … > dog > sled dog > Siberian husky",
    ]


def test_a_path_is_shortened_in_its_middle() -> None:
    """Then at its beginning; the root and the nearest parents say most."""
    paths = {
        width: as_table([HUSKY], width).splitlines()[1].partition("  0  ")[2] for width in range(80, 110)
    }
    assert paths[109] == "organism > animal > pet > dog > sled dog > Siberian husky"
    assert paths[95] == "organism > … > sled dog > Siberian husky"
    assert paths[85] == "… > sled dog > Siberian husky"


def test_without_a_terminal_paths_are_whole() -> None:
    """And no name makes the table wider than can be read."""
    table = as_table(ALL, None)
    assert " > ".join(LONG.path) in table
    assert LONG.name not in table


def test_signs_are_explained_where_they_stand() -> None:
    """The legend says nothing of what is not there, and breaks between words."""
    assert "+" in legend([DOG, HUSKY])
    assert "+" not in legend([DOG])
    assert wrapped(legend([HUSKY]), None).count("\n") == 0
    assert max(map(len, wrapped(legend([HUSKY]), 50).splitlines())) < 50
    assert " ".join(wrapped(legend([HUSKY]), 50).split()) == legend([HUSKY])
