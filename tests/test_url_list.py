"""Any list of URLs, however it is packed and spelled, becomes the same table; a bad one changes nothing."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from tests.prerequisites import (
    AS_CSV,
    FIRST,
    ROWS,
    SECOND,
    TGZ,
    TXT,
    get_urls,
    names,
    rows_in,
    source,
    tarred,
    with_bad_trailer,
    zipped,
)
from utils.errors import DiskError, OneSourceError, SourceError
from utils.fetch.archive_stream import open_text
from utils.prerequisites.url_list import MOST_BAD_LINES, ListCounts, convert
from utils.sources.url_table import open_table

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "imageNetURLs.csv"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the table."""
    return tmp_path / "home"


def converted(folder: Path, data: bytes, *, least: int = 1) -> ListCounts:
    """Make a table of a list as it is."""
    path = folder / "list.txt"
    path.write_bytes(data)
    with open_text(path) as text:
        return convert(text.stream, folder / "imageNetURLs.csv", least=least, say=lambda: None)


@pytest.mark.parametrize(
    "data",
    [
        TXT,
        TXT.replace(b"\n", b"\r\n"),
        gzip.compress(TXT),
        gzip.compress(TXT[:9999]) + gzip.compress(TXT[9999:]),
        TGZ,
        tarred({"deep/fall11_urls.txt": TXT, "README": b"read me"}, "w:"),
        zipped(imageNetUrls__csv=AS_CSV),
        zipped(README__txt=b"small", fall11_urls__txt=TXT, picture__jpg=bytes(10**6)),
        zipped(noending=TXT),
        AS_CSV,
        gzip.compress(AS_CSV.replace(b"\n", b"\r\n")),
        b"\xef\xbb\xbf" + AS_CSV,
    ],
    ids=[
        *("txt", "crlf", "gz", "gz-gz", "tgz", "tar", "zip", "zip-of-many", "zip-odd"),
        *("csv", "csv-gz-crlf", "csv-bom"),
    ],
)
def test_every_kind_of_list_becomes_the_same_table(home: Path, data: bytes) -> None:
    """What a list is packed in is told by its bytes; the table comes out in order, with its index."""
    said = get_urls(home, source(home, data))
    assert (home / "imageNetURLs.csv").read_bytes() == AS_CSV
    assert "imageNetURLs.csv: 1,000 rows" in said
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    rebuilt: list[int] = []
    table = open_table(home / "imageNetURLs.csv", lambda done, _total: rebuilt.append(done))
    assert rebuilt == []
    assert table.codes() == [FIRST, SECOND]
    assert rows_in(home) == ROWS


def test_hard_lines_of_the_list(home: Path) -> None:
    """The first tab splits, quotes mean nothing, each line has its own encoding; bad lines are kept."""
    lines = [
        b'n00000001_1\thttp://a/x"y,z.jpg',
        b"n00000001_2\thttp://a/two words\tand a tab",
        b"n00000001_3\thttp://a/\xc3\xb6",
        b"n00000001_4\thttp://a/\xf6",
        b'n00000001_5\t"http://a/open',
        b"garbage",
        b"",
        b"n00000001_6\t",
        b"n00000001_x\thttp://a/x",
        b"../../etc/passwd\thttp://a/x",
        b"n00000001_7 http://a/no-tab",
        b"n00000001_8\thttp://a/last",
    ]
    said = get_urls(home, source(home, b"\n".join(lines)))
    assert [url for _, url in rows_in(home)] == [
        'http://a/x"y,z.jpg', "http://a/two words\tand a tab", "http://a/ö", "http://a/ö", '"http://a/open',
        "http://a/last",
    ]  # fmt: skip
    with (home / "imageNetURLs.csv").open(encoding="utf-8", newline="") as file:
        assert [row["img_url"] for row in csv.DictReader(file)] == [url for _, url in rows_in(home)]
    bad = (home / "imageNetURLs_bad_lines.txt").read_bytes().splitlines()
    assert bad == [lines[5], *lines[7:11]]
    assert "  left out of it: 5 malformed lines of the list; see imageNetURLs_bad_lines.txt" in said
    get_urls(home, source(home, TXT), force=True)
    assert not (home / "imageNetURLs_bad_lines.txt").exists()


def test_a_list_in_any_order_keeps_it(tmp_path: Path) -> None:
    """Rows of one category that lie apart are all found, in the order of the list."""
    lines = TXT.splitlines(keepends=True)
    shuffled = lines[0::2] + lines[1::2]
    assert converted(tmp_path, b"".join(shuffled)).rows == len(lines)
    assert [code for code, _ in rows_in(tmp_path)] == [
        line.split(b"\t")[0].decode() for line in shuffled if line.startswith(FIRST.encode())
    ]


def test_a_table_in_another_spelling_is_taken_over_row_by_row(home: Path) -> None:
    """A CSV of any layout becomes ours; its odd rows stay rows, a stray quote costs its own line only."""
    odd = (
        b",code,img_url,img_code\n"
        b'0,n00000001,"http://a/1,2",n00000001_1\n'
        b"1,n00000001,,n00000001_2\n"
        b'2,n00000001,"http://a/\nx",n00000001_3\n'
        b'3,n00000001,"http://a/open,n00000001_4\n'
        b"4,n00000001,http://a/5,../../x\n"
        b"5,,http://a/6,n00000001_6\n"
        b"6,n00000002,http://a/7,n00000002_7\n"
    )
    get_urls(home, source(home, odd))
    found = dict(rows_in(home))
    assert found["n00000001_1"] == "http://a/1,2"
    assert found["n00000001_2"] == ""
    assert found["n00000001_3"] == "http://a/\nx"
    assert found["../../x"] == "http://a/5"
    assert rows_in(home, SECOND) == [("n00000002_7", "http://a/7")]
    assert b"n00000001_6" in (home / "imageNetURLs_bad_lines.txt").read_bytes()


def with_bad_checksum() -> bytes:
    """Pack a zip in which one byte of the content is wrong."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that only the checksum can tell
        archive.writestr("a.txt", TXT)
    return packed.getvalue().replace(b"/499.jpg", b"/498.jpg", 1)


def locked() -> bytes:
    """Pack a zip that says it has a password."""
    data = bytearray(zipped(a__txt=TXT))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(magic) + flags] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TGZ[: len(TGZ) // 2], "damaged or cut"),
        (gzip.compress(TXT)[:-20], "damaged or cut"),
        (zipped(a__txt=TXT)[:-100], "damaged or cut"),
        (tarred({"a.txt": TXT}, "w:")[:9000], "damaged or cut"),
        (with_bad_trailer(TGZ), "damaged or cut"),
        (with_bad_trailer(gzip.compress(TXT)), "damaged or cut"),
        (with_bad_checksum(), "damaged or cut"),
        (locked(), "locked with a password"),
        (b"<!DOCTYPE html><html>log in</html>", "a web page"),
        (b"  <HTML>\n" + TXT, "a web page"),
        (b"", "no list of URLs"),
        (b"just text\n" * 99, "no list of URLs"),
        (b"img_code,img_url,code\n", "no rows"),
        (bytes(5000), "neither a zip"),
        (zipped(), "neither a zip"),
        (tarred({}), "no list of URLs"),
        (zipped(a__txt=b"nothing here"), "no list of URLs"),
        (TXT + b"x\n" * (MOST_BAD_LINES + 1), "of its lines are no rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_list_leaves_the_old_table(home: Path, data: bytes, words: str) -> None:
    """Until a new table is whole and checked, the old one stays, byte for byte, with its index."""
    get_urls(home, source(home, TXT))
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    with pytest.raises(SourceError, match=words):
        get_urls(home, source(home, data), force=True)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_a_short_list_is_refused(tmp_path: Path) -> None:
    """A list with fewer rows than it must have leaves no table."""
    with pytest.raises(OneSourceError, match="1,000 rows only"):
        converted(tmp_path, TXT, least=1001)
    assert names(tmp_path) == ["list.txt"]


def test_a_line_without_end_costs_itself(tmp_path: Path) -> None:
    """What is no line is told by its beginning; that alone is kept of it."""
    data = b"n00000001_1\thttp://a/x\n" + b"x" * 300_000 + b"\nn00000001_2\thttp://a/y\n"
    assert converted(tmp_path, data).rows == 2
    assert (tmp_path / "imageNetURLs_bad_lines.txt").stat().st_size < 5000


def test_a_table_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """It is the disk's fault, not the list's: no other source would help."""
    (tmp_path / "imageNetURLs.csv").mkdir()
    with pytest.raises(DiskError, match=r"imageNetURLs\.csv cannot be written"):
        converted(tmp_path, TXT)
    assert names(tmp_path) == ["imageNetURLs.csv", "list.txt"]


def test_members_that_would_escape_write_nothing_elsewhere(home: Path) -> None:
    """Members are read, never extracted: their names reach no path."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../../escaped.txt", TXT)
        archive.writestr("/tmp/escaped_too.txt", b"x")
    get_urls(home, source(home, packed.getvalue()))
    assert rows_in(home) == ROWS
    get_urls(home, source(home, tarred({"../../escaped.csv": AS_CSV})), force=True)
    assert rows_in(home) == ROWS
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    assert not list(home.parent.rglob("escaped*"))


def test_the_real_rows_are_taken_over(home: Path) -> None:
    """Ten thousand real rows, from where they lie."""
    if not REAL.is_file():
        pytest.skip(f"the real rows are not here: {REAL}")
    assert "imageNetURLs.csv: 10,000 rows" in get_urls(home, str(REAL))
    assert (home / "imageNetURLs.csv").read_bytes() == REAL.read_bytes().replace(b"\r\n", b"\n")
