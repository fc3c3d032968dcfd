"""Tests of `utils.catalog.cell_edits`."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.catalog import cell_edits
from utils.catalog.cell_edits import append_column, edit_cells
from utils.catalog.user_table import parse_table
from utils.errors import InputError

COLUMNS = ("code", "mark", "number")
PATH = Path("table.csv")
HEADER = b"code,name,mark,number\n"


def changed(data: bytes, line: int = 2, **values: str) -> bytes:
    """Edit the row that begins in `line`."""
    return edit_cells(parse_table(PATH, data, COLUMNS), {line: values}).data


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(b"n1,fox,no,-1", b"n1,fox,yes,20", id="plain"),
        pytest.param(b"n1,fox,,", b"n1,fox,yes,20", id="empty"),
        pytest.param(b"n1,fox", b"n1,fox,yes,20", id="both are missing"),
        pytest.param(b"n1", b"n1,,yes,20", id="all cells but the first are missing"),
        pytest.param(b"n1,fox, no ", b"n1,fox, yes ,20", id="one is missing"),
        pytest.param(b" n1 , fox , no ,\t-1  ", b" n1 , fox , yes ,\t20  ", id="blanks around values"),
        pytest.param(b"n1,fox,  ,\t", b"n1,fox,  yes,\t20", id="blank cells"),
        pytest.param(b'"n1","fox","no","-1"', b'"n1","fox","yes","20"', id="quoted"),
        pytest.param(b'n1,fox, " no " ,"-1" ', b'n1,fox, " yes " ,"20" ', id="blanks and quotes"),
        pytest.param(b'n1,fox,""," "', b'n1,fox,"yes"," 20"', id="quoted and empty"),
        pytest.param(b'n1,fox,"no\n"," \r\n-1"', b'n1,fox,"yes\n"," \r\n20"', id="line ends in the cell"),
        pytest.param(b'n1,fox,"n"o ,"-"1\t', b'n1,fox,"yes" ,"20"\t', id="half quoted"),
        pytest.param(b'n1,"a, b ""c""\n, d",no,-1', b'n1,"a, b ""c""\n, d",yes,20', id="a name in quotes"),
        pytest.param(b'n1,5" disk,no,-1', b'n1,5" disk,yes,20', id="a quotation mark within a name"),
        pytest.param(b'n1,"a" "b, no,-1', b'n1,"a" "b, yes,20', id="a quotation mark behind a quoted name"),
        pytest.param(b'n1,"",no,-1', b'n1,"",yes,20', id="an empty quoted name"),
        pytest.param(b"n1,fox,no,-1,,", b"n1,fox,yes,20,,", id="empty cells beyond the header"),
        pytest.param(
            b"n1,\xc2\xa0f\xc3\xb6x,\xc2\xa0no,", b"n1,\xc2\xa0f\xc3\xb6x,\xc2\xa0yes,20", id="nbsp"
        ),
        pytest.param(b"n1,f\xf6x,\xa0no,", b"n1,f\xf6x,\xa0yes,20", id="nbsp in cp1252"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
def test_only_values_change(row: bytes, expected: bytes, end: bytes) -> None:
    """Blanks, quotation marks and line ends are kept; missing cells are appended."""
    assert changed(HEADER + row + end, mark="yes", number="20") == HEADER + expected + end


def test_other_rows_are_kept() -> None:
    """Blank lines, short rows and mixed line ends are kept; rows are counted by lines of the file."""
    above = b' \r\n\r"CODE", Name ,mark,Number\r\n;,\nn0,"a\nb\r\nc",no\r\n,,\r'
    below = b"\nn3\r\n\r\n n4,x\r,,,"
    data = above + b'n1,"fo\nx",no,7\r' + below
    assert changed(data, 9, mark="yes") == above + b'n1,"fo\nx",yes,7\r' + below


@pytest.mark.parametrize(
    ("before", "after", "encoding"),
    [
        ("code,mark,number\nn1,no,1\n", "code,mark,number\nn1,yes,20\n", "utf-8-sig"),
        ("code\tmark\tnumber\r\nn1\t\t1", "code\tmark\tnumber\r\nn1\tyes\t20", "utf-16-le"),
        ("code\tmark\tnumber\r\n犬\t𝄞\t", "code\tmark\tnumber\r\n犬\tyes\t20", "utf-16-be"),
        ("code;mark;number\r\né;no\r\n", "code;mark;number\r\né;yes;20\r\n", "cp1252"),
        ("number,code,x,mark\n1,n1", "number,code,x,mark\n20,n1,,yes", "utf-8"),
        ("mark;x;number;code\n;a,b;;n1\n", "mark;x;number;code\nyes;a,b;20;n1\n", "utf-8"),
    ],
)
def test_format_is_kept(before: str, after: str, encoding: str) -> None:
    """Encoding, byte order mark, separator and order of columns are kept."""
    bom = "\ufeff".encode(encoding) if encoding.startswith("utf-16") else b""
    assert changed(bom + before.encode(encoding), mark="yes", number="20") == bom + after.encode(encoding)


def test_unreadable_result_is_refused() -> None:
    """A cell of the maximal length of the csv module cannot grow."""
    data = HEADER + b'n1,fox,"' + b" " * 131_072 + b'",\n'
    with pytest.raises(
        InputError, match=r"table.csv was not changed, .* could not be read any more .*line 2"
    ):
        changed(data, mark="yes")
    assert changed(data, number="20") == data[:-1] + b"20\n"


def test_value_with_a_line_break_is_refused() -> None:
    """The edited table must read back with the new values and no other change."""
    with pytest.raises(InputError, match=r"table.csv was not changed, .* other cells would change"):
        changed(HEADER + b"n1,fox,no\n", mark="yes\nn2")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(b"n1,fox,no,-1", b'n1,fox,"a, ""b""",-1', id="plain"),
        pytest.param(b'n1,fox,"no",-1', b'n1,fox,"a, ""b""",-1', id="quoted"),
        pytest.param(b'n1,fox, "no" ,-1', b'n1,fox, "a, ""b""" ,-1', id="quoted, with blanks"),
        pytest.param(b'n1,fox,"n"o,-1', b'n1,fox,"a, ""b""",-1', id="half quoted"),
        pytest.param(b"n1,fox, \tno \t,-1", b'n1,fox, "a, ""b""",-1', id="blanks around a plain value"),
        pytest.param(b"n1,fox", b'n1,fox,"a, ""b"""', id="missing"),
    ],
)
def test_value_that_needs_quotation_marks(row: bytes, expected: bytes) -> None:
    """Values with separators and quotation marks are quoted."""
    assert changed(HEADER + row + b"\n", mark='a, "b"') == HEADER + expected + b"\n"


def test_value_that_the_encoding_lacks() -> None:
    """The error names the letter and the encoding."""
    with pytest.raises(InputError, match=r"table.csv was not changed, .* \(cp1252\) has no '狼'. Save it as"):
        changed("code,name,mark,number\nn1,é,,".encode("cp1252"), mark="a 狼")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("code,mark,number\nn1,no,1\n", "code,mark,number,class\nn1,no,1,\n"),
        ("code;mark;number\r\nn1;;1", "code;mark;number;class\r\nn1;;1;"),
        ("\n code , mark,number \rn1,no\r\rn2\r", "\n code , mark,number ,class\rn1,no,\r\rn2,\r"),
        ('"code","mark","number"\n"n1","no","1"\n', '"code","mark","number","class"\n"n1","no","1",""\n'),
        ('"code","mark","number"\n"n1",no,1\n', '"code","mark","number","class"\n"n1",no,1,""\n'),
        ('code,mark,number,"a,\nb"\nn1,no,1,"c\n,d"\n', 'code,mark,number,"a,\nb",class\nn1,no,1,"c\n,d",\n'),
        ("code,mark,number,\nn1,no,1,,\n,,,\n", "code,mark,number,,class\nn1,no,1,,,\n,,,\n"),
        ("mark,number,x,code\nno\n1,2,3,n1\n", "mark,number,x,code,class\nno,\n1,2,3,n1,\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le"])
def test_append_column(before: str, after: str, encoding: str) -> None:
    """The header and each row get a cell at their end, quoted as their first required column is."""
    bom = "\ufeff".encode(encoding) if encoding == "utf-16-le" else b""
    table = parse_table(PATH, bom + before.encode(encoding), COLUMNS, optional=["class"])
    edited = append_column(table, "class")
    assert edited.data == bom + after.encode(encoding)
    assert [row["class"] for row in edited.rows] == [""] * len(table.rows)
    assert edit_cells(edited, {edited.rows[0].line: {"class": "x"}}).rows[0]["class"] == "x"


def test_wrong_cell_positions_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """If cells were located wrongly, reading back would detect it."""
    monkeypatch.setattr(cell_edits, "_CELL", "(?P<quoted>(?P<rest>$^))?(?P<plain>[^{0}\r\n]*)")
    assert changed(HEADER + b"n1,fox,no,1\n", mark="yes") == HEADER + b"n1,fox,yes,1\n"
    with pytest.raises(InputError, match="was not changed"):
        changed(HEADER + b'n1,"fox, red",no,1\n', mark="yes")
