"""`ncodes.csv` is read as users write it, and categories are found as users call them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from utils.catalog import categories
from utils.errors import DiskError, InputError
from utils.models.rows import Category

PROJECT = Path(__file__).resolve().parents[1]
ANNOTATED = PROJECT.parent / "shared" / "data" / "annotated_wnids.txt"
HEADER = "code,name,to_download,how_many\n"
FOX, HUSKY, CRANE, LIFTING = "n02119789", "n02110185", "n02012849", "n03126707"


def read(folder: Path, text: str) -> list[Category]:
    """Read an `ncodes.csv` with these rows."""
    path = folder / "ncodes.csv"
    path.write_text(HEADER + text, encoding="utf-8")
    return categories.read(path)


@pytest.fixture
def table(tmp_path: Path) -> list[Category]:
    """Return four categories, two of which are called crane."""
    return read(
        tmp_path,
        f'{FOX},"kit fox, Vulpes macrotis",False,-1\n'
        f'{HUSKY},"Siberian husky,  husky",True,7\n'
        f"{CRANE},crane,False,3\n"
        f'{LIFTING},"lifting device, Crane",False,-1\n',
    )


@pytest.fixture(scope="module")
def everything() -> list[Category]:
    """Return all categories of the project."""
    return categories.read(PROJECT / "ncodes.csv")


def test_a_row_becomes_a_category(tmp_path: Path) -> None:
    """Rows keep their order; each knows its code, name, folder, mark, number and line."""
    fox = Category(
        FOX, "kit fox, Vulpes macrotis", "kit_fox,_Vulpes_macrotis", selected=True, how_many=10, line=2
    )
    hinny = Category("n02390258", "hinny", "hinny", selected=False, how_many=-1, line=4)
    assert read(tmp_path, f'{FOX},"kit fox,\n Vulpes macrotis",True,10.0\nn02390258,hinny,,\n') == [
        fox,
        hinny,
    ]


@pytest.mark.parametrize(
    ("words", "selected"),
    [
        (["True", "true", "TRUE", "1", "yes", "Yes", "y", "Y", "x", "X", " True "], True),
        (["False", "false", "FALSE", "0", "no", "No", "n", "N", "", "  "], False),
    ],
)
def test_marks_are_understood(tmp_path: Path, words: list[str], selected: bool) -> None:
    """`to_download` takes True/False, 1/0, yes/no, y/n, x and nothing, in any case."""
    for word in words:
        assert read(tmp_path, f"{FOX},fox,{word},\n")[0].selected is selected, word


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("-1", -1),
        ("-1.0", -1),
        ("", -1),
        (" ", -1),
        ("0", 0),
        ("0.0", 0),
        ("10", 10),
        ("10.0", 10),
        ("10.", 10),
    ],
)
def test_numbers_are_understood(tmp_path: Path, word: str, number: int) -> None:
    """`how_many` takes whole numbers, also as a spreadsheet spells them; nothing means all."""
    assert read(tmp_path, f"{FOX},fox,True,{word}\n")[0].how_many == number


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        *[(f"{FOX},fox,{word},-1", "to_download", word) for word in ("maybe", "2", "Truee", "-1", "1.0")],
        *[
            (f"{FOX},fox,False,{word}", "how_many", word)
            for word in ("-2", "1.5", "abc", "nan", "inf", "1e3", "--1", "0x10", "1_000", "٣", "9" * 50)
        ],
        *[
            (f"{code},fox,False,-1", "code", code)
            for code in ("", "n0211978", "n021197890", "02119789", "N02119789", "../../etc", "n0211978٣")
        ],
    ],
)
def test_a_wrong_value_names_its_place(tmp_path: Path, row: str, column: str, value: str) -> None:
    """The sentence names file, line, column and value, and what is allowed, for unmarked rows as well."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, f'n00000001,"a\nb",,\n\n{row}\n')
    message = str(caught.value)
    assert f"{tmp_path / 'ncodes.csv'}, line 5, column {column}: {value!r}" in message
    assert "; say " in message


def test_a_code_given_twice_names_both_lines(tmp_path: Path) -> None:
    """The table is ambiguous then; the sentence says where to look."""
    with pytest.raises(InputError, match=f"line 4, column code: '{FOX}'.*line 2 already"):
        read(tmp_path, f"{FOX},fox,,\n{HUSKY},husky,,\n{FOX},fox,True,\n")


def test_a_folder_does_not_depend_on_the_selection(tmp_path: Path) -> None:
    """Rows of one name get their codes, whichever of them is marked."""
    rows = read(tmp_path, f"{CRANE},crane,True,\n{LIFTING},Crane,False,\n")
    assert [row.folder for row in rows] == [f"crane_{CRANE}", f"Crane_{LIFTING}"]


def test_the_marked_rows_are_selected(table: list[Category]) -> None:
    """Without --categories, the marks decide."""
    assert [category.code for category in categories.selected(table)] == [HUSKY]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (FOX, FOX),
        (FOX.upper(), FOX),
        ("kit fox, Vulpes macrotis", FOX),
        ("KIT  FOX ,vulpes macrotis", FOX),
        ("vulpes  Macrotis ", FOX),
        ("kit_fox,_Vulpes_macrotis", FOX),
        ("husky", HUSKY),
        ("lifting device", LIFTING),
    ],
)
def test_a_category_is_found_by_what_it_is_called(table: list[Category], query: str, code: str) -> None:
    """Codes, whole names, synonyms and folders are found, in any case and with any blanks."""
    (found,) = categories.find(table, [query])
    assert found.code == code
    assert found.selected


def test_found_categories_keep_the_order_asked_for(table: list[Category]) -> None:
    """Each comes once, with its `how_many` from the table."""
    found = categories.find(table, ["husky", FOX, "Siberian husky", HUSKY])
    assert [(category.code, category.how_many) for category in found] == [(HUSKY, 7), (FOX, -1)]


def test_an_ambiguous_name_lists_its_candidates(table: list[Category]) -> None:
    """A name that fits several categories selects none; the codes to choose from are said."""
    with pytest.raises(InputError, match=rf"'crane' fits 2.*{CRANE} \(crane\), {LIFTING} \(lifting device"):
        categories.find(table, ["crane"])


def test_an_unknown_name_offers_close_spellings(table: list[Category]) -> None:
    """A slip of the finger is answered with what may have been meant."""
    with pytest.raises(InputError, match=rf"'siberian huskey' is no .*did you mean {HUSKY} \(Siberian husky"):
        categories.find(table, [FOX, "siberian huskey"])


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("huskey", "n02109961 (Eskimo dog, husky)"),
        ("cartoon", "n02971356 (carton)"),
        ("siberian husky dog", "n02110185 (Siberian husky)"),
        ("Sibirian husky", "n02110185 (Siberian husky)"),
        ("sibirian", "n02110185 (Siberian husky)"),
        ("retreiver dog", "n02099029 (retriever)"),
        ("sled dogs", "n02109811 (sled dog, sledge dog)"),
        ("n0211018", "n02110185 (Siberian husky)"),
        ("02110185", "n02110185 (Siberian husky)"),
        ("N021101855", "n02110185 (Siberian husky)"),
    ],
)
def test_what_was_meant_is_offered_first(everything: list[Category], query: str, meant: str) -> None:
    """Of all 21,845 categories, for mistyped names, parts of names, and mistyped codes."""
    with pytest.raises(InputError, match=f"did you mean {re.escape(meant)}"):
        categories.find(everything, [query])


def test_a_wrong_code_is_not_answered_with_just_any(table: list[Category]) -> None:
    """All codes are somewhat alike; the sentence says where to look instead."""
    with pytest.raises(InputError, match=r"'n99999999' is no code.*--find.*ncodes\.csv"):
        categories.find(table, ["n99999999"])


@pytest.mark.parametrize("query", ["zzzzzzzzzz", "", " , "])
def test_a_hopeless_name_is_refused(table: list[Category], query: str) -> None:
    """Where nothing comes close, the sentence says where to look."""
    with pytest.raises(InputError, match=f"{re.escape(repr(query))} is no code.*ncodes.csv"):
        categories.find(table, [query])


def test_the_table_that_ships_holds_every_category() -> None:
    """21,841 synsets of Fall 2011 and the four that have boxes only, with parents that are in it, too."""
    shipped = {category.code: category for category in categories.load_synsets()}
    assert len(shipped) == 21_845
    assert shipped[FOX].name == "kit fox, Vulpes macrotis"
    assert shipped[FOX].parents == ("n02118333",)
    assert all(parent in shipped for category in shipped.values() for parent in category.parents)


def test_every_annotated_category_ships() -> None:
    """No synset with bounding boxes is missing from the table."""
    if not ANNOTATED.exists():
        pytest.skip("the list of annotated synsets is not beside the project")
    annotated = set(ANNOTATED.read_text().split())
    assert annotated <= {category.code for category in categories.load_synsets()}


def test_the_shipped_ncodes_is_a_fresh_one(tmp_path: Path) -> None:
    """`ncodes.csv` as it comes with the tool is what a fresh one would be."""
    categories.write_fresh(tmp_path / "ncodes.csv")
    assert (tmp_path / "ncodes.csv").read_bytes() == (PROJECT / "ncodes.csv").read_bytes()


def test_a_fresh_table_keeps_the_users_marks(tmp_path: Path) -> None:
    """Marks, numbers and rows of the user's own outlive the old table; the names are the shipped ones."""
    old = read(tmp_path, f"{FOX},my fox,True,5\nn99999999,my own,True,\n{HUSKY},husky,False,3\n")
    categories.write_fresh(tmp_path / "ncodes.csv", old)
    fresh = {category.code: category for category in categories.read(tmp_path / "ncodes.csv")}
    assert len(fresh) == 21_846
    assert (fresh[FOX].name, fresh[FOX].how_many) == ("kit fox, Vulpes macrotis", 5)
    assert (fresh["n99999999"].name, fresh[HUSKY].how_many) == ("my own", 3)
    assert {category.code for category in categories.selected(fresh.values())} == {FOX, "n99999999"}
    assert list(fresh) == sorted(fresh)


def test_a_table_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    """The sentence names the file; what lay there stays."""
    with pytest.raises(DiskError, match="cannot be written"):
        categories.write_fresh(tmp_path / "nowhere" / "ncodes.csv")
