"""Tests of `utils.catalog.categories`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories
from utils.catalog.folder_names import folder_names
from utils.errors import DiskError, InputError
from utils.models.rows import Category

ANNOTATED = ROOT.parent / "shared" / "data" / "annotated_wnids.txt"
HEADER = "code,name,to_download,how_many\n"
FOX, HUSKY, CRANE, LIFTING_DEVICE = "n02119789", "n02110185", "n02012849", "n03126707"


def read(folder: Path, text: str) -> list[Category]:
    """Write an `ncodes.csv` with these rows and read it."""
    path = folder / "ncodes.csv"
    path.write_text(HEADER + text, encoding="utf-8")
    return categories.read(path)


def test_rows_become_categories(tmp_path: Path) -> None:
    """Rows keep their order; a name may contain line breaks, a number may be a float."""
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
        (
            ["True", "true", "TRUE", "1", "yes", "Yes", "y", "Y", "x", "X", " True ", "1.0", '"1,0"', "1."],
            True,
        ),
        (["False", "false", "FALSE", "0", "no", "No", "n", "N", "", "  ", "0.0", '"0,00"', "0."], False),
    ],
)
def test_to_download(tmp_path: Path, words: list[str], selected: bool) -> None:
    """The column takes True/False, 1/0 (also as floats), yes/no, y/n, x and nothing, in any case."""
    for word in words:
        assert read(tmp_path, f"{FOX},fox,{word},\n")[0].selected is selected, word


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("-1", -1),
        ("-1.0", -1),
        ("\u22121", -1),
        ("", -1),
        (" ", -1),
        ("0", 0),
        ("0.0", 0),
        ("10", 10),
        ("10.0", 10),
        ("10.", 10),
        ('"30,0"', 30),
        ('"30,00"', 30),
        ('"-1,0"', -1),
        ("10.0000", 10),
    ],
)
def test_how_many(tmp_path: Path, word: str, number: int) -> None:
    """The column takes whole numbers, also as floats with `.0` or `,0`; an empty cell means all."""
    assert read(tmp_path, f"{FOX},fox,True,{word}\n")[0].how_many == number


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        *[(f"{FOX},fox,{word},-1", "to_download", word) for word in ("maybe", "2", "Truee", "-1", "1.5")],
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
def test_invalid_value(tmp_path: Path, row: str, column: str, value: str) -> None:
    """The error names file, line, column, value and what is allowed; unmarked rows are checked, too."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, f'n00000001,"a\nb",,\n\n{row}\n')
    message = str(caught.value)
    assert f"{tmp_path / 'ncodes.csv'}, line 5, column {column}: {value!r}" in message
    assert "; use " in message


@pytest.mark.parametrize(
    "word",
    ["1.000", "1,000", "30,000", "1.000.000", "1,000,000", "1 000", "1\u00a0000", "1\u202f000", "1'000"],
)
def test_number_with_separators(tmp_path: Path, word: str) -> None:
    """A number that is one thousand or one, depending on the locale, is not guessed."""
    with pytest.raises(InputError, match=r"line 2, column how_many: .*; write a whole number without"):
        read(tmp_path, f'{FOX},fox,True,"{word}"\n')


def test_duplicate_code(tmp_path: Path) -> None:
    """The error names both lines."""
    with pytest.raises(InputError, match=f"line 4, column code: '{FOX}'.*line 2 already"):
        read(tmp_path, f"{FOX},fox,,\n{HUSKY},husky,,\n{FOX},fox,True,\n")


CLASS_HEADER = "code,name,to_download,how_many,class\n"


def read_classes(folder: Path, text: str, encoding: str = "utf-8") -> dict[str, str]:
    """Write an `ncodes.csv` with this text and return the class of each category."""
    path = folder / "ncodes.csv"
    path.write_bytes(text.encode(encoding))
    return {one.code: one.class_name for one in categories.read(path)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        f"{CLASS_HEADER}{FOX},fox,,,wild dog é\n{HUSKY},husky,,,\n",
        f"code;name;to_download;how_many;Class\r\n{FOX};fox;;; wild  dog é \r\n{HUSKY};husky",
        f'note,"CLASS",code,name,to_download,how_many\n\n1,"wild dog é",{FOX},fox,,\n,"",{HUSKY},husky,,\n',
        f"code\tname\tto_download\thow_many\tclass\tmore\r{FOX}\tfox\t\t\twild dog\u00a0é\t\r"
        f"{HUSKY}\thusky\t\t\t \t3",
    ],
    ids=["plain", "Excel", "order", "tabs"],
)
def test_classes(tmp_path: Path, text: str, encoding: str) -> None:
    """The optional column is read like the others; an empty cell is no class."""
    assert read_classes(tmp_path, text, encoding) == {FOX: "wild dog é", HUSKY: ""}


def test_no_classes(tmp_path: Path) -> None:
    """Without the column there are no classes; other columns are ignored."""
    assert read_classes(tmp_path, f"{HEADER}{FOX},fox,,\n") == {FOX: ""}
    assert read_classes(tmp_path, f"code,name,to_download,how_many,kind\n{FOX},fox,,,dog\n") == {FOX: ""}


def test_equal_classes(tmp_path: Path) -> None:
    """Categories may have the same class; the way in which a letter is composed makes no difference."""
    text = f"{CLASS_HEADER}{FOX},fox,,,caf\u00e9\n{HUSKY},husky,,,cafe\u0301\n"
    assert set(read_classes(tmp_path, text).values()) == {"caf\u00e9"}


@pytest.mark.parametrize(
    "name", ["x" * 100, " " * 50 + "x" * 100 + " ", "\u72fc" * 66, 'a, b/c: "d"', "=1+1"]
)
def test_any_class(tmp_path: Path, name: str) -> None:
    """A class may have 100 characters (200 bytes), as folder names, and any printable ones."""
    quoted = name.replace('"', '""')
    assert read_classes(tmp_path, f'{CLASS_HEADER}{FOX},fox,,,"{quoted}"\n') == {FOX: name.strip()}


@pytest.mark.parametrize(
    ("name", "shown", "advice"),
    [
        ("x" * 101, "x" * 60, "use at most 100 characters (200 bytes in UTF-8)."),
        ("\u72fc" * 67, "\u72fc" * 60, "use at most 100 characters (200 bytes in UTF-8)."),
        ("a\nb", "a\\nb", "use a name without line breaks, tabs and other control characters."),
        ("a\tb", "a\\tb", "use a name without line breaks"),
        ("a\x1b[2Jb", "a\\x1b[2Jb", "use a name without line breaks"),
        ("a\u2028b", "a\\u2028b", "use a name without line breaks"),
    ],
)
def test_invalid_class(tmp_path: Path, name: str, shown: str, advice: str) -> None:
    """The error names file, line, column and value, in one line, whether the row is marked or not."""
    with pytest.raises(InputError) as caught:
        read_classes(tmp_path, f'{CLASS_HEADER}{HUSKY},husky,,,\n\n{FOX},fox,,,"{name}"\n')
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'ncodes.csv'}, line 4, column class: '{shown}")
    assert advice in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("first", "second"), [("Dog", "dog"), ("STRASSE", "stra\u00dfe"), ("\u00c9", "e\u0301")]
)
def test_classes_that_differ_only_in_capitals(tmp_path: Path, first: str, second: str) -> None:
    """The error names both lines."""
    text = f"{CLASS_HEADER}{FOX},fox,,,{first}\n{HUSKY},husky,,,\n{CRANE},crane,,,{second}\n"
    with pytest.raises(
        InputError, match=f"line 4, column class: .*only in capitals from '{first}' in line 2;"
    ):
        read_classes(tmp_path, text)


def test_two_columns_of_classes(tmp_path: Path) -> None:
    """The error names the column."""
    with pytest.raises(InputError, match=r"line 1: the column class occurs twice\."):
        read_classes(tmp_path, f"code,name,to_download,how_many,class,Class\n{FOX},fox,,,a,b\n")


def test_folder_does_not_depend_on_the_selection(tmp_path: Path) -> None:
    """Categories with equal names all have their code in the folder name, whichever is marked."""
    rows = read(tmp_path, f"{CRANE},crane,True,\n{LIFTING_DEVICE},Crane,False,\n")
    assert [row.folder for row in rows] == [f"crane_{CRANE}", f"Crane_{LIFTING_DEVICE}"]


def test_shipped_table() -> None:
    """It has the 21,841 synsets of Fall 2011 and four that only have boxes; all parents are in it."""
    shipped = {category.code: category for category in categories.load_synsets()}
    assert len(shipped) == 21_845
    assert shipped[FOX].name == "kit fox, Vulpes macrotis"
    assert shipped[FOX].parents == ("n02118333",)
    assert all(parent in shipped for category in shipped.values() for parent in category.parents)


def test_shipped_table_has_all_annotated_categories() -> None:
    """No synset with bounding boxes is missing from the table."""
    if not ANNOTATED.exists():
        pytest.skip("the list of annotated synsets is not beside the project")
    annotated = set(ANNOTATED.read_text().split())
    assert annotated <= {category.code for category in categories.load_synsets()}


def test_shipped_ncodes_is_fresh(tmp_path: Path) -> None:
    """`ncodes.csv` of the repository equals the output of `write_fresh`."""
    categories.write_fresh(tmp_path / "ncodes.csv")
    assert (tmp_path / "ncodes.csv").read_bytes() == (ROOT / "ncodes.csv").read_bytes()


def test_write_fresh_keeps_marks(tmp_path: Path) -> None:
    """Marks, numbers and rows added by the user are kept; names are replaced by the shipped ones."""
    old = read(tmp_path, f"{FOX},my fox,True,5\nn99999999,my own,True,\n{HUSKY},husky,False,3\n")
    categories.write_fresh(tmp_path / "ncodes.csv", old)
    fresh = {category.code: category for category in categories.read(tmp_path / "ncodes.csv")}
    assert len(fresh) == 21_846
    assert (fresh[FOX].name, fresh[FOX].how_many) == ("kit fox, Vulpes macrotis", 5)
    assert (fresh["n99999999"].name, fresh[HUSKY].how_many) == ("my own", 3)
    assert {code for code, category in fresh.items() if category.selected} == {FOX, "n99999999"}
    assert list(fresh) == sorted(fresh)


def test_write_fresh_keeps_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh table has the column if a category has a class, and only then."""
    few = [one for one in categories.load_synsets() if one.code in (FOX, HUSKY, CRANE)]
    monkeypatch.setattr(categories, "load_synsets", lambda: few)
    path = tmp_path / "ncodes.csv"
    path.write_text(f"{CLASS_HEADER}{FOX},fox,True,5,wild dog\n{HUSKY},husky,,,\n", encoding="utf-8")
    categories.write_fresh(path, categories.read(path))
    assert path.read_text(encoding="utf-8").startswith(CLASS_HEADER)
    assert {one.code: one.class_name for one in categories.read(path) if one.class_name} == {FOX: "wild dog"}
    assert len(categories.read(path)) == 3
    path.write_text(f"{CLASS_HEADER}{FOX},fox,True,5,\n", encoding="utf-8")
    categories.write_fresh(path, categories.read(path))
    assert path.read_text(encoding="utf-8").startswith(HEADER)


def test_write_fresh_into_a_missing_folder(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(DiskError, match="cannot be written"):
        categories.write_fresh(tmp_path / "nowhere" / "ncodes.csv")


def test_folder_hashes_are_those_of_the_shipped_table() -> None:
    """The file beside the table is up to date: it tells whether a folder name may be another category's."""
    names = {synset.code: synset.name for synset in categories.load_synsets()}
    shipped = resources.files("utils") / "data" / categories.FOLDER_HASHES
    assert shipped.read_bytes() == categories.pack_folder_hashes(names)


def test_codes_of_folders() -> None:
    """The categories that ship are found by the names of their folders, with a code or without."""
    names = {one.code: one.name for one in categories.load_synsets()[::50]}
    for code, folder in folder_names(names).items():
        assert code in categories.codes_of_folders([folder])
        assert code in categories.codes_of_folders(["other", f"{folder}_{code}"])
    assert "n02391049" in categories.codes_of_folders(["ZEBRA"])
    assert not categories.codes_of_folders(["nothing", "\udce9"]) & names.keys()
