"""Tables are read as Excel, LibreOffice, vim and pandas save them; what is wrong is said with its place."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas
import pytest

from utils.catalog.user_table import read_rows
from utils.errors import InputError

WANTED = ("code", "name", "how_many")
TABLE = 'code,name,how_many\nn1,"kit fox, Vulpes macrotis",5\nn2,café,\n'
ROWS = [["n1", "kit fox, Vulpes macrotis", "5"], ["n2", "café", ""]]


def rows(folder: Path, data: bytes) -> list[list[str]]:
    """Read a file with these bytes."""
    path = folder / "table.csv"
    path.write_bytes(data)
    return [[row[column] for column in WANTED] for row in read_rows(path, WANTED)]


def refused(folder: Path, data: bytes, *words: str) -> None:
    """Check that a file with these bytes is refused in one line with these words."""
    with pytest.raises(InputError) as caught:
        rows(folder, data)
    for word in ("table.csv", *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value), "one sentence is one line"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TABLE.encode(), id="LibreOffice"),
        pytest.param(TABLE.encode("utf-8-sig"), id="Excel: CSV UTF-8"),
        pytest.param(TABLE.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(TABLE.replace("\n", "\r").encode(), id="CR"),
        pytest.param(TABLE.encode("cp1252"), id="Excel: CSV"),
        pytest.param(TABLE.removesuffix("\n").encode(), id="last line without its end"),
        pytest.param(
            "code;name;how_many\r\nn1;kit fox, Vulpes macrotis;5\r\nn2;café;".encode("cp1252"), id=";"
        ),
        pytest.param(
            'code\tname\thow_many\r\nn1\t"kit fox, Vulpes macrotis"\t5\r\nn2\tcafé\t'.encode("utf-16"),
            id="tab",
        ),
        pytest.param(b"\xfe\xff" + TABLE.encode("utf-16-be"), id="UTF-16, big-endian"),
        pytest.param(b"\n\n" + TABLE.replace("\n", "\n\n , ,\n").encode(), id="blank lines"),
        pytest.param(
            b' code , name , how_many \n n1 , "kit fox, Vulpes macrotis" , 5 \n n2 ,\xc2\xa0caf\xc3\xa9 , \n',
            id="spaces",
        ),
        pytest.param(TABLE.replace("code,name,how_many", '" CODE","Name ",How Many').encode(), id="header"),
        pytest.param(
            b'how_many,note,code,name\n5,!,n1,"kit fox, Vulpes macrotis"\n,,n2,caf\xc3\xa9\n', id="order"
        ),
        pytest.param(
            'code,name,how_many,,\nn1,"kit fox, Vulpes macrotis",5,,\nn2,café\n'.encode(), id="ragged"
        ),
    ],
)
def test_every_way_of_saving_gives_the_same_rows(tmp_path: Path, data: bytes) -> None:
    """Encodings, separators, line ends, quotes, blanks, order and further columns make no difference."""
    assert rows(tmp_path, data) == ROWS


@pytest.mark.parametrize("index", [True, False])
def test_pandas_may_have_saved_it(tmp_path: Path, index: bool) -> None:
    """What pandas reads and writes, with its index as a further column or without, is read."""
    saved = pandas.read_csv(io.StringIO(TABLE)).to_csv(index=index)
    assert rows(tmp_path, saved.encode()) == [["n1", ROWS[0][1], "5.0"], ROWS[1]]


def test_line_numbers_are_the_editors(tmp_path: Path) -> None:
    """A row's line is where it begins in the file, after blank lines and names with line breaks."""
    (tmp_path / "table.csv").write_bytes(b'\r\ncode,name,how_many\r\nn1,"a\r\nb",1\r\n\r\n;,\r\nn2,c,2\r\n')
    with pytest.raises(InputError, match="line 6"):
        raise read_rows(tmp_path / "table.csv", WANTED)[1].wrong("code", "say another")
    assert [row.line for row in read_rows(tmp_path / "table.csv", WANTED)] == [3, 6, 7]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", ["is empty"], id="empty"),
        pytest.param(b"\xef\xbb\xbf\r\n ,,\r\n", ["is empty"], id="blank"),
        pytest.param(
            b"code,name\nn1,a\n", ["line 1", "how_many is missing", "code,name,how_many"], id="column"
        ),
        pytest.param(b"n1,a,1\n", ["code is missing"], id="no header"),
        pytest.param(b"code,name,how_many,Code\n", ["code stands there twice"], id="column twice"),
        pytest.param(b"code,name,how_many\nn1,\0,1\n", ["line 2", "NUL"], id="NUL"),
        pytest.param(TABLE.encode("utf-16-le"), ["NUL", "Save it as CSV"], id="UTF-16 without its mark"),
        pytest.param(b"code\x81\xff", ["no text", "Save it as CSV"], id="undecodable"),
        pytest.param(b"\xff\xfea", ["no text"], id="half a UTF-16 character"),
        pytest.param(b"PK\x03\x04...", ["workbook", "Save it as CSV"], id="xlsx"),
        pytest.param(b'code,name,how_many\nn1,"a,1\nn2,b,2\n', ["line 2", "quotation mark"], id="open quote"),
        pytest.param(
            b'code,name,how_many\nn1,"' + b"a\n" * 99_999, ["line 2", "quotation"], id="a big open quote"
        ),
        pytest.param(b"x" * 200_000, ["line 1", "quotation"], id="a line without end"),
        pytest.param(
            b"code,name,how_many\nn1,kit fox, Vulpes,1\n", ["line 2", "4 values", "quotation"], id="surplus"
        ),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path: Path, data: bytes, words: list[str]) -> None:
    """The sentence names the file and, where there is one, the line, and says what to do."""
    refused(tmp_path, data, *words)


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    """The sentence names the script that makes the file, and the flag that names another."""
    with pytest.raises(InputError, match=r"download_imagenet_prerequisites.py.*--ncode_data"):
        read_rows(tmp_path / "table.csv", WANTED)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    """A folder in the file's place is called one."""
    with pytest.raises(InputError, match=re.escape(f"{tmp_path} cannot be read (it is a folder)")):
        read_rows(tmp_path, WANTED)


def test_an_impossible_path_is_no_traceback() -> None:
    """A path that no system takes is an input error like any other."""
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(Path("a\0b"), WANTED)


def test_a_long_wrong_value_is_cut(tmp_path: Path) -> None:
    """An error stays readable, whatever stands in the file; control characters are spelled out."""
    (tmp_path / "table.csv").write_bytes(b"code,name,how_many\n\x1b[2J" + b"x" * 1000 + b",a,1\n")
    error = read_rows(tmp_path / "table.csv", WANTED)[0].wrong("code", "say another")
    assert len(str(error)) < 200 + len(str(tmp_path))
    assert "\x1b" not in str(error)
