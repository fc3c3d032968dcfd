"""Tests of `utils.catalog.user_table`."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas
import pytest

from utils.catalog.user_table import read_table
from utils.errors import InputError

COLUMNS = ("code", "name", "how_many")
TABLE = 'code,name,how_many\nn1,"kit fox, Vulpes macrotis",5\nn2,café,\n'
ROWS = [["n1", "kit fox, Vulpes macrotis", "5"], ["n2", "café", ""]]


def rows(folder: Path, data: bytes) -> list[list[str]]:
    """Read a file with these bytes."""
    path = folder / "table.csv"
    path.write_bytes(data)
    return [[row[column] for column in COLUMNS] for row in read_table(path, COLUMNS).rows]


def check_refused(folder: Path, data: bytes, *words: str) -> None:
    """Check that reading these bytes raises an InputError of one line with these words."""
    with pytest.raises(InputError) as caught:
        rows(folder, data)
    for word in ("table.csv", *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TABLE.encode(), id="LibreOffice"),
        pytest.param(TABLE.encode("utf-8-sig"), id="Excel: CSV UTF-8"),
        pytest.param(TABLE.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(TABLE.replace("\n", "\r").encode(), id="CR"),
        pytest.param(TABLE.encode("cp1252"), id="Excel: CSV"),
        pytest.param(TABLE.removesuffix("\n").encode(), id="no final line end"),
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
        pytest.param(TABLE.replace(",", "|").replace("fox|", "fox,").encode(), id="|"),
        *[
            pytest.param(
                (line + TABLE.replace(",", separator).replace("fox" + separator, "fox,")).encode(code), id=id_
            )
            for id_, line, separator, code in [
                ("sep=;", "sep=;\r\n", ";", "utf-8"),
                ("sep=; with BOM", "sep=;\n", ";", "utf-8-sig"),
                ("sep=,", "SEP=,\r\n", ",", "utf-8"),
                ("sep=tab", "sep=\t\n", "\t", "utf-16"),
                ("sep=|", "sep=|\r", "|", "cp1252"),
                ("sep=, quoted", '"sep=,"\n', ",", "utf-8"),
                ("sep=; padded", "\n sep=;;;;\n\n", ";", "utf-8"),
                ("sep=; of a table saved with commas", '"sep=;",,\n', ",", "utf-8"),
            ]
        ],
    ],
)
def test_formats(tmp_path: Path, data: bytes) -> None:
    """Encoding, separator, line ends, quotation marks, blanks and order make no difference."""
    assert rows(tmp_path, data) == ROWS


@pytest.mark.parametrize("index", [True, False])
def test_saved_by_pandas(tmp_path: Path, index: bool) -> None:
    """Tables written by pandas are read, with and without an index column."""
    saved = pandas.read_csv(io.StringIO(TABLE)).to_csv(index=index)
    assert rows(tmp_path, saved.encode()) == [["n1", ROWS[0][1], "5.0"], ROWS[1]]


def test_line_numbers(tmp_path: Path) -> None:
    """A row is numbered by the line in which it begins; blank lines and line breaks in cells count."""
    (tmp_path / "table.csv").write_bytes(b'\r\ncode,name,how_many\r\nn1,"a\r\nb",1\r\n\r\n;,\r\nn2,c,2\r\n')
    with pytest.raises(InputError, match="line 6"):
        raise read_table(tmp_path / "table.csv", COLUMNS).rows[1].error("code", "use another")
    assert [row.line for row in read_table(tmp_path / "table.csv", COLUMNS).rows] == [3, 6, 7]


def test_line_of_the_separator_is_counted(tmp_path: Path) -> None:
    """Rows after a `sep=` line keep their line numbers; only the first row may be one."""
    (tmp_path / "table.csv").write_bytes(b"sep=;\r\ncode;name;how_many\r\nn1;a;1\r\nsep=;\r\n")
    assert [row.line for row in read_table(tmp_path / "table.csv", COLUMNS).rows] == [3, 4]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", ["is empty"], id="empty"),
        pytest.param(b"sep=;\r\n", ["is empty"], id="only sep="),
        pytest.param(b"\xef\xbb\xbf\r\n ,,\r\n", ["is empty"], id="blank"),
        pytest.param(
            b"code,name\nn1,a\n", ["line 1", "how_many is missing", "code,name,how_many"], id="column"
        ),
        pytest.param(b"n1,a,1\n", ["code is missing"], id="no header"),
        pytest.param(b"code,name,how_many,Code\n", ["code occurs twice"], id="column twice"),
        pytest.param(b"code,name,how_many\nn1,\0,1\n", ["line 2", "NUL"], id="NUL"),
        pytest.param(TABLE.encode("utf-16-le"), ["NUL", "Save it as CSV"], id="UTF-16 without BOM"),
        pytest.param(b"code\x81\xff", ["not a text file", "Save it as CSV"], id="undecodable"),
        pytest.param(b"\xff\xfea", ["not a text file"], id="truncated UTF-16"),
        pytest.param(b"PK\x03\x04...", ["workbook", "Save it as CSV"], id="xlsx"),
        pytest.param(b'code,name,how_many\nn1,"a,1\nn2,b,2\n', ["line 2", "quotation mark"], id="open quote"),
        pytest.param(
            b'code,name,how_many\nn1,"' + b"a\n" * 99_999, ["line 2", "quotation"], id="a long open quote"
        ),
        pytest.param(b"x" * 200_000, ["line 1", "quotation"], id="a very long line"),
        pytest.param(
            b"code,name,how_many\nn1,kit fox, Vulpes,1\n", ["line 2", "4 values", "quotation"], id="surplus"
        ),
    ],
)
def test_malformed_table(tmp_path: Path, data: bytes, words: list[str]) -> None:
    """The error names the file and the line, and says what to do."""
    check_refused(tmp_path, data, *words)


def test_missing_file(tmp_path: Path) -> None:
    """The error names the script that creates the file, and the flag for another one."""
    with pytest.raises(InputError, match=r"download_imagenet_prerequisites.py.*--ncode_data"):
        read_table(tmp_path / "table.csv", COLUMNS)


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    """The error says that the path is a folder."""
    with pytest.raises(InputError, match=re.escape(f"{tmp_path} cannot be read (it is a folder)")):
        read_table(tmp_path, COLUMNS)


def test_invalid_path() -> None:
    """A path with a NUL is an InputError."""
    with pytest.raises(InputError, match="cannot be read"):
        read_table(Path("a\0b"), COLUMNS)


def test_long_invalid_value_is_cut(tmp_path: Path) -> None:
    """Error messages stay short; control characters are escaped."""
    (tmp_path / "table.csv").write_bytes(b"code,name,how_many\n\x1b[2J" + b"x" * 1000 + b",a,1\n")
    error = read_table(tmp_path / "table.csv", COLUMNS).rows[0].error("code", "use another")
    assert len(str(error)) < 200 + len(str(tmp_path))
    assert "\x1b" not in str(error)
