"""Lists of URLs in all formats are converted to the same table; an invalid list changes nothing."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from tests.prerequisites.helpers import (
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
from utils.prerequisites.url_list import BAD_LINES_NAME, MAX_BAD_LINES, ListCounts, convert
from utils.sources.url_table import open_table

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "imageNetURLs.csv"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the destination folder."""
    return tmp_path / "home"


def converted(folder: Path, data: bytes, *, min_rows: int = 1) -> ListCounts:
    """Convert a list."""
    path = folder / "list.txt"
    path.write_bytes(data)
    with open_text(path) as text:
        return convert(text.stream, folder / "imageNetURLs.csv", min_rows=min_rows, on_progress=lambda: None)


def test_links_are_replaced(tmp_path: Path) -> None:
    """What they lead to is unchanged."""
    (tmp_path / "precious").write_bytes(b"mine")
    for name in ("imageNetURLs.csv", BAD_LINES_NAME):
        for link in (name, f".{name}.part", f".{name}.index.part"):
            (tmp_path / link).symlink_to("precious")
    converted(tmp_path, TXT)
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert not (tmp_path / "imageNetURLs.csv").is_symlink()


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
        b"\xef\xbb\xbf" + TXT,
    ],
    ids=[
        *("txt", "crlf", "gz", "gz-gz", "tgz", "tar", "zip", "zip-of-many", "zip-odd"),
        *("csv", "csv-gz-crlf", "csv-bom", "txt-bom"),
    ],
)
def test_formats(home: Path, data: bytes) -> None:
    """The format is recognised by the content; the table keeps the order of the list, and has an index."""
    printed = get_urls(home, source(home, data))
    assert (home / "imageNetURLs.csv").read_bytes() == AS_CSV
    assert "imageNetURLs.csv: 1,000 rows" in printed
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    rebuilt: list[int] = []
    table = open_table(home / "imageNetURLs.csv", lambda done, _total: rebuilt.append(done))
    assert rebuilt == []
    assert table.codes() == [FIRST, SECOND]
    assert rows_in(home) == ROWS


def test_unusual_lines(home: Path) -> None:
    """Lines split at the first tab, without quoting, in any encoding; malformed lines are kept in a file."""
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
    printed = get_urls(home, source(home, b"\n".join(lines)))
    assert [url for _, url in rows_in(home)] == [
        'http://a/x"y,z.jpg', "http://a/two words\tand a tab", "http://a/ö", "http://a/ö", '"http://a/open',
        "http://a/last",
    ]  # fmt: skip
    with (home / "imageNetURLs.csv").open(encoding="utf-8", newline="") as file:
        assert [row["img_url"] for row in csv.DictReader(file)] == [url for _, url in rows_in(home)]
    bad = (home / "imageNetURLs_bad_lines.txt").read_bytes().splitlines()
    assert bad == [lines[5], *lines[7:11]]
    assert "  left out: 5 malformed lines of the list; see imageNetURLs_bad_lines.txt" in printed
    get_urls(home, source(home, TXT), force=True)
    assert not (home / "imageNetURLs_bad_lines.txt").exists()


def test_unsorted_list(tmp_path: Path) -> None:
    """All rows of a category are found in the order of the list, even if it is not sorted."""
    lines = TXT.splitlines(keepends=True)
    shuffled = lines[0::2] + lines[1::2]
    assert converted(tmp_path, b"".join(shuffled)).rows == len(lines)
    assert [code for code, _ in rows_in(tmp_path)] == [
        line.split(b"\t")[0].decode() for line in shuffled if line.startswith(FIRST.encode())
    ]


def test_other_columns(home: Path) -> None:
    """A CSV with other columns is converted; a missing closing quote affects its own line only."""
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
    """Return a zip in which one byte of the content is wrong."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that only the checksum can tell
        archive.writestr("a.txt", TXT)
    return packed.getvalue().replace(b"/499.jpg", b"/498.jpg", 1)


def encrypted() -> bytes:
    """Return a zip that is marked as encrypted."""
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
        (encrypted(), "locked with a password"),
        (b"<!DOCTYPE html><html>log in</html>", "a web page"),
        (b"  <HTML>\n" + TXT, "a web page"),
        (b"", "not a list of URLs"),
        (b"just text\n" * 99, "not a list of URLs"),
        (b"img_code,img_url,code\n", "no rows"),
        (bytes(5000), "neither a zip"),
        (zipped(), "neither a zip"),
        (tarred({}), "not a list of URLs"),
        (zipped(a__txt=b"nothing here"), "not a list of URLs"),
        (TXT + b"x\n" * (MAX_BAD_LINES + 1), "of its lines are malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_list_keeps_the_table(home: Path, data: bytes, words: str) -> None:
    """The table and its index are only replaced by a complete and valid one."""
    get_urls(home, source(home, TXT))
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    with pytest.raises(SourceError, match=words):
        get_urls(home, source(home, data), force=True)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_too_few_rows(tmp_path: Path) -> None:
    """A list with fewer rows than expected is rejected."""
    with pytest.raises(OneSourceError, match="only 1,000 rows"):
        converted(tmp_path, TXT, min_rows=1001)
    assert names(tmp_path) == ["list.txt"]


def test_long_line(tmp_path: Path) -> None:
    """A line without end is malformed, and only its start is kept."""
    data = b"n00000001_1\thttp://a/x\n" + b"x" * 300_000 + b"\nn00000001_2\thttp://a/y\n"
    assert converted(tmp_path, data).rows == 2
    assert (tmp_path / "imageNetURLs_bad_lines.txt").stat().st_size < 5000


def test_table_cannot_be_written(tmp_path: Path) -> None:
    """A write error is a DiskError, so that no other source is tried."""
    (tmp_path / "imageNetURLs.csv").mkdir()
    with pytest.raises(DiskError, match=r"imageNetURLs\.csv cannot be written"):
        converted(tmp_path, TXT)
    assert names(tmp_path) == ["imageNetURLs.csv", "list.txt"]


def test_hostile_member_names(home: Path) -> None:
    """Names of members are not used as paths."""
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


def test_real_rows(home: Path) -> None:
    """Ten thousand real rows are converted."""
    if not REAL.is_file():
        pytest.skip(f"the real rows are missing: {REAL}")
    assert "imageNetURLs.csv: 10,000 rows" in get_urls(home, str(REAL))
    assert (home / "imageNetURLs.csv").read_bytes() == REAL.read_bytes().replace(b"\r\n", b"\n")
